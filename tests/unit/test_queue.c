/* SPDX-License-Identifier: MIT */
/* Queues of bytes: what is copied, what is referred to, and in which pieces it comes out again. */
#include "lib/aborts.h"
#include "unit/queues.h"

/* Bytes from anywhere are copied: the original may change afterwards. */
static void copies(void **state)
{
	char text[] = "hello";

	(void)state;
	assert_true(append(text, 5));
	memset(text, 'x', 5);
	assert_bytes("hello", 5);
	assert_int_equal(memory.copied_bytes, 5);
	assert_int_equal(memory.blocks.used, 1);
}

/* Copied bytes fill the last block before they take another one. */
static void copies_share_blocks(void **state)
{
	(void)state;
	for (size_t at = 0; at < QUEUE_BLOCK_PAYLOAD; at += 8)
		assert_true(append(plain + at, 8));
	assert_int_equal(queue.chunks, 1);
	assert_true(append(plain + QUEUE_BLOCK_PAYLOAD, 1));
	assert_int_equal(queue.chunks, 2);
	assert_true(append(plain + QUEUE_BLOCK_PAYLOAD + 1, 2 * QUEUE_BLOCK_PAYLOAD));
	assert_int_equal(memory.blocks.used, 4);
	assert_bytes(plain, 3 * QUEUE_BLOCK_PAYLOAD + 1);
}

/* Bytes inside a leased buffer stay there, of either pool; the queue adds a lease of its own. */
static void references(void **state)
{
	(void)state;
	for (unsigned pool = 0; pool < QUEUE_POOLS; pool++) {
		uint16_t id = fake_receive(&buffers[pool]);
		uint8_t *data = buffers_data(&buffers[pool], id) + 100;
		struct iovec piece;

		assert_true(append(data, 1000));
		buffers_release(&buffers[pool], id);
		assert_int_equal(buffers[pool].held, 1);
		assert_int_equal(queue_gather(&queue, &piece, 1), 1);
		assert_ptr_equal(piece.iov_base, data);
		assert_bytes(data, 1000);
		queue_advance(&memory, &queue, 1000);
		assert_int_equal(buffers[pool].held, 0);
	}
	assert_int_equal(memory.copied_bytes, 0);
	assert_int_equal(memory.blocks.used, 0);
}

/* Bytes of a buffer that is with the kernel, or that reach beyond a leased one, are copied. */
static void no_references(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);

	(void)state;
	assert_true(append(data + BUFFER_BYTES - 10, 20));
	assert_true(append(data + BUFFER_BYTES + 10, 300));
	assert_int_equal(memory.copied_bytes, 320);
	buffers_release(&buffers[0], id);
	assert_int_equal(buffers[0].held, 0);
	assert_bytes(data + BUFFER_BYTES - 10, 320);
}

/* References to bytes that touch become one; others, and those of another buffer, do not. */
static void references_merge(void **state)
{
	uint16_t id = fake_receive(&buffers[0]), next = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);

	(void)state;
	assert_int_equal(next, id + 1);
	assert_true(append(data, 300));
	assert_true(append(data + 300, 700));
	assert_int_equal(queue.chunks, 1);
	assert_int_equal(buffers[0].leases[id], 2);
	assert_true(append(data + 1001, 300));
	assert_int_equal(queue.chunks, 2);
	assert_true(append(data + 1000, 300));
	assert_int_equal(queue.chunks, 3);
	queue_clear(&memory, &queue);

	/* The end of one buffer touches the next one, which is another lease all the same. */
	assert_true(append(data + BUFFER_BYTES - 300, 300));
	assert_true(append(data + BUFFER_BYTES, 300));
	assert_int_equal(queue.chunks, 2);
	assert_bytes(data + BUFFER_BYTES - 300, 600);
	queue_clear(&memory, &queue);
	assert_int_equal(memory.copied_bytes, 0);
	buffers_release(&buffers[0], id);
	buffers_release(&buffers[0], next);
}

/* The only reference takes no memory, so there is always space for it; another one takes some. */
static void single_reference(void **state)
{
	uint16_t id = fake_receive(&buffers[0]), next = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);

	(void)state;
	memory.input_bytes = BLOCKS * QUEUE_BLOCK_BYTES;
	assert_true(append(data, 500));
	assert_true(append(data + 500, 500));
	assert_false(append(buffers_data(&buffers[0], next), 500));
	assert_int_equal(memory.leases.used, 0);
	assert_bytes(data, 1000);
	memory.input_bytes = 0;
	queue_advance(&memory, &queue, 400);
	assert_true(append(data + BUFFER_BYTES, 500));
	assert_int_equal(memory.leases.used, 2);
	queue_advance(&memory, &queue, 600);
	assert_bytes(data + BUFFER_BYTES, 500);
	buffers_release(&buffers[0], id);
	buffers_release(&buffers[0], next);
	assert_int_equal(buffers[0].held, 1);
}

