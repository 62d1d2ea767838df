/* SPDX-License-Identifier: MIT */
/*
 * Memory that a crowd has left: what was unused for long is given back, in steps, and nothing else.
 * Given back memory is zero when it is next touched.
 */
#include <string.h>

#include "client/trim.h"
#include "unit/fake_ring.h"

#define MS_NS 1000000ull
#define BLOCKS 5000
#define BUFFERS 512

static struct hub hub;
static struct trim trim;
static uint8_t *blocks[BLOCKS];

static int set_up(void **state)
{
	(void)state;
	hub = (struct hub){ .now_ns = 1000 };
	rollcall_options_defaults(&hub.options);
	hub.options.tcp_clients_max = hub.options.udp_clients_max = 1;
	if (hub_init(&hub) || hub_open_ring(&hub, 2))
		return -1;
	return trim_init(&trim, &hub);
}

static int tear_down(void **state)
{
	(void)state;
	hub_close_ring(&hub);
	hub_destroy(&hub);
	return 0;
}

static void turn(uint64_t ms, bool is_quiet)
{
	hub.now_ns += ms * MS_NS;
	trim_check(&trim, is_quiet);
	timers_run(&hub.timeouts, hub.now_ns);
}

static void take_blocks(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		blocks[i] = slab_take(&hub.memory.blocks);
		memset(blocks[i], 0xbb, QUEUE_BLOCK_BYTES);
	}
}

static void give_blocks(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		slab_give(&hub.memory.blocks, blocks[i]);
}

/* Blocks go in the order in which they were returned; the latest are kept as they are. */
static void blocks_in_steps(void **state)
{
	(void)state;
	take_blocks(BLOCKS);
	turn(0, true);
	assert_false(timer_is_set(&trim.timer));
	give_blocks(BLOCKS);
	turn(0, true);
	turn(TRIM_WAIT_MS - 1, true);
	assert_int_equal(slab_idle(&hub.memory.blocks), BLOCKS);
	turn(1, true);
	for (unsigned left = BLOCKS - TRIM_STEP;; left -= TRIM_STEP) {
		if (left < TRIM_BLOCKS_KEPT)
			left = TRIM_BLOCKS_KEPT;
		assert_int_equal(slab_idle(&hub.memory.blocks), left);
		if (left == TRIM_BLOCKS_KEPT)
			break;
		turn(TRIM_STEP_MS, true);
	}
	turn(TRIM_STEP_MS, true);
	assert_false(timer_is_set(&trim.timer));
	for (unsigned i = BLOCKS; i-- > 0;) {
		uint8_t *block = slab_take(&hub.memory.blocks);

		assert_ptr_equal(block, blocks[i]);
		assert_int_equal(block[QUEUE_BLOCK_BYTES - 1],
				 i < BLOCKS - TRIM_BLOCKS_KEPT ? 0 : 0xbb);
	}
	give_blocks(BLOCKS);
}

/* Few blocks, however often they are taken, stay. */
static void few_blocks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		take_blocks(TRIM_BLOCKS_KEPT);
		give_blocks(TRIM_BLOCKS_KEPT);
		turn(TRIM_WAIT_MS, true);
		assert_false(timer_is_set(&trim.timer));
	}
}

static void fill_buffers(void)
{
	struct buffers *buffers = &hub.buffers[BUFFERS_TCP];
	uint16_t ids[BUFFERS];

	while (buffers->count < BUFFERS)
		buffers_grow(buffers);
	for (unsigned i = 0; i < BUFFERS; i++) {
		ids[i] = fake_receive(buffers);
		memset(buffers_data(buffers, ids[i]), 0xbb, buffers->buffer_bytes);
	}
	for (unsigned i = 0; i < BUFFERS; i++)
		buffers_release(buffers, ids[i]);
}

static unsigned count_filled(void)
{
	const struct buffers *buffers = &hub.buffers[BUFFERS_TCP];
	unsigned count = 0;

	for (uint16_t id = 0; id < BUFFERS; id++)
		count += buffers_data(buffers, id)[buffers->buffer_bytes - 1] == 0xbb;
	assert_int_equal(count, buffers->filled_count);
	return count;
}

/* Buffers go when no completion can have one that is not handled, and few were used meanwhile. */
static void buffers_when_quiet(void **state)
{
	(void)state;
	fill_buffers();
	turn(0, true);
	turn(TRIM_WAIT_MS, false);
	assert_int_equal(count_filled(), BUFFERS);
	turn(0, true);
	fill_buffers();
	turn(TRIM_WAIT_MS, true);
	assert_int_equal(count_filled(), BUFFERS);
	turn(0, true);
	turn(TRIM_WAIT_MS, true);
	assert_int_equal(count_filled(), TRIM_BUFFERS_KEPT);
	turn(TRIM_STEP_MS, true);
	turn(TRIM_WAIT_MS, true);
	assert_false(timer_is_set(&trim.timer));
}

/* A buffer whose bytes are still in use is not touched. */
static void leased_buffers(void **state)
{
	struct buffers *buffers = &hub.buffers[BUFFERS_TCP];
	uint16_t leased;

	(void)state;
	fill_buffers();
	do {
		leased = fake_receive(buffers);
		buffers_hold(buffers, leased);
		buffers_release(buffers, leased);
		if (leased < BUFFERS - 1)
			buffers_release(buffers, leased);
	} while (leased < BUFFERS - 1);
	turn(0, true);
	turn(TRIM_WAIT_MS, true);
	turn(0, true);
	turn(TRIM_WAIT_MS, true);
	assert_int_equal(buffers_data(buffers, leased)[0], 0xbb);
	assert_int_equal(count_filled(), TRIM_BUFFERS_KEPT);
	buffers_release(buffers, leased);
}

/* malloc(3) is asked once for what a crowd of unfinished messages has left. */
static void messages(void **state)
{
	(void)state;
	hub.memory.input_bytes = TRIM_INPUT_BYTES;
	turn(0, true);
	assert_false(timer_is_set(&trim.timer));
	hub.memory.input_bytes = 0;
	turn(0, true);
	assert_true(timer_is_set(&trim.timer));
	turn(TRIM_WAIT_MS, true);
	assert_int_equal(trim.input_peak_bytes, 0);
	turn(TRIM_STEP_MS, true);
	turn(TRIM_STEP_MS, true);
	assert_false(timer_is_set(&trim.timer));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(blocks_in_steps), TEST(few_blocks), TEST(buffers_when_quiet),
		TEST(leased_buffers),  TEST(messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
