/* SPDX-License-Identifier: MIT */
/*
 * cookie.h - a stateless token that proves that a peer can receive at its address.
 *
 * It is the SipHash of the address, the port and the time slot, under a secret key used for nothing
 * else. A peer that returns it has recently received it at this address and port. It has 64 bits,
 * and two values are valid at a time: one guess in 2^63 succeeds.
 */
#ifndef BASE_COOKIE_H
#define BASE_COOKIE_H

#include "base/address.h"
#include "base/siphash.h"

#define COOKIE_BYTES 8

/* Length of a time slot. A cookie is valid in its own slot and the next one: for 4 to 8 seconds. */
#define COOKIE_SLOT_NS 4000000000

/* Makes the cookie for an address at now_ns, the time of any monotonic clock. */
void cookie_make(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		 uint64_t now_ns, uint8_t cookie[static COOKIE_BYTES]);

/* Whether the cookie was made for this address and is still valid. Runs in constant time, so that a
 * peer learns nothing from the time it takes. */
bool cookie_check(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		  uint64_t now_ns, const uint8_t cookie[static COOKIE_BYTES]);

#endif
