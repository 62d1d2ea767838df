/* SPDX-License-Identifier: MIT */
/*
 * slab.h - a pool of objects of one size, for the data path.
 *
 * The memory for the limit is reserved at the start; pages of objects that were never taken stay
 * untouched, so a large limit costs address space only. The object returned last is taken first,
 * since it is likely still in the CPU cache. Those returned long ago can be found, so that their
 * pages are given back.
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
	uint32_t *free; /* stack of the numbers of returned objects */
	uint32_t free_count;
	uint32_t idle_end; /* objects of the stack below this were returned by slab_next_idle() */
};

/* `limit`: number of objects. They are aligned to 16 bytes; object_bytes is rounded up. -ENOMEM */
int slab_init(struct slab *slab, size_t object_bytes, uint32_t limit);
void slab_destroy(struct slab *slab);

/* Takes an object with undefined content; NULL: all are taken. */
void *slab_take(struct slab *slab);

/* Returns an object to the slab. */
void slab_give(struct slab *slab, void *object);

/* Returned objects whose pages have not been given back. */
static inline uint32_t slab_idle(const struct slab *slab)
{
	return slab->free_count - slab->idle_end;
}

/*
 * The one of them that was returned longest ago. Its content is not used any more. At least one
 * must be left.
 */
void *slab_next_idle(struct slab *slab);

/* The memory of all objects of the slab. */
static inline uint64_t slab_bytes(const struct slab *slab)
{
	return (uint64_t)slab->limit * (slab->object_bytes + sizeof(*slab->free));
}

/* The number of objects that can still be taken. */
static inline uint32_t slab_left(const struct slab *slab)
{
	return slab->limit - slab->used;
}

/* The index of an object, below the limit, and the object of an index: smaller than a pointer. */
uint32_t slab_index(const struct slab *slab, const void *object);
void *slab_at(const struct slab *slab, uint32_t index);

#endif
