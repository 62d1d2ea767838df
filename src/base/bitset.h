/* SPDX-License-Identifier: MIT */
/*
 * bitset.h - a set of numbers below a limit that finds the next member in a few steps, however
 * sparse it is: level 0 has a bit for each number, and each level above one for each word below
 * that is not zero. One thread only.
 */
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include <stddef.h>
#include <stdint.h>

/* Enough for any limit: the sixth level has one word. */
#define BITSET_LEVELS_MAX 6

/* No number. */
#define BITSET_NONE UINT32_MAX

struct bitset {
	uint64_t *words[BITSET_LEVELS_MAX];
	unsigned levels;
	size_t bytes;
};

/* An empty set of numbers below `limit`. Pages that are never touched cost nothing. -ENOMEM. */
int bitset_init(struct bitset *set, uint32_t limit);
void bitset_destroy(struct bitset *set);

void bitset_add(struct bitset *set, uint32_t number);
void bitset_remove(struct bitset *set, uint32_t number);

/* The first member from `from` on, which is at most the limit; BITSET_NONE: there is no more. */
uint32_t bitset_next(const struct bitset *set, uint32_t from);

#endif
