/* SPDX-License-Identifier: MIT */
#include "base/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define CAPACITY_AT_FIRST 16

/* Address spaces; the others are interface indexes, which are never 0 or UINT32_MAX. */
#define SPACE_IPV6 0
#define SPACE_IPV4 UINT32_MAX

/* The space and the bytes of one address. */
struct key {
	uint32_t space;
	uint8_t bytes[16];
};

static struct key key_of(const struct address *address)
{
	struct key key = { 0 };

	if (address->any.sa_family == AF_INET) {
		key.space = SPACE_IPV4;
		memcpy(key.bytes, &address->v4.sin_addr, 4);
		return key;
	}
	if (IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr))
		key.space = address->v6.sin6_scope_id;
	memcpy(key.bytes, &address->v6.sin6_addr, 16);
	return key;
}

static int make_space(struct ranges *ranges)
{
	const unsigned capacity = ranges->capacity ? 2 * ranges->capacity : CAPACITY_AT_FIRST;
	struct range *all;

	if (ranges->count < ranges->capacity)
		return 0;
	if (capacity > RANGES_MAX)
		return -ENOSPC;
	all = realloc(ranges->all, capacity * sizeof(*all));
	if (!all)
		return -ENOMEM;
	ranges->all = all;
	ranges->capacity = capacity;
	return 0;
}

int ranges_add(struct ranges *ranges, const struct address *address, unsigned bits)
{
	const struct key key = key_of(address);
	struct range *range;
	int error = make_space(ranges);

	CHECK(bits <= (address->any.sa_family == AF_INET ? 32 : 128));
	if (error)
		return error;
	range = &ranges->all[ranges->count++];
	range->space = key.space;
	for (unsigned i = 0; i < sizeof(key.bytes); i++) {
		const unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		const unsigned rest = kept >= 8 ? 0 : 0xffu >> kept;

		range->first[i] = (uint8_t)(key.bytes[i] & ~rest);
		range->last[i] = (uint8_t)(key.bytes[i] | rest);
	}
	return 0;
}

static int compare(const struct range *range, uint32_t space, const uint8_t first[static 16])
{
	if (range->space != space)
		return range->space < space ? -1 : 1;
	return memcmp(range->first, first, sizeof(range->first));
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *other = b;

	return compare(a, other->space, other->first);
}

void ranges_sort(struct ranges *ranges)
{
	struct range *to = ranges->all;

	if (ranges->count == 0)
		return;
	qsort(ranges->all, ranges->count, sizeof(*ranges->all), compare_ranges);
	for (unsigned i = 1; i < ranges->count; i++) {
		const struct range *next = &ranges->all[i];

		if (next->space != to->space || memcmp(next->first, to->last, sizeof(to->last)) > 0)
			*++to = *next;
		else if (memcmp(next->last, to->last, sizeof(to->last)) > 0)
			memcpy(to->last, next->last, sizeof(to->last));
	}
	ranges->count = (unsigned)(to - ranges->all) + 1;
}

/* Only the last range that begins at or before the address can contain it. */
static bool has(const struct ranges *ranges, uint32_t space, const uint8_t bytes[static 16])
{
	unsigned low = 0, high = ranges->count;

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;

		if (compare(&ranges->all[middle], space, bytes) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && ranges->all[low - 1].space == space &&
	       memcmp(bytes, ranges->all[low - 1].last, 16) <= 0;
}

bool ranges_has(const struct ranges *ranges, const struct address *address)
{
	const struct key key = key_of(address);

	/* A wide prefix such as ::/0 includes link-local addresses of every interface. */
	return has(ranges, key.space, key.bytes) ||
	       (key.space != SPACE_IPV4 && key.space != SPACE_IPV6 &&
		has(ranges, SPACE_IPV6, key.bytes));
}

void ranges_clear(struct ranges *ranges)
{
	ranges->count = 0;
}

void ranges_destroy(struct ranges *ranges)
{
	free(ranges->all);
}
