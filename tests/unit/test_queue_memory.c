/* SPDX-License-Identifier: MIT */
/* Queues and the memory that they share: how it comes back, and what happens when it runs out. */
#include "lib/random.h"
#include "unit/queues.h"

/* After owning, the leases have ended and the bytes are the same. */
static void own(void **state)
{
	uint16_t first = fake_receive(&buffers[0]), second = fake_receive(&buffers[1]);
	uint8_t expected[3 * 700 - 50];

	(void)state;
	memcpy(expected, buffers_data(&buffers[0], first) + 50, 650);
	memcpy(expected + 650, plain, 700);
	memcpy(expected + 1350, buffers_data(&buffers[1], second), 700);
	assert_true(append(buffers_data(&buffers[0], first), 700));
	queue_advance(&memory, &queue, 50);
	assert_true(append(plain, 700));
	assert_true(append(buffers_data(&buffers[1], second), 700));
	buffers_release(&buffers[0], first);
	buffers_release(&buffers[1], second);
	memory.copied_bytes = 0;

	assert_true(queue_own(&memory, &queue));
	assert_bytes(expected, sizeof(expected));
	assert_int_equal(buffers[0].held + buffers[1].held, 0);
	assert_int_equal(memory.leases.used, 0);
	assert_int_equal(memory.copied_bytes, 650 + 700);
	assert_true(queue_own(&memory, &queue));
	assert_int_equal(memory.copied_bytes, 650 + 700);
	assert_bytes(expected, sizeof(expected));
	assert_true(append(plain, 10));
	queue_advance(&memory, &queue, sizeof(expected));
	assert_bytes(plain, 10);
}

/* Owning without memory fails, and still every lease ends and every block comes back. */
static void own_without_memory(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	struct queue other = { 0 };
	const struct iovec filler = { plain, (BLOCKS - 2) * QUEUE_BLOCK_PAYLOAD - 1 };

	(void)state;
	assert_true(queue_append(&memory, &other, &filler, 1, false));
	assert_true(append(buffers_data(&buffers[0], id), 3000));
	assert_true(append(buffers_data(&buffers[0], id) + 4000, 3000));
	buffers_release(&buffers[0], id);
	assert_false(queue_own(&memory, &queue));
	queue_clear(&memory, &queue);
	assert_int_equal(buffers[0].held, 0);
	queue_clear(&memory, &other);
	assert_int_equal(memory.blocks.used + memory.leases.used, 0);
}

/* Clearing gives all back. */
static void clear(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);

	(void)state;
	assert_true(append(plain, 2 * QUEUE_BLOCK_PAYLOAD));
	assert_true(append(buffers_data(&buffers[0], id), 3000));
	assert_true(append(plain, 300));
	queue_advance(&memory, &queue, 5);
	buffers_release(&buffers[0], id);
	queue_clear(&memory, &queue);
	assert_int_equal(queue.bytes, 0);
	assert_null(queue.head);
	assert_int_equal(memory.blocks.used + memory.leases.used, 0);
	assert_int_equal(buffers[0].held, 0);
}

/* What does not fit is refused as a whole: nothing of any part is appended. */
static void blocks_run_out(void **state)
{
	const struct iovec parts[] = { { plain, 10 }, { plain, 2 * QUEUE_BLOCK_PAYLOAD } };

	(void)state;
	assert_false(append(plain, (BLOCKS + 1) * QUEUE_BLOCK_PAYLOAD));
	assert_bytes(plain, 0);
	assert_int_equal(memory.blocks.used, 0);
	assert_true(append(plain, (BLOCKS - 2) * QUEUE_BLOCK_PAYLOAD));
	assert_false(queue_append(&memory, &queue, parts, 2, false));
	assert_bytes(plain, (BLOCKS - 2) * QUEUE_BLOCK_PAYLOAD);
	assert_int_equal(memory.copied_bytes, (BLOCKS - 2) * QUEUE_BLOCK_PAYLOAD);
	/* It becomes possible when memory comes back. */
	queue_advance(&memory, &queue, 3 * QUEUE_BLOCK_PAYLOAD);
	assert_true(queue_append(&memory, &queue, parts, 2, false));
}

