/* SPDX-License-Identifier: MIT */
#include "base/cookie.h"

#include <string.h>

/* The hashed data. Host byte order is enough: cookies are checked on the machine that made them. */
struct cookie_message {
	uint8_t host[16]; /* an IPv4 address uses the first four bytes; the rest is zero */
	uint32_t scope;
	uint16_t port;
	uint16_t family;
	uint64_t slot;
};

_Static_assert(sizeof(struct cookie_message) == 32, "without padding it can be hashed as it is");

static uint64_t hash(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		     uint64_t slot)
{
	struct cookie_message message = {
		.port = address_port(address),
		.family = address->any.sa_family,
		.slot = slot,
	};

	if (address->any.sa_family == AF_INET) {
		memcpy(message.host, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
	} else {
		memcpy(message.host, &address->v6.sin6_addr, sizeof(message.host));
		message.scope = address->v6.sin6_scope_id;
	}
	return siphash(secret, &message, sizeof(message));
}

void cookie_make(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		 uint64_t now_ns, uint8_t cookie[static COOKIE_BYTES])
{
	const uint64_t made = hash(secret, address, now_ns / COOKIE_SLOT_NS);

	memcpy(cookie, &made, sizeof(made));
}

bool cookie_check(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct address *address,
		  uint64_t now_ns, const uint8_t cookie[static COOKIE_BYTES])
{
	const uint64_t slot = now_ns / COOKIE_SLOT_NS;
	uint64_t given, current, previous;

	memcpy(&given, cookie, sizeof(given));
	/* Compares both candidates as whole words: memcmp() would stop at the first difference. */
	current = given ^ hash(secret, address, slot);
	previous = given ^ hash(secret, address, slot - 1);
	return (current == 0) | (previous == 0);
}
