/* SPDX-License-Identifier: MIT */
/*
 * slab.h - a pool of objects of one size, for the data path.
 *
 * The memory for the limit is reserved at the start; pages of objects that were never taken stay
 * untouched, so a large limit costs address space only. The object returned last is taken first,
 * since it is likely still in the CPU cache.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/base.h"

struct slab {
	uint8_t *memory;
	size_t object_bytes;
	uint32_t limit; /* objects */
	uint32_t fresh; /* objects from this index on were never taken */
	uint32_t used;
	void *free; /* list of returned objects; each points to the next */
};

/* `limit`: number of objects. They are aligned to 16 bytes; object_bytes is rounded up. -ENOMEM */
int slab_init(struct slab *slab, size_t object_bytes, uint32_t limit);
void slab_destroy(struct slab *slab);

/* Takes an object with undefined content; NULL: all are taken. */
void *slab_take(struct slab *slab);

/* Returns an object to the slab. */
void slab_give(struct slab *slab, void *object);

/* The number of objects that can still be taken. */
static inline uint32_t slab_left(const struct slab *slab)
{
	return slab->limit - slab->used;
}

/* The index of an object, below the limit, and the object of an index: smaller than a pointer. */
uint32_t slab_index(const struct slab *slab, const void *object);
void *slab_at(const struct slab *slab, uint32_t index);

#endif