/* The reserve, here the last block, is only for a queue that is in one block. */
static void reserve(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	struct queue other = { 0 };
	const struct iovec part = { plain, QUEUE_BLOCK_PAYLOAD - 1 }, byte = { plain, 1 };

	(void)state;
	assert_true(append(buffers_data(&buffers[0], id), QUEUE_BLOCK_BYTES + 1));
	memory.input_bytes = (BLOCKS - 1) * QUEUE_BLOCK_BYTES;
	assert_false(append(plain, 1));
	assert_false(queue_own(&memory, &queue));
	assert_int_equal(queue.bytes, 0);
	assert_true(queue_append(&memory, &other, &part, 1, true));
	assert_int_equal(queue_memory_used(&memory), BLOCKS);
	/* What fits into the block takes no more memory. */
	assert_true(queue_append(&memory, &other, &byte, 1, true));
	assert_false(queue_append(&memory, &other, &byte, 1, true));
	queue_clear(&memory, &other);
	buffers_release(&buffers[0], id);
	memory.input_bytes = 0;
}

/* When the chunks that refer to buffers run out, what is left is copied, in the same order. */
static void leases_run_out(void **state)
{
	uint16_t id = fake_receive(&buffers[0]);
	uint8_t *data = buffers_data(&buffers[0], id);
	const struct iovec parts[] = { { data, 1 }, { data + 2, 1 } };

	(void)state;
	for (unsigned i = 0; i < BLOCKS - 1; i++)
		assert_true(append(data + 2 * i, 1));
	assert_int_equal(memory.copied_bytes, 0);
	assert_true(queue_append(&memory, &queue, parts, 2, false));
	assert_int_equal(queue.bytes, BLOCKS + 1);
	assert_int_equal(buffers[0].leases[id], 1 + BLOCKS);
	assert_int_equal(memory.leases.used, BLOCKS);
	assert_int_equal(memory.copied_bytes, 1);
	assert_int_equal(queue.tail->extent.data[0], data[2]);
	buffers_release(&buffers[0], id);
}

/* ---- A model ---- */

enum { QUEUES = 3, BYTES_MAX = BLOCKS * QUEUE_BLOCK_BYTES + 8 * BUFFER_BYTES, HELD_MAX = 3 };

/* Queues beside arrays of the bytes that must be in them, and the buffers that the test holds. */
struct model {
	struct queue queues[QUEUES];
	uint8_t bytes[QUEUES][BYTES_MAX];
	size_t count[QUEUES];
	struct {
		unsigned pool;
		uint16_t id;
	} held[HELD_MAX];
	unsigned held_count;
	uint64_t seed;
	unsigned refused;
};

static size_t below(struct model *model, size_t limit)
{
	return (size_t)random_below(&model->seed, limit);
}

static void model_lease(struct model *model)
{
	unsigned pool = (unsigned)below(model, QUEUE_POOLS);
	uint16_t id;

	if (model->held_count == HELD_MAX || buffers_free(&buffers[pool]) == 0)
		return;
	id = fake_receive(&buffers[pool]);
	/* As the kernel would, it overwrites a buffer that was given back. */
	for (size_t i = 0; i < BUFFER_BYTES; i++)
		buffers_data(&buffers[pool], id)[i] = (uint8_t)random_next(&model->seed);
	model->held[model->held_count].pool = pool;
	model->held[model->held_count++].id = id;
}

static void model_release(struct model *model)
{
	unsigned pick;

	if (model->held_count == 0)
		return;
	pick = (unsigned)below(model, model->held_count);
	buffers_release(&buffers[model->held[pick].pool], model->held[pick].id);
	model->held[pick] = model->held[--model->held_count];
}

