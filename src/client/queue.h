/* SPDX-License-Identifier: MIT */
/*
 * queue.h - bytes in order, on their way to a client (or held back on their way from one).
 *
 * A queue is a list of segments. A segment refers to bytes inside a leased receive buffer, which
 * are sent in place, or it is the head of a block with copied bytes. No client owns a block while
 * its queue is empty.
 */
#ifndef CLIENT_QUEUE_H
#define CLIENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slab.h"
#include "ring/buffers.h"

struct segment {
	struct segment *next;
	uint8_t *data;
	uint32_t bytes;
	uint16_t buffer; /* the leased buffer's number */
	uint8_t pool;	 /* of which buffers, or QUEUE_OWN: copied into this segment's block */
};

struct queue {
	struct segment *head, *tail;
	uint32_t bytes;
	uint32_t segments;
};

#define QUEUE_BLOCK_BYTES 4096
#define QUEUE_BLOCK_ROOM (QUEUE_BLOCK_BYTES - sizeof(struct segment))

/* Shorter parts that come behind copied bytes are copied too: cheaper than one more segment. */
#define QUEUE_COPY_BYTES_MAX 256

/* Of buffers: one for TCP, one for UDP. */
#define QUEUE_POOLS 2
#define QUEUE_OWN 255

/* What all queues of a server share. */
struct queue_memory {
	struct slab blocks;
	struct slab leases; /* segments that refer to buffers */
	struct buffers *pools[QUEUE_POOLS];
	uint64_t copied_bytes;
};

/* -ENOMEM */
int queue_memory_init(struct queue_memory *memory, size_t bytes_max);
void queue_memory_destroy(struct queue_memory *memory);

/*
 * Appends all parts, or nothing and returns false if the memory is used up. Bytes inside a leased
 * buffer are referred to, unless `copy` asks for copies.
 */
bool queue_append(struct queue_memory *memory, struct queue *queue, const struct iovec *parts,
		  unsigned count, bool copy);

/* Describes the first bytes of the queue in up to max pieces; returns how many. */
unsigned queue_gather(const struct queue *queue, struct iovec *pieces, unsigned max);

/* Drops so many bytes from the front. */
void queue_advance(struct queue_memory *memory, struct queue *queue, size_t bytes);

/* Copies what lies in leased buffers, so that the leases end. false: the memory is used up. */
bool queue_own(struct queue_memory *memory, struct queue *queue);

/* Drops everything. */
void queue_clear(struct queue_memory *memory, struct queue *queue);

#endif
