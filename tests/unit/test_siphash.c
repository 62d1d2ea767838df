/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 against the vectors that its authors have published, and at the edges of its input;
 * and the hash for tables.
 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

/*
 * The hashes of the messages "", 00, 00 01, ... under the key 00 01 ... 0f, from vectors.h of the
 * reference implementation (Aumasson and Bernstein; CC0), read as little-endian numbers.
 */
static const uint64_t vectors[64] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
	0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
	0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
	0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
	0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
	0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void count_up(uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)i;
}

/* All 64; each message in memory of just its size, so that a sanitizer sees a byte too many. */
static void published_vectors(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES];

	(void)state;
	count_up(key, sizeof(key));
	for (size_t bytes = 0; bytes < COUNT(vectors); bytes++) {
		uint8_t *message = malloc(bytes ? bytes : 1);

		assert_non_null(message);
		count_up(message, bytes);
		assert_int_equal(siphash(key, message, bytes), vectors[bytes]);
		free(message);
	}
}

/* Where key and message lie in memory makes no difference. */
static void unaligned(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES + 8], message[63 + 8];

	(void)state;
	for (size_t offset = 1; offset < 8; offset++) {
		count_up(key + offset, SIPHASH_KEY_BYTES);
		count_up(message + offset, 63);
		assert_int_equal(siphash(key + offset, message + offset, 63), vectors[63]);
	}
}

/* Each of the 128 bits of the key counts, whatever the length of the message. */
static void every_bit_of_the_key(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES], message[63];

	(void)state;
	count_up(key, sizeof(key));
	count_up(message, sizeof(message));
	for (unsigned bit = 0; bit < 8 * sizeof(key); bit++) {
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		for (size_t bytes = 0; bytes <= sizeof(message); bytes += 7)
			assert_int_not_equal(siphash(key, message, bytes), vectors[bytes]);
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Each bit of a message counts, those of the last, incomplete word too. */
static void every_bit_of_the_message(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES], message[63];

	(void)state;
	count_up(key, sizeof(key));
	count_up(message, sizeof(message));
	for (unsigned bit = 0; bit < 8 * sizeof(message); bit++) {
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(siphash(key, message, 63), vectors[63]);
		message[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Zeros of another length hash otherwise, also where the length's one byte has wrapped. */
static void length_counts(void **state)
{
	static const uint8_t zeros[520];
	uint8_t key[SIPHASH_KEY_BYTES] = { 0 };
	uint64_t hashes[sizeof(zeros) + 1];

	(void)state;
	for (size_t bytes = 0; bytes <= sizeof(zeros); bytes++) {
		hashes[bytes] = siphash(key, zeros, bytes);
		for (size_t shorter = 0; shorter < bytes; shorter++)
			assert_int_not_equal(hashes[bytes], hashes[shorter]);
	}
}

static void reference_half(uint64_t *a, uint64_t *b, int bits)
{
	*a += *b;
	*b = (*b << bits | *b >> (64 - bits)) ^ *a;
}

static void reference_rounds(uint64_t v[static 4], int count)
{
	for (; count > 0; count--) {
		reference_half(&v[0], &v[1], 13);
		reference_half(&v[2], &v[3], 16);
		v[0] = v[0] << 32 | v[0] >> 32;
		reference_half(&v[2], &v[1], 17);
		reference_half(&v[0], &v[3], 21);
		v[2] = v[2] << 32 | v[2] >> 32;
	}
}

/* SipHash-c-d as its paper describes it, for any number of rounds. */
static uint64_t reference(const uint8_t *key, const uint8_t *message, size_t bytes, int c, int d)
{
	uint64_t k[2], v[4];

	memcpy(k, key, sizeof(k));
	v[0] = k[0] ^ 0x736f6d6570736575;
	v[1] = k[1] ^ 0x646f72616e646f6d;
	v[2] = k[0] ^ 0x6c7967656e657261;
	v[3] = k[1] ^ 0x7465646279746573;
	for (size_t at = 0; at <= bytes; at += 8) {
		uint64_t word = bytes - at < 8 ? (uint64_t)bytes << 56 : 0;

		for (size_t i = 0; i < 8 && at + i < bytes; i++)
			word |= (uint64_t)message[at + i] << 8 * i;
		v[3] ^= word;
		reference_rounds(v, c);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	reference_rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The hash for tables has fewer rounds, and is otherwise the one whose vectors are known. */
static void for_tables(void **state)
{
	uint8_t key[SIPHASH_KEY_BYTES], message[63];

	(void)state;
	count_up(key, sizeof(key));
	count_up(message, sizeof(message));
	for (size_t bytes = 0; bytes < COUNT(vectors); bytes++) {
		assert_int_equal(reference(key, message, bytes, 2, 4), vectors[bytes]);
		assert_int_equal(siphash_for_table(key, message, bytes),
				 (uint32_t)reference(key, message, bytes, 1, 3));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),	cmocka_unit_test(unaligned),
		cmocka_unit_test(every_bit_of_the_key), cmocka_unit_test(every_bit_of_the_message),
		cmocka_unit_test(length_counts),	cmocka_unit_test(for_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
