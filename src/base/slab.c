/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <errno.h>

#include "base/memory.h"
#include "base/poison.h"

int slab_init(struct slab *slab, size_t object_bytes, uint32_t limit)
{
	*slab = (struct slab){
		.object_bytes = (object_bytes + 15) & ~(size_t)15,
		.limit = limit,
	};
	slab->memory = memory_reserve(slab->object_bytes * limit);
	if (!slab->memory)
		return -ENOMEM;
	slab->free = memory_reserve(limit * sizeof(*slab->free));
	if (!slab->free) {
		memory_release(slab->memory, slab->object_bytes * limit);
		return -ENOMEM;
	}
	ASAN_POISON_MEMORY_REGION(slab->memory, slab->object_bytes * limit);
	return 0;
}

void slab_destroy(struct slab *slab)
{
	CHECK(slab->used == 0);
	if (slab->memory)
		ASAN_UNPOISON_MEMORY_REGION(slab->memory, slab->object_bytes * slab->limit);
	memory_release(slab->memory, slab->object_bytes * slab->limit);
	memory_release(slab->free, slab->limit * sizeof(*slab->free));
	slab->memory = NULL;
	slab->free = NULL;
}

void *slab_take(struct slab *slab)
{
	void *object;

	if (slab->free_count > 0)
		object = slab_at(slab, slab->free[--slab->free_count]);
	else if (slab->fresh < slab->limit)
		object = slab_at(slab, slab->fresh++);
	else
		return NULL;
	if (slab->idle_end > slab->free_count)
		slab->idle_end = slab->free_count;
	ASAN_UNPOISON_MEMORY_REGION(object, slab->object_bytes);
	slab->used++;
	return object;
}

void slab_give(struct slab *slab, void *object)
{
	const uint32_t index = slab_index(slab, object);

	CHECK(slab->used > 0);
	CHECK(index < slab->fresh);
	slab->free[slab->free_count++] = index;
	slab->used--;
	ASAN_POISON_MEMORY_REGION(object, slab->object_bytes);
}

void *slab_next_idle(struct slab *slab)
{
	CHECK(slab_idle(slab) > 0);
	return slab_at(slab, slab->free[slab->idle_end++]);
}

uint32_t slab_index(const struct slab *slab, const void *object)
{
	size_t offset = (size_t)((const uint8_t *)object - slab->memory);

	return (uint32_t)(offset / slab->object_bytes);
}

void *slab_at(const struct slab *slab, uint32_t index)
{
	CHECK(index < slab->limit);
	return slab->memory + index * slab->object_bytes;
}
