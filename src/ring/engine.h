/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what a ring is made of: for ring/ring.c, and for the engine that carries out its SQEs
 * (ring/uring.c). Not for others.
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
	struct io_uring uring;
	struct owner *owner;
	uint64_t spin_ns;
	struct buffer_group groups[ENGINE_GROUPS];
};

/* ---- ring/uring.c ---- */

/* As ring_create(). */
int uring_create(struct ring *ring, unsigned sq_entries, unsigned cq_entries);
void uring_destroy(struct ring *ring);

/* As ring_submit_and_wait(), by the owner. */
int uring_submit_and_wait(struct ring *ring, uint64_t wait_ns);

#endif
