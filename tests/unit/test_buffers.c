/* SPDX-License-Identifier: MIT */
/* Receive buffers as counted leases: which are held, and when they go back. */
#include <errno.h>

#include "lib/aborts.h"
#include "unit/fake_ring.h"

#define BYTES 512

static struct buffers buffers;

static int set_up(void **state)
{
	(void)state;
	return buffers_init(&buffers, NULL, 1, BYTES, 4, 16);
}

static int tear_down(void **state)
{
	(void)state;
	buffers_destroy(&buffers);
	return 0;
}

static unsigned with_kernel(void)
{
	return fake_groups[1].count;
}

/* At first the kernel has them all, in order; there are places for as many as can ever be. */
static void at_first(void **state)
{
	(void)state;
	assert_int_equal(fake_groups[1].entries, 16);
	assert_int_equal(with_kernel(), 4);
	assert_int_equal(buffers_free(&buffers), 4);
	for (uint16_t id = 0; id < 4; id++) {
		assert_int_equal(fake_receive(&buffers), id);
		assert_int_equal(buffers_free(&buffers), 3u - id);
	}
	for (uint16_t id = 0; id < 4; id++)
		buffers_release(&buffers, id);
}

/* Buffers lie apart, each with all its bytes. */
static void memory(void **state)
{
	(void)state;
	for (uint16_t id = 0; id < 4; id++) {
		uint8_t *data = buffers_data(&buffers, fake_receive(&buffers));

		for (size_t i = 0; i < BYTES; i++) {
			assert_int_equal(data[i], 0);
			data[i] = 0xff;
		}
	}
	for (uint16_t id = 0; id < 4; id++)
		buffers_release(&buffers, id);
}

/* The last of several leases gives the buffer back, and no earlier one. */
static void leases(void **state)
{
	uint16_t id = fake_receive(&buffers);

	(void)state;
	buffers_hold(&buffers, id);
	buffers_hold(&buffers, id);
	assert_int_equal(buffers.held, 1);
	buffers_release(&buffers, id);
	buffers_release(&buffers, id);
	assert_int_equal(with_kernel(), 3);
	assert_int_equal(buffers.held, 1);
	buffers_release(&buffers, id);
	assert_int_equal(with_kernel(), 4);
	assert_int_equal(buffers.held, 0);
	/* It stands behind the others now. */
	for (int i = 0; i < 3; i++)
		assert_int_not_equal(fake_receive(&buffers), id);
	assert_int_equal(fake_receive(&buffers), id);
	for (uint16_t i = 0; i < 4; i++)
		buffers_release(&buffers, i);
}

/* Bytes are found in a leased buffer only if all of them lie in it. */
static void find(void **state)
{
	const uint8_t *data = buffers_data(&buffers, 1);
	uint8_t elsewhere[BYTES];

	(void)state;
	assert_int_equal(buffers_find(&buffers, data, 1), -1);
	fake_receive(&buffers);
	fake_receive(&buffers);
	assert_int_equal(buffers_find(&buffers, data, BYTES), 1);
	assert_int_equal(buffers_find(&buffers, data, 1), 1);
	assert_int_equal(buffers_find(&buffers, data + BYTES - 1, 1), 1);
	assert_int_equal(buffers_find(&buffers, data - 1, 1), 0);
	/* Across two, or beyond the last one that is leased, or there is. */
	assert_int_equal(buffers_find(&buffers, data - 1, 2), -1);
	assert_int_equal(buffers_find(&buffers, data, BYTES + 1), -1);
	assert_int_equal(buffers_find(&buffers, data + BYTES, 1), -1);
	assert_int_equal(buffers_find(&buffers, buffers_data(&buffers, 4), 1), -1);
	assert_int_equal(buffers_find(&buffers, buffers_data(&buffers, 16), 1), -1);
	assert_int_equal(buffers_find(&buffers, buffers.memory - 1, 1), -1);
	assert_int_equal(buffers_find(&buffers, elsewhere, 1), -1);
	assert_int_equal(buffers_find(&buffers, NULL, 1), -1);
	assert_int_equal(buffers_find(&buffers, data, SIZE_MAX / 2), -1);
	buffers_release(&buffers, 1);
	assert_int_equal(buffers_find(&buffers, data, 1), -1);
	buffers_release(&buffers, 0);
}

