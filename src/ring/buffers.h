/* SPDX-License-Identifier: MIT */
/*
 * buffers.h - the receive buffers that all clients share, as counted leases.
 *
 * The kernel picks a buffer when data has come, so an idle client holds none. A completion hands a
 * buffer over with one lease on it; whoever keeps bytes of it for longer adds one. When the last
 * lease ends, the buffer goes back to the kernel.
 */
#ifndef RING_BUFFERS_H
#define RING_BUFFERS_H

#include "ring/ring.h"

struct buffers {
	struct ring *ring;
	uint8_t *memory;
	size_t buffer_bytes;
	uint32_t count;	    /* buffers in use at all */
	uint32_t count_max; /* grows up to this */
	uint32_t held;	    /* of those in use, with leases; the others are with the kernel */
	uint32_t surplus;   /* so many go out of use as they are released */
	uint32_t touched;   /* numbers from here on were never in use, nor was their memory */
	uint32_t *leases;   /* of each buffer */
	uint16_t *spares;   /* numbers below `touched` that are out of use: touched - count */
	uint16_t group;
};

/* count_max is a power of two up to 32,768. -ENOMEM, -EINVAL. */
int buffers_init(struct buffers *buffers, struct ring *ring, uint16_t group, size_t buffer_bytes,
		 uint32_t count, uint32_t count_max);
void buffers_destroy(struct buffers *buffers);

/* Takes the buffer that a completion with IORING_CQE_F_BUFFER names, with one lease. */
uint16_t buffers_take(struct buffers *buffers, uint32_t cqe_flags);

uint8_t *buffers_data(const struct buffers *buffers, uint16_t id);

/* Adds a lease, or ends one. */
void buffers_hold(struct buffers *buffers, uint16_t id);
void buffers_release(struct buffers *buffers, uint16_t id);

/* The leased buffer in which the bytes lie; -1: in none. */
int buffers_find(const struct buffers *buffers, const void *data, size_t bytes);

/* Doubles the number of buffers. false: it is at its limit. */
bool buffers_grow(struct buffers *buffers);

/* Takes buffers out of use as they are released, down to so many. */
void buffers_shrink(struct buffers *buffers, uint32_t count);

/* How many the kernel has, as far as completions have told. */
static inline uint32_t buffers_free(const struct buffers *buffers)
{
	return buffers->count - buffers->held;
}

#endif
