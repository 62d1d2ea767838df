/* SPDX-License-Identifier: MIT */
/*
 * random.h - random numbers that are the same in every run: a failure can be repeated.
 */
#ifndef LIB_RANDOM_H
#define LIB_RANDOM_H

#include <stdint.h>

/* The next number of the sequence that *seed began; a seed may be any number. */
uint64_t random_next(uint64_t *seed);

/* From 0 to limit - 1. */
uint64_t random_below(uint64_t *seed, uint64_t limit);

#endif
