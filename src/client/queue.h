/* SPDX-License-Identifier: MIT */
/*
 * queue.h - a byte queue: a client's output, or input that is held back.
 *
 * A queue is a list of chunks. A chunk either refers to bytes in a leased receive buffer, which
 * are sent in place, or is the head of a block that holds copied bytes. An empty queue has no
 * blocks. An only chunk that refers to a buffer, as that of most answers, lies in the queue itself.
 */
#ifndef CLIENT_QUEUE_H
#define CLIENT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slab.h"
#include "ring/buffers.h"

/* The bytes of a chunk. */
struct extent {
	uint8_t *data;
	uint32_t bytes;
	uint16_t buffer; /* the leased buffer's number */
	uint8_t pool;	 /* of that buffer, or QUEUE_OWN: bytes copied into this chunk's block */
};

struct chunk {
	struct chunk *next;
	struct extent extent;
};

struct queue {
	union {
		struct {
			struct chunk *head, *tail;
		};
		struct extent only; /* if it is single */
	};
	uint32_t bytes;
	uint32_t chunks : 31;
	uint32_t is_single : 1; /* it has one chunk, which has no struct chunk */
};

#define QUEUE_BLOCK_BYTES 4096
#define QUEUE_BLOCK_PAYLOAD (QUEUE_BLOCK_BYTES - sizeof(struct chunk))

/* Parts up to this size behind copied bytes are copied too: cheaper than one more chunk. */
#define QUEUE_COPY_BYTES_MAX 256

/* Buffer pools: one for TCP, one for UDP. */
#define QUEUE_POOLS 2
#define QUEUE_OWN 255

/* Memory that all queues of a server share, with its unfinished messages. */
struct queue_memory {
	struct slab blocks;
	size_t input_bytes; /* held by unfinished messages, within the same limit */
	struct slab leases; /* chunks that refer to buffers */
	struct buffers *pools[QUEUE_POOLS];
	uint64_t copied_bytes;
};

/* -ENOMEM */
int queue_memory_init(struct queue_memory *memory, size_t bytes_max);
void queue_memory_destroy(struct queue_memory *memory);

/* Blocks in use, and those that the unfinished messages take the place of. */
static inline uint32_t queue_memory_used(const struct queue_memory *memory)
{
	const size_t input = (memory->input_bytes + QUEUE_BLOCK_BYTES - 1) / QUEUE_BLOCK_BYTES;

	return memory->blocks.used + (uint32_t)input;
}

/* What is in use in bytes: not rounded to blocks for the unfinished messages. */
size_t queue_memory_bytes(const struct queue_memory *memory);

/*
 * Whether there is space for `bytes` more. The last eighth, the reserve, is for those that hold at
 * most one block: `all` is what the queue or message then has in bytes. So what a crowd holds
 * leaves space for the answers to others: the reserve has two blocks for each receive buffer
 * (HUB_TCP_BUFFERS), and so for each client of which one turn handles something.
 */
bool queue_memory_has(const struct queue_memory *memory, size_t bytes, size_t all);

/*
 * Appends all parts. false: memory is used up, and nothing was appended. Bytes in a leased buffer
 * are referenced, unless `copy` is true.
 */
bool queue_append(struct queue_memory *memory, struct queue *queue, const struct iovec *parts,
		  unsigned count, bool copy);

/* The first bytes of a queue that is not empty, as many as lie in one piece. */
static inline const struct extent *queue_first(const struct queue *queue)
{
	return queue->is_single ? &queue->only : &queue->head->extent;
}

/* Fills in up to max pieces with the first bytes of the queue; returns how many. */
unsigned queue_gather(const struct queue *queue, struct iovec *pieces, unsigned max);

/* Drops `bytes` bytes from the front. */
void queue_advance(struct queue_memory *memory, struct queue *queue, size_t bytes);

/*
 * Copies the bytes that lie in leased buffers, and ends the leases. false: memory is used up; the
 * rest of the queue is lost.
 */
bool queue_own(struct queue_memory *memory, struct queue *queue);

/* Drops everything. */
void queue_clear(struct queue_memory *memory, struct queue *queue);

#endif
