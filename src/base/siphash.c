/* SPDX-License-Identifier: MIT */
#include "base/siphash.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

static uint64_t load(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return le64toh(word);
}

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline void mix(struct state *state)
{
	state->v0 += state->v1;
	state->v2 += state->v3;
	state->v1 = rotate(state->v1, 13) ^ state->v0;
	state->v3 = rotate(state->v3, 16) ^ state->v2;
	state->v0 = rotate(state->v0, 32);
	state->v2 += state->v1;
	state->v0 += state->v3;
	state->v1 = rotate(state->v1, 17) ^ state->v2;
	state->v3 = rotate(state->v3, 21) ^ state->v0;
	state->v2 = rotate(state->v2, 32);
}

/* By two rounds, or by one if it is for a table. */
static inline void absorb(struct state *state, uint64_t word, bool is_for_table)
{
	state->v3 ^= word;
	mix(state);
	if (!is_for_table)
		mix(state);
	state->v0 ^= word;
}

/* The last word: the remaining bytes, and the length modulo 256 in the top byte. */
static uint64_t last_word(const uint8_t *from, size_t bytes)
{
	uint8_t last[8] = { 0 };

	memcpy(last, from, bytes & 7);
	last[7] = (uint8_t)bytes;
	return load(last);
}

static inline __attribute__((always_inline)) uint64_t hash(
	const uint8_t key[static SIPHASH_KEY_BYTES], const void *data, size_t bytes,
	bool is_for_table)
{
	const uint64_t k0 = load(key), k1 = load(key + 8);
	const uint8_t *from = data, *end = from + (bytes & ~(size_t)7);
	struct state state = {
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};

	for (; from < end; from += 8)
		absorb(&state, load(from), is_for_table);
	absorb(&state, bytes & 7 ? last_word(from, bytes) : (uint64_t)bytes << 56, is_for_table);

	state.v2 ^= 0xff;
	mix(&state);
	mix(&state);
	mix(&state);
	if (!is_for_table)
		mix(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], const void *data, size_t bytes)
{
	return hash(key, data, bytes, false);
}

uint32_t siphash_for_table(const uint8_t key[static SIPHASH_KEY_BYTES], const void *data,
			   size_t bytes)
{
	return (uint32_t)hash(key, data, bytes, true);
}
