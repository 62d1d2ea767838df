/* SPDX-License-Identifier: MIT */
/*
 * rate.h - limits the datagrams a second of each source with token buckets, in a fixed amount of
 * memory that a flood of forged sources cannot grow.
 *
 * A bucket holds the datagrams of one second. It is stored as the time when it will be full again.
 * Each datagram postpones that time by the refill time of one datagram, and is refused if the time
 * would then be further away than the refill time of the whole bucket. A full bucket need not be
 * stored.
 *
 * The table is set-associative: a keyed hash of the source selects a set of RATE_WAYS buckets. A
 * new source takes over the fullest bucket of its set. If that was full, nothing is lost. Otherwise
 * the new source takes it with its present level, so that no bucket ever exceeds the limit,
 * whichever sources use it. A source gains nothing when its bucket is taken over either: the one
 * that it gets later is no fuller. It may get less than the limit while all buckets of its set are
 * in use; for that a flood must be about as large as the limit times the number of buckets.
 */
#ifndef UDP_RATE_H
#define UDP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"

/* Buckets of a set: a cache line. */
#define RATE_WAYS 4

/* The highest limit: a datagram then takes 1,000 ns, so that the rounding error is below 0.1 %. */
#define RATE_PER_SECOND_MAX 1000000

struct rate_bucket {
	uint64_t prefix;
	uint64_t full_ns; /* when it is full again; 0: never used */
};

_Static_assert(RATE_WAYS * sizeof(struct rate_bucket) == 64, "a set is a cache line");

struct rate {
	uint8_t secret[SIPHASH_KEY_BYTES];
	struct rate_bucket (*sets)[RATE_WAYS];
	uint32_t mask;
	uint64_t datagram_ns; /* refill time of one datagram */
	uint64_t bucket_ns;   /* refill time of the whole bucket: about a second */
};

/*
 * per_second: limit of each source, 1 to RATE_PER_SECOND_MAX datagrams, which may also come in one
 * burst. buckets: number of buckets, 1 to 2^24, rounded up to a power of two. -ENOMEM
 */
int rate_init(struct rate *rate, uint32_t per_second, uint32_t buckets,
	      const uint8_t secret[static SIPHASH_KEY_BYTES]);
void rate_destroy(struct rate *rate);

/* The memory of the buckets. */
size_t rate_bytes(const struct rate *rate);

/* Changes how many datagrams may come in one burst, at least 1. */
void rate_set_burst(struct rate *rate, uint32_t datagrams);

/* Whether a datagram of this source (sources_prefix()) is within the limit; if so, it takes one
 * token. */
bool rate_allow(struct rate *rate, uint64_t prefix, uint64_t now_ns);

#endif
