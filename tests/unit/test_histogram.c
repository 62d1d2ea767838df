/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's histogram: its quantiles against those of the same values sorted, which are
 * exact; they may be too high by less than a part in 2^HISTOGRAM_BITS, and never too low.
 */
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>

#include "lib/random.h"
#include "load/histogram.h"

#define VALUES 20000

static const double fractions[] = { 0, 0.0001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 };

static struct histogram histogram;
static uint64_t values[VALUES];

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The value that a fraction of the sorted ones reach: the same definition, with nothing lost. */
static uint64_t exact_quantile(size_t count, double fraction)
{
	size_t rank = (size_t)ceil(fraction * (double)count);

	return values[rank ? rank - 1 : 0];
}

/* Records the first `count` values, and compares. */
static void check_quantiles(size_t count)
{
	double sum = 0;

	histogram_reset(&histogram);
	for (size_t i = 0; i < count; i++) {
		histogram_record(&histogram, values[i]);
		sum += (double)values[i];
	}
	qsort(values, count, sizeof(values[0]), compare);
	for (size_t i = 0; i < COUNT(fractions); i++) {
		uint64_t exact = exact_quantile(count, fractions[i]);
		uint64_t margin = exact >> HISTOGRAM_BITS;

		if (margin > UINT64_MAX - exact)
			margin = UINT64_MAX - exact;
		assert_in_range(histogram_quantile(&histogram, fractions[i]), exact,
				exact + margin);
	}
	assert_int_equal(histogram_quantile(&histogram, 1), values[count - 1]);
	assert_int_equal(histogram.max, values[count - 1]);
	assert_int_equal(histogram.count, count);
	assert_true(fabs(histogram_mean(&histogram) - sum / (double)count) <= sum * 1e-9);
}

static void empty(void **state)
{
	(void)state;
	histogram_reset(&histogram);
	assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
	assert_int_equal(histogram_quantile(&histogram, 1), 0);
	assert_true(histogram_mean(&histogram) == 0);
}

/* One value alone is exact, whatever its size: next to each power of two, and the largest. */
static void single_values(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (uint64_t step = 0; step <= 2; step++) {
			values[0] = (1ull << bit) - 1 + step;
			check_quantiles(1);
		}
	}
	values[0] = UINT64_MAX;
	check_quantiles(1);
}

/* Below 2^(HISTOGRAM_BITS + 1) every value has a bucket: nothing is lost. */
static void small_values(void **state)
{
	const size_t count = 2 << HISTOGRAM_BITS;

	(void)state;
	histogram_reset(&histogram);
	for (size_t i = 0; i < count; i++)
		histogram_record(&histogram, i);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(histogram_quantile(&histogram, ((double)i + 0.5) / (double)count),
				 i);
}

/* Two values of one bucket are told apart by no quantile, those of two buckets by each. */
static void bucket_edges(void **state)
{
	const double below = 0.5, above = 0.75;

	(void)state;
	for (unsigned bit = HISTOGRAM_BITS + 1; bit < 63; bit++) {
		uint64_t edge = 1ull << bit, width = edge >> HISTOGRAM_BITS;

		histogram_reset(&histogram);
		histogram_record(&histogram, edge - 1);
		histogram_record(&histogram, edge);
		assert_int_equal(histogram_quantile(&histogram, below), edge - 1);
		assert_int_equal(histogram_quantile(&histogram, above), edge);

		histogram_reset(&histogram);
		histogram_record(&histogram, edge);
		histogram_record(&histogram, edge + width - 1);
		histogram_record(&histogram, edge + width);
		assert_int_equal(histogram_quantile(&histogram, 0.3), edge + width - 1);
		assert_int_equal(histogram_quantile(&histogram, 0.6), edge + width - 1);
		assert_int_equal(histogram_quantile(&histogram, 0.9), edge + width);
	}
}

/* Values of one size, of all sizes, few and many of the same: as latencies may be spread. */
static void random_values(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t count = 1; count <= VALUES; count = count * 3 + 1) {
		for (size_t i = 0; i < count; i++)
			values[i] = 30000 + random_below(&seed, 1000000);
		check_quantiles(count);
		for (size_t i = 0; i < count; i++)
			values[i] = random_next(&seed) >> random_below(&seed, 64);
		check_quantiles(count);
		for (size_t i = 0; i < count; i++)
			values[i] = random_below(&seed, 100) ? 50000 : 7000000;
		check_quantiles(count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),	 cmocka_unit_test(single_values),
		cmocka_unit_test(small_values),	 cmocka_unit_test(bucket_edges),
		cmocka_unit_test(random_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
