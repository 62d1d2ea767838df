/* SPDX-License-Identifier: MIT */
#include "ring/buffers.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

static void give(struct buffers *buffers, uint32_t id)
{
	ring_buffers_give(buffers->ring, buffers->group, buffers_data(buffers, id),
			  (unsigned)buffers->buffer_bytes, (uint16_t)id);
}

int buffers_init(struct buffers *buffers, struct ring *ring, uint16_t group, size_t buffer_bytes,
		 uint32_t count, uint32_t count_max)
{
	int error = -ENOMEM;

	CHECK(count > 0 && count <= count_max && count_max <= 32768);
	*buffers = (struct buffers){
		.ring = ring,
		.group = group,
		.buffer_bytes = buffer_bytes,
		.count = count,
		.count_max = count_max,
		.touched = count,
	};
	/* Buffers that the kernel never fills cost address space only. */
	buffers->memory = memory_reserve(buffer_bytes * count_max);
	if (!buffers->memory)
		return error;
	buffers->leases = calloc(count_max, sizeof(*buffers->leases));
	buffers->spares = calloc(count_max, sizeof(*buffers->spares));
	buffers->filled = calloc(count_max, sizeof(*buffers->filled));
	if (!buffers->leases || !buffers->spares || !buffers->filled)
		goto release;
	error = ring_buffers_register(ring, group, count_max);
	if (error)
		goto release;
	for (uint32_t id = 0; id < count; id++)
		give(buffers, id);
	return 0;

release:
	free(buffers->filled);
	free(buffers->spares);
	free(buffers->leases);
	memory_release(buffers->memory, buffer_bytes * count_max);
	return error;
}

void buffers_destroy(struct buffers *buffers)
{
	CHECK(buffers->held == 0);
	ring_buffers_unregister(buffers->ring, buffers->group);
	free(buffers->filled);
	free(buffers->spares);
	free(buffers->leases);
	memory_release(buffers->memory, buffers->buffer_bytes * buffers->count_max);
}

uint16_t buffers_take(struct buffers *buffers, uint32_t cqe_flags)
{
	uint16_t id = (uint16_t)(cqe_flags >> IORING_CQE_BUFFER_SHIFT);

	CHECK(cqe_flags & IORING_CQE_F_BUFFER);
	CHECK(id < buffers->touched && buffers->leases[id] == 0);
	buffers->leases[id] = 1;
	buffers->latest = id;
	buffers->held++;
	buffers->taken++;
	buffers->filled_count += !buffers->filled[id];
	buffers->filled[id] = true;
	return id;
}

void buffers_return(struct buffers *buffers, uint16_t id)
{
	buffers->held--;
	if (buffers->surplus == 0) {
		give(buffers, id);
		return;
	}
	buffers->surplus--;
	buffers->spares[buffers->touched - buffers->count] = id;
	buffers->count--;
}

int buffers_search(const struct buffers *buffers, const void *data, size_t bytes)
{
	/* As in buffers_contain(). */
	const size_t offset = (uintptr_t)data - (uintptr_t)buffers->memory;
	size_t id;

	/* Most often they are another pool's: no division for these. */
	if (offset >= buffers->touched * buffers->buffer_bytes)
		return -1;
	id = offset / buffers->buffer_bytes;
	if (buffers->leases[id] == 0 || !buffers_contain(buffers, (uint32_t)id, data, bytes))
		return -1;
	return (int)id;
}

uint32_t buffers_discard(struct buffers *buffers, uint32_t keep, uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t id = buffers->touched; id-- > 0 && count < max;) {
		if (buffers->filled_count <= keep)
			break;
		if (!buffers->filled[id] || buffers->leases[id] > 0)
			continue;
		memory_discard(buffers_data(buffers, id), buffers->buffer_bytes);
		buffers->filled[id] = false;
		buffers->filled_count--;
		count++;
	}
	return count;
}

bool buffers_grow(struct buffers *buffers)
{
	uint32_t count = (uint32_t)min_size(2 * (size_t)buffers->count, buffers->count_max);

	buffers->surplus = 0;
	if (count == buffers->count)
		return false;
	for (; buffers->count < count; buffers->count++) {
		uint32_t spares = buffers->touched - buffers->count;

		give(buffers, spares > 0 ? buffers->spares[spares - 1] : buffers->touched++);
	}
	return true;
}

void buffers_shrink(struct buffers *buffers, uint32_t count)
{
	buffers->surplus = buffers->count > count ? buffers->count - count : 0;
}
