/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what a ring is made of: for the engines, io_uring and epoll, and for what they share
 * (ring/ring.c). Not for others.
 *
 * Both engines have a submission queue and a completion queue in memory of liburing's layout, so
 * SQEs are taken and CQEs read by the same code. With io_uring the kernel carries out
 * the SQEs; with epoll, ring/epoll.c does so by system calls.
 */
#ifndef RING_ENGINE_H
#define RING_ENGINE_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/owner.h"

#define ENGINE_GROUPS 4 /* RING_GROUPS_MAX */

struct buffer_group {
	struct io_uring_buf_ring *entries; /* NULL: not registered */
	unsigned count;
};

struct ring {
	struct io_uring uring; /* of the engine epoll only the two queues */
	struct epoll *epoll;   /* NULL: the engine is io_uring */
	struct owner *owner;
	uint64_t spin_ns;
	unsigned wait_flags; /* of each io_uring_enter(2) that waits */
	struct buffer_group groups[ENGINE_GROUPS];
};

/* ---- ring/uring.c ---- */

/* As ring_create(). */
int uring_create(struct ring *ring, unsigned sq_entries, unsigned cq_entries);
void uring_destroy(struct ring *ring);

/* Registers the entries of a group with the kernel. 0, or -errno. */
int uring_buffers_register(struct ring *ring, uint16_t group);
void uring_buffers_unregister(struct ring *ring, uint16_t group);

/* As ring_submit_and_wait(), by the owner. */
int uring_submit_and_wait(struct ring *ring, uint64_t wait_ns);

/* ---- ring/epoll.c ---- */

/* As ring_create(). */
int epoll_create_engine(struct ring *ring, unsigned sq_entries, unsigned cq_entries);
void epoll_destroy(struct ring *ring);

/* Carries out all SQEs. */
void epoll_submit(struct ring *ring);

/* As ring_submit_and_wait(), by the owner. A wait is rounded up to whole milliseconds. */
int epoll_submit_and_wait(struct ring *ring, uint64_t wait_ns);

/* As close(2). Operations that wait on the descriptor keep its file open. */
int epoll_close(struct ring *ring, int fd);

#endif
