/* SPDX-License-Identifier: MIT */
/*
 * bitset.h - a set of numbers below a limit that finds the next member in a few steps, even if it
 * is sparse. Level 0 has a bit for each number; each higher level has a bit for each word of the
 * level below, set if that word is not zero. One thread only.
 */
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include <stddef.h>
#include <stdint.h>

/* Enough for any limit: the sixth level has one word. */
#define BITSET_LEVELS_MAX 6

/* Not a member: returned by bitset_next(). */
#define BITSET_NONE UINT32_MAX

struct bitset {
	uint64_t *words[BITSET_LEVELS_MAX];
	unsigned levels;
	size_t bytes;
};

/* Makes an empty set of numbers below `limit`. Untouched pages take no memory. -ENOMEM */
int bitset_init(struct bitset *set, uint32_t limit);
void bitset_destroy(struct bitset *set);

void bitset_add(struct bitset *set, uint32_t number);
void bitset_remove(struct bitset *set, uint32_t number);

/* The first member at or above `from`; BITSET_NONE: no more. `from` is at most the limit. */
uint32_t bitset_next(const struct bitset *set, uint32_t from);

#endif
