/* SPDX-License-Identifier: MIT */
/* The set of numbers: what is in it, and which member comes next, near and far. */
#include "lib/test.h"

#include <stdbool.h>

#include "base/bitset.h"
#include "lib/random.h"

#define LARGEST ((uint32_t)1 << 25)

static struct bitset set;

static int tear_down(void **state)
{
	(void)state;
	bitset_destroy(&set);
	return 0;
}

static void init(uint32_t limit)
{
	assert_int_equal(bitset_init(&set, limit), 0);
}

/* Nothing is in it at first, wherever one looks; a set for one number works like a large one. */
static void empty(void **state)
{
	static const uint32_t limits[] = { 1,	    2,	    63, 64, 65, 4095, 4096, (1 << 18) - 1,
					   1 << 18, LARGEST };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		const uint32_t limit = limits[i], last = limit - 1;

		init(limit);
		assert_int_equal(bitset_next(&set, 0), BITSET_NONE);
		assert_int_equal(bitset_next(&set, last), BITSET_NONE);
		assert_int_equal(bitset_next(&set, limit), BITSET_NONE);
		bitset_add(&set, last);
		assert_int_equal(bitset_next(&set, 0), last);
		assert_int_equal(bitset_next(&set, last), last);
		assert_int_equal(bitset_next(&set, limit), BITSET_NONE);
		bitset_add(&set, 0);
		assert_int_equal(bitset_next(&set, 0), 0);
		assert_int_equal(bitset_next(&set, 1), last ? last : BITSET_NONE);
		bitset_remove(&set, last);
		bitset_remove(&set, 0);
		assert_int_equal(bitset_next(&set, 0), BITSET_NONE);
		bitset_destroy(&set);
	}
	init(1);
}

/* Members on both sides of every border between words, of each level, are found in order. */
static void borders(void **state)
{
	(void)state;
	init(LARGEST);
	for (uint32_t border = 64; 3 * border < LARGEST; border *= 64) {
		bitset_add(&set, border - 1);
		bitset_add(&set, border);
		bitset_add(&set, 3 * border - 1);
		bitset_add(&set, 3 * border);
	}
	for (uint32_t border = 64; 3 * border < LARGEST; border *= 64) {
		assert_int_equal(bitset_next(&set, border - 1), border - 1);
		assert_int_equal(bitset_next(&set, border), border);
		assert_int_equal(bitset_next(&set, border + 1), 3 * border - 1);
		assert_int_equal(bitset_next(&set, 3 * border), 3 * border);
		bitset_remove(&set, border);
		assert_int_equal(bitset_next(&set, border), 3 * border - 1);
	}
}

static uint32_t next_of_model(const bool *here, uint32_t limit, uint32_t from)
{
	while (from < limit && !here[from])
		from++;
	return from < limit ? from : BITSET_NONE;
}

/* Random numbers come and go, many and few of them; each look for the next one is as a model's. */
static void random_model(void **state)
{
	enum { LIMIT = 5000, STEPS = 20000 };
	static bool here[LIMIT];
	uint64_t seed = 5;

	(void)state;
	init(LIMIT);
	for (unsigned step = 0; step < STEPS; step++) {
		const uint32_t number = (uint32_t)random_below(&seed, LIMIT);
		const uint32_t from = (uint32_t)random_below(&seed, LIMIT + 1);
		const bool add = random_below(&seed, 8) < (step / 4000 % 2 ? 1 : 7);

		if (add)
			bitset_add(&set, number);
		else
			bitset_remove(&set, number);
		here[number] = add;
		assert_int_equal(bitset_next(&set, from), next_of_model(here, LIMIT, from));
	}
}

#define TEST(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(empty), TEST(borders), TEST(random_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
