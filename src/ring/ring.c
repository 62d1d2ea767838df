/* SPDX-License-Identifier: MIT */
#include "ring/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "ring/engine.h"

_Static_assert(ENGINE_GROUPS == RING_GROUPS_MAX, "one of them was changed");

int ring_create(struct ring **out, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int error = -ENOMEM;

	if (!ring)
		return error;
	ring->spin_ns = spin_ns;
	ring->owner = owner_create();
	if (!ring->owner)
		goto free_ring;
	if (engine == RING_EPOLL)
		error = epoll_create_engine(ring, sq_entries, cq_entries);
	else
		error = uring_create(ring, sq_entries, cq_entries);
	if (error)
		goto destroy_owner;
	*out = ring;
	return 0;

destroy_owner:
	owner_destroy(ring->owner);
free_ring:
	free(ring);
	return error;
}

void ring_destroy(struct ring *ring)
{
	for (uint16_t group = 0; group < RING_GROUPS_MAX; group++)
		ring_buffers_unregister(ring, group);
	if (ring->epoll)
		epoll_destroy(ring);
	else
		uring_destroy(ring);
	owner_destroy(ring->owner);
	free(ring);
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe)
		return sqe;
	if (ring->epoll)
		epoll_submit(ring);
	else
		io_uring_submit(&ring->uring);
	return io_uring_get_sqe(&ring->uring);
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	/*
	 * The index of a registered ring descriptor is per thread: in another thread it names
	 * another ring. In a forked process the ring is its parent's.
	 */
	if (!owner_is_caller(ring->owner))
		return -EEXIST;
	return ring->epoll ? epoll_submit_and_wait(ring, wait_ns)
			   : uring_submit_and_wait(ring, wait_ns);
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	struct io_uring_cq *cq = &ring->uring.cq;
	unsigned head = *cq->khead;

	if (head == io_uring_smp_load_acquire(cq->ktail))
		return false;
	*cqe = cq->cqes[head & cq->ring_mask];
	io_uring_smp_store_release(cq->khead, head + 1);
	return true;
}

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct buffer_group *to = &ring->groups[group];
	size_t bytes = entries * sizeof(struct io_uring_buf);
	int error = 0;

	CHECK(group < RING_GROUPS_MAX && !to->entries);
	to->entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (to->entries == MAP_FAILED) {
		to->entries = NULL;
		return -ENOMEM;
	}
	to->count = entries;
	if (!ring->epoll)
		error = uring_buffers_register(ring, group);
	if (error) {
		munmap(to->entries, bytes);
		to->entries = NULL;
	}
	return error;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	struct buffer_group *from = &ring->groups[group];

	if (!from->entries)
		return;
	if (!ring->epoll)
		uring_buffers_unregister(ring, group);
	munmap(from->entries, from->count * sizeof(struct io_uring_buf));
	from->entries = NULL;
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct buffer_group *to = &ring->groups[group];

	io_uring_buf_ring_add(to->entries, buffer, bytes, id, (int)to->count - 1, 0);
	io_uring_buf_ring_advance(to->entries, 1);
}

void ring_close(struct ring *ring, int fd)
{
	if (ring->epoll)
		epoll_close(ring, fd);
	else
		close(fd);
}

uint64_t ring_clock_ns(struct ring *ring)
{
	struct timespec now;

	(void)ring;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void ring_sleep(uint64_t ns)
{
	const struct timespec duration = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	nanosleep(&duration, NULL);
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	/* Up to 256 bytes are never returned in part or interrupted (getrandom(2)). */
	CHECK(getrandom(to, bytes, 0) == (ssize_t)bytes);
}
