/* SPDX-License-Identifier: MIT */
/*
 * slab.h - a pool of objects of one size, for the data path.
 *
 * The memory for the limit is reserved at the start; the pages of objects that were never taken are
 * never touched, so a large limit costs address space only. The object given back last is taken
 * first: it is likely still in the cache.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/base.h"

struct slab {
	uint8_t *memory;
	size_t object_bytes;
	uint32_t limit; /* objects */
	uint32_t fresh; /* objects from here on were never taken */
	uint32_t used;
	void *free; /* the first free object; each points to the next */
};

/* Objects are aligned to 16 bytes, and object_bytes is rounded up to it. -ENOMEM. */
int slab_init(struct slab *slab, size_t object_bytes, uint32_t limit);
void slab_destroy(struct slab *slab);

/* An object with undefined content, or NULL when all are taken. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *object);

/* How many more can be taken. */
static inline uint32_t slab_room(const struct slab *slab)
{
	return slab->limit - slab->used;
}

/* An object's number, below the limit, and back: smaller to keep than a pointer. */
uint32_t slab_index(const struct slab *slab, const void *object);
void *slab_at(const struct slab *slab, uint32_t index);

#endif
