/* SPDX-License-Identifier: MIT */
#include "client/sources.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "base/memory.h"

/* IPv4 addresses use the numbers of IPv6 multicast, ff00::/8, which is never a source address. */
#define IPV4_PREFIX 0xffff000000000000

/*
 * Whether the last 32 bits of an IPv6 address are an IPv4 address: in ::ffff:0:0/96, as dual-stack
 * sockets show them (RFC 4291, section 2.5.5.2), and in 64:ff9b::/96, behind a translator such as
 * NAT64 (RFC 6052, section 2.1).
 */
static bool has_ipv4(const struct in6_addr *host)
{
	static const uint8_t translated[12] = { 0x00, 0x64, 0xff, 0x9b };

	return IN6_IS_ADDR_V4MAPPED(host) || memcmp(host, translated, sizeof(translated)) == 0;
}

uint64_t sources_prefix(const struct address *address)
{
	const uint8_t *host = address->v6.sin6_addr.s6_addr;
	uint64_t prefix;
	uint32_t ipv4;

	if (address->any.sa_family == AF_INET)
		return IPV4_PREFIX | ntohl(address->v4.sin_addr.s_addr);
	if (has_ipv4(&address->v6.sin6_addr)) {
		memcpy(&ipv4, host + 12, sizeof(ipv4));
		return IPV4_PREFIX | ntohl(ipv4);
	}
	memcpy(&prefix, host, sizeof(prefix));
	return be64toh(prefix);
}

bool sources_is_ipv4(uint64_t prefix)
{
	return prefix >= IPV4_PREFIX;
}

uint64_t sources_site(uint64_t prefix)
{
	return prefix & ~(uint64_t)0xffff;
}

size_t sources_bytes(const struct sources *sources)
{
	return ((size_t)sources->mask + 1) * sizeof(*sources->entries);
}

int sources_init(struct sources *sources, uint32_t limit,
		 const uint8_t secret[static SIPHASH_KEY_BYTES])
{
	uint32_t size = 2;

	CHECK(limit > 0 && limit <= 1u << 24);
	while (size < 2 * limit)
		size *= 2;
	*sources = (struct sources){ .mask = size - 1, .limit = limit };
	memcpy(sources->secret, secret, sizeof(sources->secret));
	sources->entries = memory_reserve(sources_bytes(sources));
	return sources->entries ? 0 : -ENOMEM;
}

void sources_destroy(struct sources *sources)
{
	CHECK(sources->clients == 0);
	memory_release(sources->entries, sources_bytes(sources));
	sources->entries = NULL;
}

static uint32_t hash_prefix(const struct sources *sources, uint64_t prefix)
{
	return siphash_for_table(sources->secret, &prefix, sizeof(prefix));
}

/* The index of the entry with this prefix, or of the empty entry where it belongs. */
static uint32_t find_place(const struct sources *sources, uint64_t prefix, uint32_t hash)
{
	uint32_t place = hash & sources->mask;

	while (sources->entries[place].clients > 0 && sources->entries[place].prefix != prefix)
		place = (place + 1) & sources->mask;
	return place;
}

uint32_t sources_count(const struct sources *sources, uint64_t prefix)
{
	return sources->entries[find_place(sources, prefix, hash_prefix(sources, prefix))].clients;
}

void sources_add(struct sources *sources, uint64_t prefix)
{
	const uint32_t hash = hash_prefix(sources, prefix);
	struct sources_entry *entry = &sources->entries[find_place(sources, prefix, hash)];

	CHECK(sources->clients < sources->limit);
	entry->prefix = prefix;
	entry->hash = hash;
	entry->clients++;
	sources->clients++;
}

void sources_remove(struct sources *sources, uint64_t prefix)
{
	uint32_t gap = find_place(sources, prefix, hash_prefix(sources, prefix)), place = gap;

	CHECK(sources->entries[gap].clients > 0);
	sources->clients--;
	if (--sources->entries[gap].clients > 0)
		return;
	/* Move the following entries back into the gap, but none before the slot of its hash. */
	for (;;) {
		struct sources_entry *entry;

		place = (place + 1) & sources->mask;
		entry = &sources->entries[place];
		if (entry->clients == 0)
			break;
		if (((place - entry->hash) & sources->mask) >= ((place - gap) & sources->mask)) {
			sources->entries[gap] = *entry;
			gap = place;
		}
	}
	sources->entries[gap] = (struct sources_entry){ 0 };
}
