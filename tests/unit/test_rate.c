/* SPDX-License-Identifier: MIT */
/*
 * The limit of datagrams a second: exact while there are buckets enough, and when there are not,
 * never too high for anybody, against an exact count for each source that forgets nobody.
 */
#include "lib/test.h"

#include <string.h>

#include "lib/aborts.h"
#include "lib/random.h"
#include "udp/rate.h"

#define SECOND_NS 1000000000ull

static const uint8_t secret[SIPHASH_KEY_BYTES] = "not much of one";
static struct rate rate;

/* Any time, as long as it does not go back. */
static const uint64_t begin_ns = 1234567890123;

static void init(uint32_t per_second, uint32_t buckets)
{
	assert_int_equal(rate_init(&rate, per_second, buckets, secret), 0);
}

/* How many of `count` datagrams at one time are within the limit. */
static uint32_t allowed(uint64_t prefix, uint64_t now_ns, uint32_t count)
{
	uint32_t within = 0;

	while (count-- > 0)
		within += rate_allow(&rate, prefix, now_ns);
	return within;
}

/* One second's worth at once, then one each time that one has come back, no sooner. */
static void burst_and_refill(void **state)
{
	uint64_t now_ns = begin_ns;

	(void)state;
	init(10, 16);
	assert_int_equal(allowed(1, now_ns, 30), 10);
	for (int i = 0; i < 20; i++) {
		now_ns += SECOND_NS / 10;
		assert_int_equal(allowed(1, now_ns - 1, 3), 0);
		assert_int_equal(allowed(1, now_ns, 3), 1);
	}
	now_ns += SECOND_NS / 2;
	assert_int_equal(allowed(1, now_ns, 30), 5);
	/* However long nothing comes, there is never more than a second's worth. */
	now_ns += 1000 * SECOND_NS;
	assert_int_equal(allowed(1, now_ns, 30), 10);
	rate_destroy(&rate);
}

/* The burst may differ from the limit of a second. */
static void another_burst(void **state)
{
	(void)state;
	init(1, 16);
	rate_set_burst(&rate, 4);
	assert_int_equal(allowed(1, begin_ns, 30), 4);
	assert_int_equal(allowed(1, begin_ns + SECOND_NS - 1, 30), 0);
	assert_int_equal(allowed(1, begin_ns + SECOND_NS, 30), 1);
	assert_int_equal(allowed(1, begin_ns + 100 * SECOND_NS, 30), 4);
	rate_destroy(&rate);
}

/* Datagrams that are refused cost nothing: a source that exceeds the limit gets it, not less. */
static void too_much(void **state)
{
	uint32_t within = 0;

	(void)state;
	init(100, 16);
	for (uint64_t ms = 0; ms < 10000; ms++)
		within += allowed(1, begin_ns + ms * 1000000, 5);
	assert_int_equal(within, 100 + 999);
	rate_destroy(&rate);
}

/* At every limit: exactly one second's worth at once, then never more, and hardly less. */
static void every_limit(void **state)
{
	static const uint32_t limits[] = { 1,	 2,    3,     7,     10,     60,     999,
					   1000, 1001, 44100, 65537, 600000, 999999, 1000000 };

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		const uint64_t limit = limits[i], end_ns = begin_ns + 2 * SECOND_NS;
		uint64_t within = 0;

		init(limits[i], 4);
		assert_int_equal(allowed(1, begin_ns, limits[i] + 2), limit);
		for (uint64_t now_ns = begin_ns; now_ns <= end_ns; now_ns += SECOND_NS / 3 / limit)
			within += rate_allow(&rate, 1, now_ns);
		assert_in_range(within, 2 * limit - 1 - 2 * limit / 1000, 2 * limit);
		rate_destroy(&rate);
	}
}

/* What one source sends is not counted against another; the number 0, that of ::1, is one too. */
static void sources_apart(void **state)
{
	(void)state;
	init(5, 1024);
	for (uint64_t prefix = 0; prefix < 20; prefix++)
		assert_int_equal(allowed(prefix, begin_ns, 9), 5);
	for (uint64_t prefix = 0; prefix < 20; prefix++)
		assert_int_equal(allowed(prefix, begin_ns + SECOND_NS / 5, 9), 1);
	rate_destroy(&rate);
}

/* At the very begin of the clock nobody has sent anything yet. */
static void clock_at_zero(void **state)
{
	(void)state;
	init(5, 16);
	assert_int_equal(allowed(0, 0, 9), 5);
	assert_int_equal(allowed(1, 0, 9), 5);
	assert_int_equal(allowed(0, 0, 9), 0);
	rate_destroy(&rate);
}

/*
 * A source's exact bucket, counted down by what the table has let pass: it must always have had
 * that, and with buckets enough for all it refuses when the table does.
 */
struct exact {
	uint64_t left_ns; /* a datagram takes datagram_ns of it */
	uint64_t at_ns;
};

static void settle(struct exact *exact, uint64_t now_ns)
{
	exact->left_ns += now_ns - exact->at_ns;
	if (exact->left_ns > rate.bucket_ns)
		exact->left_ns = rate.bucket_ns;
	exact->at_ns = now_ns;
}

enum { SOURCES = 200, STEPS = 200000 };

/* Sends at random, some sources much more than others; returns how many only the table refused. */
static uint64_t against_exact(uint64_t seed, uint64_t gap_ns, uint64_t *refused)
{
	struct exact exact[SOURCES] = { 0 };
	uint64_t now_ns = begin_ns, strict = 0;

	for (int step = 0; step < STEPS; step++) {
		uint64_t pick = random_below(&seed, 1 + random_below(&seed, SOURCES));
		bool within, had;

		now_ns += random_below(&seed, gap_ns);
		settle(&exact[pick], now_ns);
		had = exact[pick].left_ns >= rate.datagram_ns;
		within = rate_allow(&rate, pick, now_ns);
		assert_true(had || !within);
		strict += had && !within;
		*refused += !had;
		exact[pick].left_ns -= within ? rate.datagram_ns : 0;
	}
	return strict;
}

