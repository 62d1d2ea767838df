/* SPDX-License-Identifier: MIT */
/*
 * ranges.h - a set of IP address prefixes, and whether an address is in one of them.
 *
 * Fill it with ranges_add(), then call ranges_sort(); only then may it be asked. A link-local
 * prefix of IPv6 (fe80::/10) holds for one interface, the scope of its address.
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include "base/address.h"

/* Prefixes in a set: as many addresses as a large host of containers has. 2.3 MiB. */
#define RANGES_MAX 65536

struct range {
	uint32_t space;		     /* of IPv4, of IPv6, of an interface: each has its own order */
	uint8_t first[16], last[16]; /* big-endian; of IPv4 only 4 bytes are used */
};

struct ranges {
	struct range *all; /* sorted, without overlaps */
	unsigned count, room;
};

/* Adds the first `bits` bits of an address as a prefix. -ENOMEM; -ENOSPC: RANGES_MAX are in it. */
int ranges_add(struct ranges *ranges, const struct address *address, unsigned bits);

/* Sorts the set and merges what overlaps. */
void ranges_sort(struct ranges *ranges);

bool ranges_has(const struct ranges *ranges, const struct address *address);

/* Empties the set, but keeps its memory. */
void ranges_clear(struct ranges *ranges);

void ranges_destroy(struct ranges *ranges);

#endif
