/* SPDX-License-Identifier: MIT */
/*
 * ring.c - of ring/ring.h what the shared code refers to.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "epoll-rollcall/engine.h"

int ring_try_io_uring(void)
{
	return 0;
}

int ring_create(struct ring **out, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int error;

	(void)engine;
	(void)sq_entries;
	(void)cq_entries;
	(void)spin_ns;
	if (!ring)
		return -ENOMEM;
	ring->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ring->epoll >= 0) {
		*out = ring;
		return 0;
	}
	error = -errno;
	free(ring);
	return error;
}

void ring_destroy(struct ring *ring)
{
	close(ring->epoll);
	free(ring);
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	return ring->count < ring->capacity ? &ring->sqes[ring->count++] : NULL;
}

/* Which buffers are free needs no book: in each turn, all are. */
int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	(void)ring;
	(void)group;
	(void)entries;
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	(void)ring;
	(void)group;
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	(void)ring;
	(void)group;
	(void)buffer;
	(void)bytes;
	(void)id;
}

void ring_close(struct ring *ring, int fd)
{
	(void)ring;
	close(fd);
}

uint64_t ring_clock_ns(struct ring *ring)
{
	struct timespec now;

	(void)ring;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	CHECK(getrandom(to, bytes, 0) == (ssize_t)bytes);
}
