/* SPDX-License-Identifier: MIT */
#include "base/bitset.h"

#include <errno.h>

#include "base/base.h"
#include "base/memory.h"

int bitset_init(struct bitset *set, uint32_t limit)
{
	size_t offsets[BITSET_LEVELS_MAX], words = limit, all = 0;
	uint64_t *memory;

	*set = (struct bitset){ 0 };
	/* One word more than the bits need: a search beyond the last word of a level ends there. */
	do {
		words = words / 64 + 1;
		offsets[set->levels++] = all;
		all += words;
	} while (words > 1);
	set->bytes = all * sizeof(*memory);
	memory = memory_reserve(set->bytes);
	if (!memory)
		return -ENOMEM;
	for (unsigned level = 0; level < set->levels; level++)
		set->words[level] = memory + offsets[level];
	return 0;
}

void bitset_destroy(struct bitset *set)
{
	memory_release(set->words[0], set->bytes);
	set->words[0] = NULL;
}

void bitset_add(struct bitset *set, uint32_t number)
{
	for (unsigned level = 0; level < set->levels; level++, number /= 64) {
		uint64_t *word = &set->words[level][number / 64], before = *word;

		*word |= (uint64_t)1 << number % 64;
		if (before != 0)
			return;
	}
}

void bitset_remove(struct bitset *set, uint32_t number)
{
	for (unsigned level = 0; level < set->levels; level++, number /= 64) {
		uint64_t *word = &set->words[level][number / 64];

		*word &= ~((uint64_t)1 << number % 64);
		if (*word != 0)
			return;
	}
}

uint32_t bitset_next(const struct bitset *set, uint32_t from)
{
	for (unsigned level = 0; level < set->levels; level++) {
		uint64_t word = set->words[level][from / 64] & UINT64_MAX << from % 64;

		if (word == 0) {
			from = from / 64 + 1;
			continue;
		}
		from = from / 64 * 64 + (uint32_t)__builtin_ctzll(word);
		while (level-- > 0)
			from = from * 64 + (uint32_t)__builtin_ctzll(set->words[level][from]);
		return from;
	}
	return BITSET_NONE;
}