/* Growing doubles the number until the limit; the new ones come behind the others. */
static void grow(void **state)
{
	static const uint32_t counts[] = { 8, 16 };

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		assert_true(buffers_grow(&buffers));
		assert_int_equal(buffers.count, counts[i]);
		assert_int_equal(with_kernel(), counts[i]);
	}
	assert_false(buffers_grow(&buffers));
	assert_int_equal(with_kernel(), 16);
	for (uint16_t id = 0; id < 16; id++)
		assert_int_equal(fake_receive(&buffers), id);
	for (uint16_t id = 0; id < 16; id++)
		buffers_release(&buffers, id);
}

/* Those that are too many go out of use as they are released, and come back with growth. */
static void shrink(void **state)
{
	(void)state;
	assert_true(buffers_grow(&buffers));
	for (uint16_t id = 0; id < 4; id++)
		assert_int_equal(fake_receive(&buffers), id);
	buffers_shrink(&buffers, 6);
	assert_int_equal(buffers.count, 8);
	for (uint16_t id = 0; id < 3; id++)
		buffers_release(&buffers, id);
	assert_int_equal(buffers.count, 6);
	assert_int_equal(buffers_free(&buffers), 5);
	assert_int_equal(with_kernel(), 5);
	/* To shrink to more than there are is nothing, and to grow is to shrink no more. */
	buffers_shrink(&buffers, 6);
	buffers_shrink(&buffers, 7);
	buffers_release(&buffers, 3);
	assert_int_equal(with_kernel(), 6);
	buffers_shrink(&buffers, 1);
	assert_true(buffers_grow(&buffers));
	assert_int_equal(buffers.count, 12);
	assert_int_equal(with_kernel(), 12);
	/* Behind those that the kernel had, the two that were out of use, and new ones. */
	for (uint16_t id = 4; id < 8; id++)
		assert_int_equal(fake_receive(&buffers), id);
	assert_int_equal(fake_receive(&buffers), 2);
	assert_int_equal(fake_receive(&buffers), 3);
	assert_int_equal(fake_receive(&buffers), 1);
	assert_int_equal(fake_receive(&buffers), 0);
	for (uint16_t id = 8; id < 12; id++)
		assert_int_equal(fake_receive(&buffers), id);
	for (uint16_t id = 0; id < 12; id++)
		buffers_release(&buffers, id);
	assert_int_equal(with_kernel(), 12);
}

/* The last step of growing is a smaller one where the limit is no multiple. */
static void grow_to_an_odd_limit(void **state)
{
	struct buffers odd;

	(void)state;
	assert_int_equal(buffers_init(&odd, NULL, 2, BYTES, 3, 8), 0);
	assert_true(buffers_grow(&odd));
	assert_int_equal(odd.count, 6);
	assert_true(buffers_grow(&odd));
	assert_int_equal(odd.count, 8);
	assert_false(buffers_grow(&odd));
	buffers_destroy(&odd);
}

static void registration_fails(void **state)
{
	struct buffers failed;

	(void)state;
	fake_register_error = -ENOMEM;
	assert_int_equal(buffers_init(&failed, NULL, 2, BYTES, 4, 8), -ENOMEM);
	fake_register_error = 0;
}

static void take_without_a_buffer(void *unused)
{
	(void)unused;
	buffers_take(&buffers, 0);
}

static void take_twice(void *unused)
{
	(void)unused;
	buffers_take(&buffers, IORING_CQE_F_BUFFER);
	buffers_take(&buffers, IORING_CQE_F_BUFFER);
}

static void take_beyond(void *unused)
{
	(void)unused;
	buffers_take(&buffers, IORING_CQE_F_BUFFER | 4u << IORING_CQE_BUFFER_SHIFT);
}

static void hold_what_the_kernel_has(void *unused)
{
	(void)unused;
	buffers_hold(&buffers, 0);
}

static void release_twice(void *unused)
{
	uint16_t id = fake_receive(&buffers);

	(void)unused;
	buffers_release(&buffers, id);
	buffers_release(&buffers, id);
}

static void destroy_while_held(void *unused)
{
	(void)unused;
	fake_receive(&buffers);
	buffers_destroy(&buffers);
}

static void checks(void **state)
{
	(void)state;
	assert_true(aborts(take_without_a_buffer, NULL));
	assert_true(aborts(take_twice, NULL));
	assert_true(aborts(take_beyond, NULL));
	assert_true(aborts(hold_what_the_kernel_has, NULL));
	assert_true(aborts(release_twice, NULL));
	assert_true(aborts(destroy_while_held, NULL));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(at_first),
		TEST(memory),
		TEST(leases),
		TEST(find),
		TEST(grow),
		TEST(shrink),
		TEST(grow_to_an_odd_limit),
		TEST(checks),
		TEST(registration_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
