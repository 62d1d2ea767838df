/* SPDX-License-Identifier: MIT */
#include "client/queue.h"

#include <errno.h>
#include <string.h>

/* The bytes of a block, which follow its chunk. */
static uint8_t *block_memory(struct chunk *block)
{
	return (uint8_t *)(block + 1);
}

/* Free bytes behind the last byte of the queue. */
static size_t tail_space(const struct queue *queue)
{
	struct chunk *tail = queue->tail;

	if (!tail || tail->pool != QUEUE_OWN)
		return 0;
	return (size_t)(block_memory(tail) + QUEUE_BLOCK_PAYLOAD - (tail->data + tail->bytes));
}

int queue_memory_init(struct queue_memory *memory, size_t bytes_max)
{
	const uint32_t blocks = (uint32_t)min_size(bytes_max / QUEUE_BLOCK_BYTES, UINT32_MAX);
	int error = slab_init(&memory->blocks, QUEUE_BLOCK_BYTES, blocks);

	if (error)
		return error;
	error = slab_init(&memory->leases, sizeof(struct chunk), blocks);
	if (error)
		slab_destroy(&memory->blocks);
	return error;
}

void queue_memory_destroy(struct queue_memory *memory)
{
	slab_destroy(&memory->leases);
	slab_destroy(&memory->blocks);
}

uint32_t queue_memory_used(const struct queue_memory *memory)
{
	const size_t input = (memory->input_bytes + QUEUE_BLOCK_BYTES - 1) / QUEUE_BLOCK_BYTES;

	return memory->blocks.used + (uint32_t)input;
}

static void link_chunk(struct queue *queue, struct chunk *chunk)
{
	chunk->next = NULL;
	if (queue->tail)
		queue->tail->next = chunk;
	else
		queue->head = chunk;
	queue->tail = chunk;
	queue->chunks++;
}

static bool append_lease(struct queue_memory *memory, struct queue *queue, const struct iovec *part)
{
	for (uint8_t pool = 0; pool < QUEUE_POOLS; pool++) {
		struct chunk *tail = queue->tail, *chunk;
		int buffer = buffers_find(memory->pools[pool], part->iov_base, part->iov_len);

		if (buffer < 0)
			continue;
		queue->bytes += (uint32_t)part->iov_len;
		if (tail && tail->pool == pool && tail->buffer == buffer &&
		    tail->data + tail->bytes == part->iov_base) {
			tail->bytes += (uint32_t)part->iov_len;
			return true;
		}
		chunk = slab_take(&memory->leases);
		*chunk = (struct chunk){
			.data = part->iov_base,
			.bytes = (uint32_t)part->iov_len,
			.buffer = (uint16_t)buffer,
			.pool = pool,
		};
		buffers_hold(memory->pools[pool], (uint16_t)buffer);
		link_chunk(queue, chunk);
		return true;
	}
	return false;
}

static void append_copy(struct queue_memory *memory, struct queue *queue, const struct iovec *part)
{
	const uint8_t *data = part->iov_base;
	size_t left = part->iov_len;

	while (left > 0) {
		size_t space = tail_space(queue), bytes;

		if (space == 0) {
			struct chunk *block = slab_take(&memory->blocks);

			*block = (struct chunk){ .data = block_memory(block), .pool = QUEUE_OWN };
			link_chunk(queue, block);
			space = QUEUE_BLOCK_PAYLOAD;
		}
		bytes = min_size(space, left);
		memcpy(queue->tail->data + queue->tail->bytes, data, bytes);
		queue->tail->bytes += (uint32_t)bytes;
		queue->bytes += (uint32_t)bytes;
		memory->copied_bytes += bytes;
		data += bytes;
		left -= bytes;
	}
}

/* Whether memory suffices for all parts, copied or referenced. */
static bool has_space(const struct queue_memory *memory, const struct iovec *parts, unsigned count)
{
	size_t blocks = 0;

	for (unsigned i = 0; i < count; i++)
		blocks += 1 + parts[i].iov_len / QUEUE_BLOCK_PAYLOAD;
	return queue_memory_used(memory) + blocks <= memory->blocks.limit;
}

bool queue_append(struct queue_memory *memory, struct queue *queue, const struct iovec *parts,
		  unsigned count, bool copy)
{
	if (!has_space(memory, parts, count))
		return false;
	for (unsigned i = 0; i < count; i++) {
		const struct iovec *part = &parts[i];
		bool small = part->iov_len <= min_size(QUEUE_COPY_BYTES_MAX, tail_space(queue));

		if (part->iov_len == 0)
			continue;
		if (copy || small || slab_left(&memory->leases) == 0 ||
		    !append_lease(memory, queue, part))
			append_copy(memory, queue, part);
	}
	return true;
}

unsigned queue_gather(const struct queue *queue, struct iovec *pieces, unsigned max)
{
	unsigned count = 0;

	for (const struct chunk *one = queue->head; one && count < max; one = one->next)
		pieces[count++] = (struct iovec){ one->data, one->bytes };
	return count;
}

static void drop_head(struct queue_memory *memory, struct queue *queue)
{
	struct chunk *head = queue->head;

	queue->head = head->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->chunks--;
	queue->bytes -= head->bytes;
	if (head->pool == QUEUE_OWN) {
		slab_give(&memory->blocks, head);
		return;
	}
	buffers_release(memory->pools[head->pool], head->buffer);
	slab_give(&memory->leases, head);
}

void queue_advance(struct queue_memory *memory, struct queue *queue, size_t bytes)
{
	CHECK(bytes <= queue->bytes);
	while (bytes > 0 && bytes >= queue->head->bytes) {
		bytes -= queue->head->bytes;
		drop_head(memory, queue);
	}
	if (bytes == 0)
		return;
	queue->head->data += bytes;
	queue->head->bytes -= (uint32_t)bytes;
	queue->bytes -= (uint32_t)bytes;
}

bool queue_own(struct queue_memory *memory, struct queue *queue)
{
	struct queue from = *queue;

	*queue = (struct queue){ 0 };
	while (from.head) {
		struct chunk *one = from.head;
		struct iovec part = { one->data, one->bytes };

		if (one->pool == QUEUE_OWN) {
			from.head = one->next;
			link_chunk(queue, one);
			queue->bytes += one->bytes;
			continue;
		}
		if (!queue_append(memory, queue, &part, 1, true)) {
			queue_clear(memory, &from);
			return false;
		}
		drop_head(memory, &from);
	}
	return true;
}

void queue_clear(struct queue_memory *memory, struct queue *queue)
{
	while (queue->head)
		drop_head(memory, queue);
	*queue = (struct queue){ 0 };
}
