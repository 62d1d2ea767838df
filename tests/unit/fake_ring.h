/* SPDX-License-Identifier: MIT */
/*
 * fake_ring.h - the part of the ring that buffers need, without a kernel. It defines the ring's own
 * functions, so exactly one file of a test includes it.
 */
#ifndef UNIT_FAKE_RING_H
#define UNIT_FAKE_RING_H

#include "lib/test.h"

#include "ring/buffers.h"

#define FAKE_BUFFERS_MAX 32768

/* The buffers that the kernel would have, in the order of giving. */
struct fake_group {
	uint16_t ids[FAKE_BUFFERS_MAX];
	unsigned first, count;
	unsigned entries; /* 0: not registered */
};

static struct fake_group fake_groups[RING_GROUPS_MAX];

/* What the next registration fails with; 0: it works. */
static int fake_register_error;

/* Why the engine io_uring cannot be used; 0: it can. */
static int fake_io_uring_error;

int ring_try_io_uring(void)
{
	return fake_io_uring_error;
}

int ring_create(struct ring **ring, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns)
{
	(void)sq_entries;
	(void)cq_entries;
	(void)spin_ns;
	*ring = NULL;
	return engine == RING_IO_URING ? fake_io_uring_error : 0;
}

void ring_destroy(struct ring *ring)
{
	(void)ring;
}

void ring_close(struct ring *ring, int fd)
{
	(void)ring;
	fail_msg("descriptor %d is closed, but none was opened", fd);
}

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	(void)ring;
	assert_in_range(group, 0, RING_GROUPS_MAX - 1);
	assert_int_equal(fake_groups[group].entries, 0);
	if (fake_register_error)
		return fake_register_error;
	fake_groups[group] = (struct fake_group){ .entries = entries };
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	(void)ring;
	fake_groups[group].entries = 0;
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct fake_group *to = &fake_groups[group];

	(void)ring;
	(void)bytes;
	assert_non_null(buffer);
	assert_in_range(to->count, 0, to->entries - 1);
	to->ids[(to->first + to->count++) % FAKE_BUFFERS_MAX] = id;
}

/* Takes the buffer that has been with the kernel for longest, as if a completion had brought it. */
static inline uint16_t fake_receive(struct buffers *buffers)
{
	struct fake_group *from = &fake_groups[buffers->group];
	uint16_t id = from->ids[from->first];

	assert_in_range(from->count, 1, from->entries);
	from->first = (from->first + 1) % FAKE_BUFFERS_MAX;
	from->count--;
	return buffers_take(buffers, IORING_CQE_F_BUFFER | (uint32_t)id << IORING_CQE_BUFFER_SHIFT);
}

#endif