/* Behind copied bytes a small part is copied though it is leased; a larger one is not. */
static void small_parts_are_copied(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);

	(void)state;
	memcpy(plain, data, 2000);
	assert_true(append(plain, 10));
	assert_true(append(data + 10, QUEUE_COPY_BYTES_MAX));
	assert_int_equal(memory.copied_bytes, 10 + QUEUE_COPY_BYTES_MAX);
	assert_int_equal(queue.chunks, 1);
	assert_true(append(data + 10 + QUEUE_COPY_BYTES_MAX, QUEUE_COPY_BYTES_MAX + 1));
	assert_int_equal(memory.copied_bytes, 10 + QUEUE_COPY_BYTES_MAX);
	assert_int_equal(queue.chunks, 2);
	/* Nor is one behind a reference, or as the first. */
	assert_true(append(data + 11 + 2 * QUEUE_COPY_BYTES_MAX, 1));
	assert_int_equal(queue.chunks, 2);
	assert_int_equal(memory.copied_bytes, 10 + QUEUE_COPY_BYTES_MAX);
	assert_bytes(data, 12 + 2 * QUEUE_COPY_BYTES_MAX);
	queue_clear(&memory, &queue);
	assert_true(append(data, 1));
	assert_int_equal(memory.copied_bytes, 10 + QUEUE_COPY_BYTES_MAX);
	buffers_release(&buffers[0], id);
}

/* Asked to copy, it copies leased bytes too. */
static void copy_when_asked(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);
	const struct iovec parts[] = { { data, 1000 }, { data + 1000, 1 } };

	(void)state;
	assert_true(queue_append(&memory, &queue, parts, 2, true));
	buffers_release(&buffers[0], id);
	assert_int_equal(buffers[0].held, 0);
	assert_int_equal(memory.copied_bytes, 1001);
	assert_bytes(data, 1001);
}

/* Parts keep their order, and empty ones leave no trace. */
static void parts(void **state)
{
	uint16_t id = fake_receive(&buffers[1]);
	uint8_t *data = buffers_data(&buffers[1], id);
	const struct iovec parts[] = {
		{ plain, 0 }, { plain, 3 }, { data, 500 }, { data, 0 }, { plain + 3, 4 },
	};
	uint8_t expected[507];

	(void)state;
	assert_true(queue_append(&memory, &queue, parts, COUNT(parts), false));
	memcpy(expected, plain, 3);
	memcpy(expected + 3, data, 500);
	memcpy(expected + 503, plain + 3, 4);
	assert_bytes(expected, 507);
	assert_int_equal(queue.chunks, 3);
	queue_clear(&memory, &queue);
	assert_true(queue_append(&memory, &queue, NULL, 0, false));
	assert_true(append(plain, 0));
	assert_int_equal(queue.chunks, 0);
	buffers_release(&buffers[1], id);
}

/* A gather describes as many pieces as fit, the first ones. */
static void gather_limits(void **state)
{
	struct iovec pieces[4] = { 0 };

	(void)state;
	assert_int_equal(queue_gather(&queue, pieces, 4), 0);
	assert_true(append(plain, 3 * QUEUE_BLOCK_PAYLOAD));
	assert_int_equal(queue_gather(&queue, pieces, 0), 0);
	assert_int_equal(queue_gather(&queue, pieces, 2), 2);
	assert_null(pieces[2].iov_base);
	assert_int_equal(queue_gather(&queue, pieces, 3), 3);
	assert_int_equal(queue_gather(&queue, pieces, 4), 3);
	assert_memory_equal(pieces[2].iov_base, plain + 2 * QUEUE_BLOCK_PAYLOAD,
			    QUEUE_BLOCK_PAYLOAD);
}

/* Bytes are dropped inside a chunk, up to its end, and over several, by all numbers of bytes. */
static void advance(void **state)
{
	const size_t total = 2 * QUEUE_BLOCK_PAYLOAD + 100;

	(void)state;
	for (size_t step = 1; step <= total; step += step < 8 ? 1 : 613) {
		size_t gone = 0;

		assert_true(append(plain, total));
		for (; gone + step <= total; gone += step) {
			assert_bytes(plain + gone, total - gone);
			queue_advance(&memory, &queue, step);
		}
		assert_bytes(plain + gone, total - gone);
		queue_advance(&memory, &queue, total - gone);
		assert_int_equal(memory.blocks.used, 0);
		assert_null(queue.head);
		assert_null(queue.tail);
	}
}

static void advance_too_far(void *unused)
{
	(void)unused;
	append(plain, 10);
	queue_advance(&memory, &queue, 11);
}

static void checks(void **state)
{
	(void)state;
	assert_true(aborts(advance_too_far, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies),
		TEST(copies_share_blocks),
		TEST(references),
		TEST(no_references),
		TEST(references_merge),
		TEST(single_reference),
		TEST(small_parts_are_copied),
		TEST(copy_when_asked),
		TEST(parts),
		TEST(gather_limits),
		TEST(advance),
		TEST(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