/* As long as no set holds more sources than it has buckets, the limit is exact. */
static void exact_with_free_buckets(void **state)
{
	uint64_t refused = 0;

	(void)state;
	init(20, 1u << 16);
	assert_int_equal(against_exact(1, 500000, &refused), 0);
	assert_in_range(refused, 10000, STEPS);
	rate_destroy(&rate);
}

/* With fewer buckets than sources nobody ever gets more than the limit; some get less. */
static void never_too_much(void **state)
{
	uint64_t refused = 0;

	(void)state;
	for (uint32_t buckets = 1; buckets <= 128; buckets *= 2) {
		init(20, buckets);
		assert_in_range(against_exact(buckets, 500000, &refused), 1000, STEPS);
		rate_destroy(&rate);
	}
	assert_in_range(refused, 10000, 8 * STEPS);
}

/* With few buckets, but time enough for them to fill, no newcomer finds less than a full one. */
static void full_buckets_change_hands(void **state)
{
	uint64_t refused = 0;

	(void)state;
	init(2, 8);
	assert_int_equal(against_exact(3, 4 * SECOND_NS, &refused), 0);
	rate_destroy(&rate);
}

/*
 * A flood of a million sources that are never seen again, many more than there are buckets. One
 * that sends ten times too much still gets what the limit says; one that keeps below it, all that
 * it sends.
 */
static void flood(void **state)
{
	const uint64_t heavy = 1ull << 40, honest = 2ull << 40;
	uint32_t within[2] = { 0 }, honest_sent = 0, strangers = 0;

	(void)state;
	init(100, 1u << 14);
	for (uint64_t i = 0; i < 1000000; i++) {
		/* In ten seconds. */
		uint64_t now_ns = begin_ns + i * 10000;

		strangers += rate_allow(&rate, i, now_ns);
		if (i % 100 == 0)
			within[0] += rate_allow(&rate, heavy, now_ns);
		if (i % 2000 == 0) {
			within[1] += rate_allow(&rate, honest, now_ns);
			honest_sent++;
		}
	}
	assert_in_range(within[0], 1050, 1100);
	assert_int_equal(within[1], honest_sent);
	assert_int_equal(strangers, 1000000);
	rate_destroy(&rate);
}

/* The buckets asked for, rounded up to a power of two. */
static void sizes(void **state)
{
	static const uint32_t buckets[] = { 1, 4, 5, 8, 9, 127, 128, 129 };
	static const uint32_t sets[] = { 1, 1, 2, 2, 4, 32, 32, 64 };

	(void)state;
	for (size_t i = 0; i < COUNT(buckets); i++) {
		init(1, buckets[i]);
		assert_int_equal(rate.mask, sets[i] - 1);
		rate_destroy(&rate);
	}
}

/* However many sources there are, what passes in all is no more than the buckets hold. */
static void bounded_in_all(void **state)
{
	uint64_t within = 0;

	(void)state;
	init(10, 64);
	for (uint64_t i = 0; i < 1000000; i++)
		within += rate_allow(&rate, i, begin_ns + i * 2000);
	assert_in_range(within, 64 * 10 * 5 / 2, 64 * 10 * 3);
	rate_destroy(&rate);
}

/* Under another secret other sources share a set: nobody can aim at one. */
static void secret_counts(void **state)
{
	enum { SETS = 64 };
	uint32_t same = 0;

	(void)state;
	for (uint64_t prefix = 1; prefix <= 64; prefix++) {
		size_t sets[2] = { 0 };

		for (uint8_t round = 0; round < 2; round++) {
			uint8_t other[SIPHASH_KEY_BYTES] = { round };

			assert_int_equal(rate_init(&rate, 1, RATE_WAYS * SETS, other), 0);
			assert_true(rate_allow(&rate, prefix, begin_ns));
			while (rate.sets[sets[round]][0].prefix != prefix)
				sets[round]++;
			rate_destroy(&rate);
		}
		same += sets[0] == sets[1];
	}
	assert_in_range(same, 0, 8);
}

static void init_for(void *numbers)
{
	const uint32_t *values = numbers;

	init(values[0], values[1]);
}

static void checks(void **state)
{
	uint32_t no_rate[] = { 0, 1 }, large_rate[] = { RATE_PER_SECOND_MAX + 1, 1 };
	uint32_t no_buckets[] = { 1, 0 }, many_buckets[] = { 1, (1u << 24) + 1 };
	uint32_t smallest[] = { 1, 1 }, largest[] = { RATE_PER_SECOND_MAX, 1u << 24 };

	(void)state;
	assert_true(aborts(init_for, no_rate));
	assert_true(aborts(init_for, large_rate));
	assert_true(aborts(init_for, no_buckets));
	assert_true(aborts(init_for, many_buckets));
	assert_false(aborts(init_for, smallest));
	assert_false(aborts(init_for, largest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_and_refill),
		cmocka_unit_test(another_burst),
		cmocka_unit_test(too_much),
		cmocka_unit_test(every_limit),
		cmocka_unit_test(sources_apart),
		cmocka_unit_test(clock_at_zero),
		cmocka_unit_test(exact_with_free_buckets),
		cmocka_unit_test(never_too_much),
		cmocka_unit_test(full_buckets_change_hands),
		cmocka_unit_test(flood),
		cmocka_unit_test(sizes),
		cmocka_unit_test(bounded_in_all),
		cmocka_unit_test(secret_counts),
		cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
