/* SPDX-License-Identifier: MIT */
/*
 * sources.h - how many clients each source has: an IPv4 address, or the /64 of an IPv6 address.
 *
 * A subscriber has a /64 at least (RFC 6177), and may use any address in it. The counts are exact:
 * there are no more sources than clients, and no more clients than the limit. All memory is
 * reserved at the start; pages not needed stay untouched. Keyed with SipHash under a secret key,
 * since a peer chooses its address.
 */
#ifndef UDP_SOURCES_H
#define UDP_SOURCES_H

#include "base/address.h"
#include "base/siphash.h"

struct sources_entry {
	uint64_t prefix;
	uint32_t hash;
	uint32_t clients; /* 0: empty */
};

struct sources {
	uint8_t secret[SIPHASH_KEY_BYTES];
	struct sources_entry *entries;
	uint32_t mask;
	uint32_t limit;
	uint32_t clients; /* of all sources */
};

/*
 * The source of a unicast address, as a number that no other source has. All link-local neighbours
 * are one. IPv4 addresses that are embedded in ::ffff:0:0/96 or 64:ff9b::/96 are sources as such;
 * behind a translator with another prefix, which nothing tells, all hosts of a /64 are one.
 */
uint64_t sources_prefix(const struct address *address);

/* For so many clients at most, 1 to 2^24. -ENOMEM. */
int sources_init(struct sources *sources, uint32_t limit,
		 const uint8_t secret[static SIPHASH_KEY_BYTES]);
void sources_destroy(struct sources *sources);

/* How many clients the source has. */
uint32_t sources_count(const struct sources *sources, uint64_t prefix);

/* It has one more, within the limit; and one less. */
void sources_add(struct sources *sources, uint64_t prefix);
void sources_remove(struct sources *sources, uint64_t prefix);

#endif
