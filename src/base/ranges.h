/* SPDX-License-Identifier: MIT */
/*
 * ranges.h - a set of IP address prefixes, and whether an address is in one of them.
 *
 * Fill it with ranges_add(), then call ranges_sort() before ranges_has(). An IPv6 link-local prefix
 * (fe80::/10) applies to one interface, the scope of its address.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include "base/address.h"

/* Maximum prefixes in a set, enough for the addresses of a large container host: 2.3 MiB. */
#define RANGES_MAX 65536

struct range {
	uint32_t space;		     /* IPv4, IPv6 or an interface; ranges are sorted by it first */
	uint8_t first[16], last[16]; /* big-endian; IPv4 uses 4 bytes */
};

struct ranges {
	struct range *all; /* sorted, without overlaps */
	unsigned count, capacity;
};

/* Adds the first `bits` bits of an address as a prefix. -ENOMEM; -ENOSPC: RANGES_MAX reached. */
int ranges_add(struct ranges *ranges, const struct address *address, unsigned bits);

/* Sorts the set and merges overlapping ranges. */
void ranges_sort(struct ranges *ranges);

/* Whether the address is in one of the prefixes. */
bool ranges_has(const struct ranges *ranges, const struct address *address);

/* Empties the set, but keeps its memory. */
void ranges_clear(struct ranges *ranges);

void ranges_destroy(struct ranges *ranges);

#endif