/* A piece of a buffer that the test holds, or of the plain bytes; short or long. */
static struct iovec model_part(struct model *model)
{
	size_t limit = below(model, 2) ? 300 : BUFFER_BYTES, bytes = below(model, limit);
	size_t from = below(model, BUFFER_BYTES - bytes);
	unsigned pick = (unsigned)below(model, HELD_MAX + 1);

	if (pick >= model->held_count)
		return (struct iovec){ plain + from, bytes };
	return (struct iovec){
		buffers_data(&buffers[model->held[pick].pool], model->held[pick].id) + from, bytes
	};
}

static void model_append(struct model *model, unsigned to)
{
	struct iovec parts[3];
	unsigned count = 1 + (unsigned)below(model, COUNT(parts));

	for (unsigned i = 0; i < count; i++)
		parts[i] = model_part(model);
	if (!queue_append(&memory, &model->queues[to], parts, count, below(model, 4) == 0)) {
		model->refused++;
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		assert_in_range(model->count[to] + parts[i].iov_len, 0, BYTES_MAX);
		memcpy(model->bytes[to] + model->count[to], parts[i].iov_base, parts[i].iov_len);
		model->count[to] += parts[i].iov_len;
	}
}

static void model_advance(struct model *model, unsigned from)
{
	size_t bytes = below(model, model->count[from] + 1);

	queue_advance(&memory, &model->queues[from], bytes);
	model->count[from] -= bytes;
	memmove(model->bytes[from], model->bytes[from] + bytes, model->count[from]);
}

static void model_step(struct model *model)
{
	unsigned pick = (unsigned)below(model, QUEUES);

	switch (below(model, 16)) {
	case 0:
	case 1:
		model_lease(model);
		break;
	case 2:
	case 3:
		model_release(model);
		break;
	case 4:
		/* Half of it may be gone if it fails; its owner gives up the rest too. */
		if (queue_own(&memory, &model->queues[pick]))
			break;
		/* fall through */
	case 5:
		queue_clear(&memory, &model->queues[pick]);
		model->count[pick] = 0;
		break;
	case 6:
	case 7:
	case 8:
		model_advance(model, pick);
		break;
	default:
		model_append(model, pick);
	}
	queue = model->queues[pick];
	assert_bytes(model->bytes[pick], model->count[pick]);
}

/* Random work on several queues that share everything; all bytes are compared after each step. */
static void random_model(void **state)
{
	static struct model model;

	(void)state;
	model = (struct model){ .seed = 5 };
	for (int step = 0; step < 20000; step++)
		model_step(&model);
	/* It has been at the limits, and not only there. */
	assert_in_range(model.refused, 100, 10000);
	queue = (struct queue){ 0 };
	for (unsigned i = 0; i < QUEUES; i++)
		queue_clear(&memory, &model.queues[i]);
	while (model.held_count > 0)
		model_release(&model);
	assert_int_equal(memory.blocks.used + memory.leases.used, 0);
	assert_int_equal(buffers[0].held + buffers[1].held, 0);
}

/* Unfinished messages take the place of blocks: both are within one limit. */
static void beside_unfinished_messages(void **state)
{
	(void)state;
	memory.input_bytes = (BLOCKS - 2) * QUEUE_BLOCK_BYTES - 1;
	assert_int_equal(queue_memory_used(&memory), BLOCKS - 2);
	assert_false(append(plain, 2 * QUEUE_BLOCK_PAYLOAD + 1));
	assert_true(append(plain, QUEUE_BLOCK_PAYLOAD));
	assert_int_equal(queue_memory_used(&memory), BLOCKS - 1);
	memory.input_bytes = 0;
	queue_clear(&memory, &queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(own),
		TEST(own_without_memory),
		TEST(clear),
		TEST(blocks_run_out),
		TEST(reserve),
		TEST(leases_run_out),
		TEST(beside_unfinished_messages),
		TEST(random_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
