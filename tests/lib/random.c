/* SPDX-License-Identifier: MIT */
#include "lib/random.h"

/* SplitMix64 (Steele, Lea and Flood, 2014): each of its states gives another number. */
uint64_t random_next(uint64_t *seed)
{
	uint64_t word = *seed += 0x9e3779b97f4a7c15;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

uint64_t random_below(uint64_t *seed, uint64_t limit)
{
	return random_next(seed) % limit;
}
