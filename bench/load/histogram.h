/* SPDX-License-Identifier: MIT */
/*
 * histogram.h - a log-linear histogram of times, after the specification of HdrHistogram: below
 * 2^(bits + 1) each value has a bucket, and above, each power of two has 2^bits buckets of equal
 * width. So a quantile is too high by less than a part in 2^bits (0.8%), whatever its size, and
 * recording takes a few instructions and no memory.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 7
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

struct histogram {
	uint64_t count;
	uint64_t max;
	double sum;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *histogram);

void histogram_record(struct histogram *histogram, uint64_t value);

/*
 * The smallest value that no more than 1 - fraction of the values exceed: the highest value of its
 * bucket, but never above the maximum. 0 if there are no values. A fraction of 1 gives the maximum.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

/* Exact. 0 if there are no values. */
double histogram_mean(const struct histogram *histogram);

#endif
