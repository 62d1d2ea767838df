/* SPDX-License-Identifier: MIT */
/*
 * cookie.h - a token that shows, without any memory of it, that a peer receives at its address.
 *
 * It is the SipHash of the address and of the time in slots of some seconds, under a key that the
 * server makes for this alone. A peer that returns it has received it a short while ago at this
 * very address and port. 64 bits are too many to guess: of 2^63 tries one succeeds.
 */
#ifndef BASE_COOKIE_H
#define BASE_COOKIE_H

#include "base/address.h"
#include "base/siphash.h"

#define COOKIE_BYTES 8

/* A cookie is good until the end of the slot after its own: for 4 to 8 seconds. */
#define COOKIE_SLOT_NS 4000000000

/* The cookie for an address at a time, which counts from any begin but must not go back. */
void cookie_make(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		 uint64_t now_ns, uint8_t cookie[static COOKIE_BYTES]);

/* Whether the cookie was made for this address, and not too long ago. Takes the same time always:
 * how long it takes tells nothing of the right one. */
bool cookie_check(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		  uint64_t now_ns, const uint8_t cookie[static COOKIE_BYTES]);

#endif
