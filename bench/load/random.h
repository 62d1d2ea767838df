/* SPDX-License-Identifier: MIT */
/*
 * random.h - pseudo-random numbers, the same in every run: splitmix64, after Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators" (2014).
 */
#ifndef LOAD_RANDOM_H
#define LOAD_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Above 0, at most 1. */
static inline double random_fraction(uint64_t *seed)
{
	return (double)((random_next(seed) >> 11) + 1) / (double)(1ull << 53);
}

#endif
