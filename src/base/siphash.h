/* SPDX-License-Identifier: MIT */
/*
 * siphash.h - SipHash-2-4, a keyed hash of short messages: without the key a peer cannot cause
 * collisions. (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012)
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16

uint64_t siphash(const uint8_t key[static SIPHASH_KEY_BYTES], const void *data, size_t bytes);

/*
 * For the place in a hash table, which no peer gets to see: the lower half of SipHash-1-3, as the
 * tables of Rust and Python have it.
 */
uint32_t siphash_for_table(const uint8_t key[static SIPHASH_KEY_BYTES], const void *data,
			   size_t bytes);

#endif
