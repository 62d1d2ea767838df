/* SPDX-License-Identifier: MIT */
/*
 * queues.h - a queue, two small pools of buffers, and memory for a few blocks. Like fake_ring.h it
 * is for exactly one file of a test.
 */
#ifndef UNIT_QUEUES_H
#define UNIT_QUEUES_H

#include <string.h>

#include "client/queue.h"
#include "unit/fake_ring.h"

#define BUFFER_BYTES 8192
#define BLOCKS 8

static struct queue_memory memory;
static struct buffers buffers[QUEUE_POOLS];
static struct queue queue;

/* Bytes of nobody's buffer, each different from its neighbours. */
static uint8_t plain[2 * BLOCKS * QUEUE_BLOCK_BYTES];

static int set_up(void **state)
{
	(void)state;
	for (uint16_t pool = 0; pool < QUEUE_POOLS; pool++) {
		if (buffers_init(&buffers[pool], NULL, pool, BUFFER_BYTES, 4, 4))
			return -1;
		for (size_t i = 0; i < 4 * BUFFER_BYTES; i++)
			buffers[pool].memory[i] = (uint8_t)(i * 13 + pool);
	}
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7 + i / 251);
	memory = (struct queue_memory){ .pools = { &buffers[0], &buffers[1] } };
	queue = (struct queue){ 0 };
	return queue_memory_init(&memory, BLOCKS * QUEUE_BLOCK_BYTES);
}

static int tear_down(void **state)
{
	(void)state;
	queue_clear(&memory, &queue);
	queue_memory_destroy(&memory);
	buffers_destroy(&buffers[0]);
	buffers_destroy(&buffers[1]);
	return 0;
}

static inline bool append(const void *data, size_t bytes)
{
	const struct iovec part = { (void *)data, bytes };

	return queue_append(&memory, &queue, &part, 1, false);
}

/* Checks all bytes of the queue, and that its own numbers are right. */
static inline void assert_bytes(const void *expected, size_t bytes)
{
	struct iovec pieces[4 * BLOCKS];
	unsigned count = queue_gather(&queue, pieces, COUNT(pieces));
	size_t seen = 0;

	assert_int_equal(queue.bytes, bytes);
	assert_int_equal(queue.chunks, count);
	for (unsigned i = 0; i < count; i++) {
		assert_in_range(pieces[i].iov_len, 1, bytes - seen);
		assert_memory_equal(pieces[i].iov_base, (const uint8_t *)expected + seen,
				    pieces[i].iov_len);
		seen += pieces[i].iov_len;
	}
	assert_int_equal(seen, bytes);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
