/* SPDX-License-Identifier: MIT */
#include "udp/rate.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "base/memory.h"

#define SECOND_NS 1000000000

size_t rate_bytes(const struct rate *rate)
{
	return ((size_t)rate->mask + 1) * sizeof(*rate->sets);
}

int rate_init(struct rate *rate, uint32_t per_second, uint32_t buckets,
	      const uint8_t secret[static SIPHASH_KEY_BYTES])
{
	uint32_t sets = 1;

	CHECK(per_second > 0 && per_second <= RATE_PER_SECOND_MAX);
	CHECK(buckets > 0 && buckets <= 1u << 24);
	while (RATE_WAYS * sets < buckets)
		sets *= 2;
	*rate = (struct rate){
		.mask = sets - 1,
		/* Rounded up, so that the limit is never exceeded. */
		.datagram_ns = (SECOND_NS + per_second - 1) / per_second,
	};
	rate->bucket_ns = per_second * rate->datagram_ns;
	memcpy(rate->secret, secret, sizeof(rate->secret));
	rate->sets = memory_reserve(rate_bytes(rate));
	return rate->sets ? 0 : -ENOMEM;
}

void rate_set_burst(struct rate *rate, uint32_t datagrams)
{
	CHECK(datagrams > 0);
	rate->bucket_ns = datagrams * rate->datagram_ns;
}

void rate_destroy(struct rate *rate)
{
	memory_release(rate->sets, rate_bytes(rate));
	rate->sets = NULL;
}

/* The bucket of the source, or else the fullest of its set, which it may take over. A bucket that
 * was never used has the prefix 0 and is full, so a source with the prefix 0 may use it too. */
static struct rate_bucket *find_bucket(struct rate *rate, uint64_t prefix)
{
	const uint32_t hash = siphash_for_table(rate->secret, &prefix, sizeof(prefix));
	struct rate_bucket *set = rate->sets[hash & rate->mask], *fullest = set;

	for (struct rate_bucket *bucket = set; bucket < set + RATE_WAYS; bucket++) {
		if (bucket->prefix == prefix)
			return bucket;
		if (bucket->full_ns < fullest->full_ns)
			fullest = bucket;
	}
	return fullest;
}

bool rate_allow(struct rate *rate, uint64_t prefix, uint64_t now_ns)
{
	struct rate_bucket *bucket = find_bucket(rate, prefix);
	const uint64_t from_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;

	if (from_ns + rate->datagram_ns > now_ns + rate->bucket_ns)
		return false;
	bucket->prefix = prefix;
	bucket->full_ns = from_ns + rate->datagram_ns;
	return true;
}
