/* SPDX-License-Identifier: MIT */
/*
 * sim_buffers.c - provided-buffer rings of the simulated ring.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* Bytes of a returned buffer that are overwritten: enough to notice late reads. */
#define SPOILT_BYTES 128

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct sim_group *to = &ring->groups[group];

	CHECK(group < RING_GROUPS_MAX && !to->buffers);
	sim_leave_server(sim_current);
	to->buffers = calloc(entries, sizeof(*to->buffers));
	to->given = calloc(entries, sizeof(*to->given));
	CHECK(to->buffers && to->given);
	sim_enter_server(sim_current);
	to->entries = entries;
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	free(ring->groups[group].buffers);
	free(ring->groups[group].given);
	ring->groups[group] = (struct sim_group){ 0 };
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct sim_group *to = &ring->groups[group];

	if (id >= to->entries || to->given[id])
		sim_fail(sim_current, "buffer %u of group %u is given twice", id, group);
	to->given[id] = true;
	memset(buffer, 0xdb, min_size(bytes, SPOILT_BYTES));
	to->buffers[(to->head + to->count++) % to->entries] =
		(struct sim_buffer){ .data = buffer, .bytes = bytes, .id = id };
}

struct sim_buffer *sim_first_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];

	return from->count ? &from->buffers[from->head] : NULL;
}

uint32_t sim_take_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];
	uint16_t id = from->buffers[from->head].id;

	from->given[id] = false;
	from->head = (from->head + 1) % from->entries;
	from->count--;
	return IORING_CQE_F_BUFFER | (uint32_t)id << IORING_CQE_BUFFER_SHIFT;
}
