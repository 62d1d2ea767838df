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

	if (!tail || tail->extent.pool != QUEUE_OWN)
		return 0;
	return (size_t)(block_memory(tail) + QUEUE_BLOCK_PAYLOAD -
			(tail->extent.data + tail->extent.bytes));
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

size_t queue_memory_bytes(const struct queue_memory *memory)
{
	return (size_t)memory->blocks.used * QUEUE_BLOCK_BYTES + memory->input_bytes;
}

bool queue_memory_has(const struct queue_memory *memory, size_t bytes, size_t all)
{
	const size_t most = (size_t)memory->blocks.limit * QUEUE_BLOCK_BYTES;
	const size_t reserve = all > QUEUE_BLOCK_BYTES ? most / 8 : 0;

	return queue_memory_bytes(memory) + bytes <= most - reserve;
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

/* Makes an extent of bytes that lie in a leased buffer, with a lease. false: they do not. */
static bool refer(struct queue_memory *memory, const struct iovec *part, struct extent *extent)
{
	for (uint8_t pool = 0; pool < QUEUE_POOLS; pool++) {
		int buffer = buffers_find(memory->pools[pool], part->iov_base, part->iov_len);

		if (buffer < 0)
			continue;
		buffers_hold(memory->pools[pool], (uint16_t)buffer);
		*extent = (struct extent){
			.data = part->iov_base,
			.bytes = (uint32_t)part->iov_len,
			.buffer = (uint16_t)buffer,
			.pool = pool,
		};
		return true;
	}
	return false;
}

/* Extends a reference by bytes that lie behind it in its buffer. false: they do not. */
static bool extend(const struct queue_memory *memory, struct queue *queue, struct extent *last,
		   const struct iovec *part)
{
	if (last->data + last->bytes != part->iov_base || last->pool == QUEUE_OWN ||
	    !buffers_contain(memory->pools[last->pool], last->buffer, part->iov_base,
			     part->iov_len))
		return false;
	last->bytes += (uint32_t)part->iov_len;
	queue->bytes += (uint32_t)part->iov_len;
	return true;
}

static bool append_lease(struct queue_memory *memory, struct queue *queue, const struct iovec *part)
{
	struct extent extent;
	struct chunk *chunk;

	if (queue->tail && extend(memory, queue, &queue->tail->extent, part))
		return true;
	if (slab_left(&memory->leases) == 0 || !refer(memory, part, &extent))
		return false;
	chunk = slab_take(&memory->leases);
	chunk->extent = extent;
	link_chunk(queue, chunk);
	queue->bytes += extent.bytes;
	return true;
}

/* Makes the part the only chunk, or extends the only one. false: that is not possible. */
static bool append_single(struct queue_memory *memory, struct queue *queue,
			  const struct iovec *part)
{
	if (queue->is_single)
		return extend(memory, queue, &queue->only, part);
	if (queue->chunks > 0 || part->iov_len == 0 || !refer(memory, part, &queue->only))
		return false;
	queue->is_single = true;
	queue->chunks = 1;
	queue->bytes = queue->only.bytes;
	return true;
}

/* Gives the only chunk a struct of its own. false: memory is used up. */
static bool make_list(struct queue_memory *memory, struct queue *queue)
{
	struct chunk *chunk = slab_take(&memory->leases);
	const uint32_t bytes = queue->bytes;

	if (!chunk)
		return false;
	chunk->extent = queue->only;
	*queue = (struct queue){ .bytes = bytes };
	link_chunk(queue, chunk);
	return true;
}

static void append_copy(struct queue_memory *memory, struct queue *queue, const struct iovec *part)
{
	const uint8_t *data = part->iov_base;
	size_t left = part->iov_len;

	while (left > 0) {
		size_t space = tail_space(queue), bytes;

		if (space == 0) {
			struct chunk *block = slab_take(&memory->blocks);

			block->extent = (struct extent){ block_memory(block), .pool = QUEUE_OWN };
			link_chunk(queue, block);
			space = QUEUE_BLOCK_PAYLOAD;
		}
		bytes = min_size(space, left);
		memcpy(queue->tail->extent.data + queue->tail->extent.bytes, data, bytes);
		queue->tail->extent.bytes += (uint32_t)bytes;
		queue->bytes += (uint32_t)bytes;
		memory->copied_bytes += bytes;
		data += bytes;
		left -= bytes;
	}
}

/* Copies a short message behind copied bytes; that takes no memory. false: it does not fit. */
static bool append_short(struct queue_memory *memory, struct queue *queue,
			 const struct iovec *parts, unsigned count)
{
	const size_t space = min_size(QUEUE_COPY_BYTES_MAX, tail_space(queue));
	struct extent *last;
	size_t bytes = 0;

	for (unsigned i = 0; i < count; i++) {
		if (parts[i].iov_len > space - bytes)
			return false;
		bytes += parts[i].iov_len;
	}
	if (bytes == 0)
		return false;
	last = &queue->tail->extent;
	for (unsigned i = 0; i < count; i++) {
		/* An empty part may have no address. */
		if (parts[i].iov_len > 0)
			memcpy(last->data + last->bytes, parts[i].iov_base, parts[i].iov_len);
		last->bytes += (uint32_t)parts[i].iov_len;
	}
	queue->bytes += (uint32_t)bytes;
	memory->copied_bytes += bytes;
	return true;
}

/* Whether memory suffices for all parts, copied or referenced. */
static bool has_space(const struct queue_memory *memory, size_t queued, const struct iovec *parts,
		      unsigned count)
{
	size_t blocks = 0, all = queued;

	for (unsigned i = 0; i < count; i++) {
		blocks += 1 + parts[i].iov_len / QUEUE_BLOCK_PAYLOAD;
		all += parts[i].iov_len;
	}
	return queue_memory_has(memory, blocks * QUEUE_BLOCK_BYTES, all);
}

bool queue_append(struct queue_memory *memory, struct queue *queue, const struct iovec *parts,
		  unsigned count, bool copy)
{
	if (count == 1 && !copy && append_single(memory, queue, parts))
		return true;
	if (!queue->is_single && append_short(memory, queue, parts, count))
		return true;
	if (!has_space(memory, queue->bytes, parts, count) ||
	    (queue->is_single && !make_list(memory, queue)))
		return false;
	for (unsigned i = 0; i < count; i++) {
		const struct iovec *part = &parts[i];
		bool small = part->iov_len <= min_size(QUEUE_COPY_BYTES_MAX, tail_space(queue));

		if (part->iov_len == 0)
			continue;
		if (copy || small || !append_lease(memory, queue, part))
			append_copy(memory, queue, part);
	}
	return true;
}

unsigned queue_gather(const struct queue *queue, struct iovec *pieces, unsigned max)
{
	unsigned count = 0;

	if (queue->is_single && max > 0) {
		*pieces = (struct iovec){ queue->only.data, queue->only.bytes };
		return 1;
	}
	for (const struct chunk *one = queue->head; one && count < max; one = one->next)
		pieces[count++] = (struct iovec){ one->extent.data, one->extent.bytes };
	return count;
}

static void drop_head(struct queue_memory *memory, struct queue *queue)
{
	struct chunk *head = queue->head;

	queue->head = head->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->chunks--;
	queue->bytes -= head->extent.bytes;
	if (head->extent.pool == QUEUE_OWN) {
		slab_give(&memory->blocks, head);
		return;
	}
	buffers_release(memory->pools[head->extent.pool], head->extent.buffer);
	slab_give(&memory->leases, head);
}

static void drop_first(struct queue_memory *memory, struct queue *queue)
{
	if (!queue->is_single) {
		drop_head(memory, queue);
		return;
	}
	buffers_release(memory->pools[queue->only.pool], queue->only.buffer);
	*queue = (struct queue){ 0 };
}

void queue_advance(struct queue_memory *memory, struct queue *queue, size_t bytes)
{
	struct extent *first;

	CHECK(bytes <= queue->bytes);
	while (bytes > 0 && bytes >= queue_first(queue)->bytes) {
		bytes -= queue_first(queue)->bytes;
		drop_first(memory, queue);
	}
	if (bytes == 0)
		return;
	first = queue->is_single ? &queue->only : &queue->head->extent;
	first->data += bytes;
	first->bytes -= (uint32_t)bytes;
	queue->bytes -= (uint32_t)bytes;
}

static bool own_single(struct queue_memory *memory, struct queue *queue)
{
	const struct extent only = queue->only;
	const struct iovec part = { only.data, only.bytes };
	bool copied;

	*queue = (struct queue){ 0 };
	copied = queue_append(memory, queue, &part, 1, true);
	buffers_release(memory->pools[only.pool], only.buffer);
	return copied;
}

bool queue_own(struct queue_memory *memory, struct queue *queue)
{
	const uint32_t all = queue->bytes;
	struct queue from = *queue;

	if (queue->is_single)
		return own_single(memory, queue);
	*queue = (struct queue){ 0 };
	while (from.head) {
		struct chunk *one = from.head;
		struct iovec part = { one->extent.data, one->extent.bytes };

		if (one->extent.pool == QUEUE_OWN) {
			from.head = one->next;
			from.chunks--;
			link_chunk(queue, one);
			queue->bytes += one->extent.bytes;
			continue;
		}
		if (!has_space(memory, all - one->extent.bytes, &part, 1)) {
			queue_clear(memory, &from);
			return false;
		}
		append_copy(memory, queue, &part);
		drop_head(memory, &from);
	}
	return true;
}

void queue_clear(struct queue_memory *memory, struct queue *queue)
{
	while (queue->chunks > 0)
		drop_first(memory, queue);
}
