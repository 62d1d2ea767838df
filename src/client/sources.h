/* SPDX-License-Identifier: MIT */
/*
 * sources.h - counts the clients of each source: an IPv4 address, or the /64 of an IPv6 address.
 *
 * A subscriber has at least a /64 (RFC 6177), and may use any address in it. The counts are exact:
 * there are no more sources than clients, and no more clients than the limit. All memory is
 * reserved at the start; unused pages are never touched. The hash is SipHash under a secret key,
 * since a peer chooses its address.
 */
#ifndef CLIENT_SOURCES_H
#define CLIENT_SOURCES_H

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
	uint32_t clients; /* sum over all sources */
};

/*
 * Returns the source of a unicast address as a unique number. All link-local neighbours are one
 * source. An IPv4 address embedded in ::ffff:0:0/96 or 64:ff9b::/96 counts as that IPv4 address. A
 * translator with another prefix cannot be recognized: there all hosts of a /64 are one source.
 */
uint64_t sources_prefix(const struct address *address);

/* Whether the source is an IPv4 address. */
bool sources_is_ipv4(uint64_t prefix);

/* The /48 of an IPv6 source, which one subscriber may have (RFC 6177, section 2). */
uint64_t sources_site(uint64_t prefix);

/* `limit`: maximum number of clients, 1 to 2^24. -ENOMEM */
int sources_init(struct sources *sources, uint32_t limit,
		 const uint8_t secret[static SIPHASH_KEY_BYTES]);
void sources_destroy(struct sources *sources);

/* The memory that it takes at most. */
size_t sources_bytes(const struct sources *sources);

/* The number of clients of the source. */
uint32_t sources_count(const struct sources *sources, uint64_t prefix);

/* Counts one more client of the source, within the limit, or one less. */
void sources_add(struct sources *sources, uint64_t prefix);
void sources_remove(struct sources *sources, uint64_t prefix);

#endif
