/* SPDX-License-Identifier: MIT */
/*
 * buffers.h - the receive buffers that all clients share, with counted leases.
 *
 * The kernel picks a buffer when data has arrived, so an idle client holds none. A completion
 * passes a buffer on with one lease; code that keeps bytes of it for longer adds a lease. When the
 * last lease ends, the buffer goes back to the kernel.
 */
#ifndef RING_BUFFERS_H
#define RING_BUFFERS_H

#include "base/base.h"
#include "ring/ring.h"

struct buffers {
	struct ring *ring;
	uint8_t *memory;
	size_t buffer_bytes;
	uint32_t count;	    /* buffers in use */
	uint32_t count_max; /* the most that count grows to */
	uint32_t held;	    /* of those in use, the ones with leases; the kernel has the others */
	uint32_t surplus;   /* buffers still to retire on release */
	uint32_t touched;   /* IDs from here on, and their memory, have never been used */
	uint32_t latest;    /* ID of the one taken last */
	uint64_t taken;	    /* completions with a buffer, ever */
	uint32_t filled_count; /* buffers whose memory the kernel has filled, and is resident */
	bool *filled;	       /* which */
	uint32_t *leases;      /* number of leases of each buffer */
	uint16_t *spares;      /* IDs below `touched` that are retired: touched - count of them */
	uint16_t group;
};

/*
 * Creates `count` buffers of a group, and gives them to the kernel. count_max: a power of two up to
 * 32,768. -ENOMEM, -EINVAL.
 */
int buffers_init(struct buffers *buffers, struct ring *ring, uint16_t group, size_t buffer_bytes,
		 uint32_t count, uint32_t count_max);
void buffers_destroy(struct buffers *buffers);

/* The memory of as many buffers as there may be. */
static inline uint64_t buffers_bytes(const struct buffers *buffers)
{
	const size_t each = buffers->buffer_bytes + sizeof(*buffers->leases) +
			    sizeof(*buffers->spares) + sizeof(*buffers->filled);

	return (uint64_t)buffers->count_max * each;
}

/* Takes the buffer of a completion with IORING_CQE_F_BUFFER, with one lease. Returns its ID. */
uint16_t buffers_take(struct buffers *buffers, uint32_t cqe_flags);

static inline uint8_t *buffers_data(const struct buffers *buffers, uint32_t id)
{
	return buffers->memory + id * buffers->buffer_bytes;
}

/* Adds a lease. */
static inline void buffers_hold(struct buffers *buffers, uint16_t id)
{
	CHECK(id < buffers->touched && buffers->leases[id] > 0);
	buffers->leases[id]++;
}

/* For buffers_release(): the last lease has ended. */
void buffers_return(struct buffers *buffers, uint16_t id);

/* Ends a lease. */
static inline void buffers_release(struct buffers *buffers, uint16_t id)
{
	CHECK(id < buffers->touched && buffers->leases[id] > 0);
	if (--buffers->leases[id] == 0)
		buffers_return(buffers, id);
}

/* Whether these bytes lie in the buffer. */
static inline bool buffers_contain(const struct buffers *buffers, uint32_t id, const void *data,
				   size_t bytes)
{
	/* Unsigned: addresses below the buffer wrap to offsets far above its end. */
	const size_t at = (uintptr_t)data - (uintptr_t)buffers_data(buffers, id);

	return at < buffers->buffer_bytes && bytes <= buffers->buffer_bytes - at;
}

/* For buffers_find(): looks at all of them. */
int buffers_search(const struct buffers *buffers, const void *data, size_t bytes);

/* Finds the leased buffer that contains these bytes; -1: none. Most often it is the latest. */
static inline int buffers_find(const struct buffers *buffers, const void *data, size_t bytes)
{
	if (buffers_contain(buffers, buffers->latest, data, bytes) &&
	    buffers->leases[buffers->latest] > 0)
		return (int)buffers->latest;
	return buffers_search(buffers, data, bytes);
}

/* Doubles the number of buffers. false: it is at its limit. */
bool buffers_grow(struct buffers *buffers);

/*
 * Gives back the memory of filled buffers without leases: of all but `keep`, and of `max` at most.
 * Returns of how many. There must be no completion with a buffer that was not taken yet.
 */
uint32_t buffers_discard(struct buffers *buffers, uint32_t keep, uint32_t max);

/* Retires buffers as they are released, until `count` are left. */
void buffers_shrink(struct buffers *buffers, uint32_t count);

/* The number of buffers that the kernel has, as far as completions tell. */
static inline uint32_t buffers_free(const struct buffers *buffers)
{
	return buffers->count - buffers->held;
}

#endif
