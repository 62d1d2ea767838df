/* SPDX-License-Identifier: MIT */
/*
 * rate.h - how many datagrams a second a source may send: token buckets, in memory that a flood of
 * made-up sources cannot make grow.
 *
 * A bucket holds the datagrams of one second. It is kept as the time when it will be full again:
 * each datagram puts that off by what one takes to refill, and is refused if it would be put off by
 * more than the whole bucket takes. A bucket that is full need not be kept.
 *
 * A source has its place in one of many sets of a few buckets; which, a secret key decides. A new
 * source takes over the fullest bucket of its set. If that was full, nothing is lost. Otherwise the
 * newcomer takes it as it is: no bucket ever lets more pass than the limit, whoever has it. Nor
 * does a source get more by having its bucket pushed out, as the one that it comes back to is no
 * fuller. It may get less than the limit when all buckets of its set are in use at the same time;
 * for that a flood must be about as large as the limit times the number of buckets.
 */
#ifndef UDP_RATE_H
#define UDP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/siphash.h"

/* Buckets of a set: a cache line. */
#define RATE_WAYS 4

/* The highest limit: a datagram then is 1,000 ns, so that rounding is less than 0.1 %. */
#define RATE_PER_SECOND_MAX 1000000

struct rate_bucket {
	uint64_t prefix;
	uint64_t full_ns; /* when it is full again; 0: nobody has it yet */
};

_Static_assert(RATE_WAYS * sizeof(struct rate_bucket) == 64, "a set is a cache line");

struct rate {
	uint8_t secret[SIPHASH_KEY_BYTES];
	struct rate_bucket (*sets)[RATE_WAYS];
	uint32_t mask;
	uint64_t datagram_ns; /* one more is in the bucket after so long */
	uint64_t bucket_ns;   /* and all after so long: about a second */
};

/*
 * For 1 to RATE_PER_SECOND_MAX datagrams a second from each source, and as many at once. `buckets`:
 * so many are kept, 1 to 2^24, rounded up to a power of two. -ENOMEM.
 */
int rate_init(struct rate *rate, uint32_t per_second, uint32_t buckets,
	      const uint8_t secret[static SIPHASH_KEY_BYTES]);
void rate_destroy(struct rate *rate);

/* Whether a datagram of this source (sources_prefix()) is within its limit; it is then counted. */
bool rate_allow(struct rate *rate, uint64_t prefix, uint64_t now_ns);

#endif
