/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <errno.h>
#include <string.h>

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
	ASAN_POISON_MEMORY_REGION(slab->memory, slab->object_bytes * limit);
	return 0;
}

void slab_destroy(struct slab *slab)
{
	CHECK(slab->used == 0);
	if (slab->memory)
		ASAN_UNPOISON_MEMORY_REGION(slab->memory, slab->object_bytes * slab->limit);
	memory_release(slab->memory, slab->object_bytes * slab->limit);
	slab->memory = NULL;
}

void *slab_take(struct slab *slab)
{
	void *object = slab->free;

	if (object) {
		ASAN_UNPOISON_MEMORY_REGION(object, slab->object_bytes);
		memcpy(&slab->free, object, sizeof(slab->free));
	} else if (slab->fresh < slab->limit) {
		object = slab_at(slab, slab->fresh++);
		ASAN_UNPOISON_MEMORY_REGION(object, slab->object_bytes);
	} else {
		return NULL;
	}
	slab->used++;
	return object;
}

void slab_give(struct slab *slab, void *object)
{
	CHECK(slab->used > 0);
	CHECK(slab_index(slab, object) < slab->fresh);
	memcpy(object, &slab->free, sizeof(slab->free));
	slab->free = object;
	slab->used--;
	ASAN_POISON_MEMORY_REGION(object, slab->object_bytes);
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
