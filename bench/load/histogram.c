/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "load/histogram.h"

void histogram_reset(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

/* So many low bits of values of this size are not told apart. */
static unsigned shift_of(uint64_t value)
{
	unsigned width = value ? 64 - (unsigned)__builtin_clzll(value) : 0;

	return width > HISTOGRAM_BITS + 1 ? width - HISTOGRAM_BITS - 1 : 0;
}

static unsigned bucket_of(uint64_t value)
{
	unsigned shift = shift_of(value);

	return (shift << HISTOGRAM_BITS) + (unsigned)(value >> shift);
}

static uint64_t highest_in(unsigned bucket)
{
	unsigned row = bucket >> HISTOGRAM_BITS;
	unsigned shift = row > 1 ? row - 1 : 0;
	uint64_t lowest = (uint64_t)(bucket - (shift << HISTOGRAM_BITS)) << shift;

	return lowest + ((1ull << shift) - 1);
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	histogram->buckets[bucket_of(value)]++;
	histogram->count++;
	histogram->sum += (double)value;
	if (value > histogram->max)
		histogram->max = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
	uint64_t rank = (uint64_t)ceil(fraction * (double)histogram->count);
	uint64_t seen = 0;

	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		seen += histogram->buckets[bucket];
		if (seen && seen >= rank) {
			uint64_t highest = highest_in(bucket);

			return highest < histogram->max ? highest : histogram->max;
		}
	}
	return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
	return histogram->count ? histogram->sum / (double)histogram->count : 0;
}
