/* SPDX-License-Identifier: MIT */
/*
 * sequence.h - evaluates the sequence numbers of one sender: new, duplicate, reordered and lost.
 *
 * RFC 3550, section A.1, extends the 16-bit number and distinguishes a restarted sender from a
 * stray datagram. It does not distinguish a duplicate from a late datagram. A window does, with a
 * bit for each of the last 1,024 numbers: a circular bitmap that is not shifted, as in RFC 6479.
 *
 * Verdict by the distance from the highest number so far:
 *
 *	1 to 2,999 ahead		new: delivered
 *	0 to 1,023 behind, unseen	reordered: delivered
 *	0 to 1,023 behind, seen		duplicate: dropped
 *	further behind			late: dropped, since it may be a duplicate
 *	further ahead			jump: dropped, since it may be a stray datagram
 *
 * A dropped datagram may be the first of a restarted sender. It is taken for that if the next
 * number in sequence follows before the old numbers continue. That second datagram is delivered,
 * and the window restarts with it. So a restart costs one datagram: strays and duplicates are more
 * frequent than restarts.
 *
 * Up to 99 behind, where A.1 takes every datagram as valid, the two must also not be copies. A copy
 * has the timestamp of its original. So its timestamp is not the latest of the clock, and its
 * transit time by that timestamp is at most SEQUENCE_COPY_US longer than that of the highest
 * number. Thus a restart is recognized if the sender's clock continues, if it uses another clock,
 * or if it plays the same packets again after a second. A network that duplicates whole trains of
 * packets within a second causes no restart. A peer that can forge the addresses and the SSRC can
 * cause one here as elsewhere with two numbers in sequence: sequence numbers do not protect against
 * replay.
 *
 * Three differences from A.1:
 * - A new sender is on probation until two datagrams arrive in sequence (MIN_SEQUENTIAL). A.1 drops
 *   all before the second; here they are delivered, or the first request of every client would be
 *   lost. As in A.1, the second of the two is the first that counts as received and expected. A
 *   jump on probation restarts the window at once.
 * - A.1 takes two numbers in sequence, 100 or more behind, for a restart even if they were only
 *   late, or if old numbers arrive between them.
 * - A.1 does not detect duplicates, so it accepts a sender that restarts fewer than 100 behind
 *   without a restart.
 *
 * Pure computation: no I/O, no clock.
 */
#ifndef UDP_SEQUENCE_H
#define UDP_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Sequence numbers wrap at 2^16 (RFC 3550, section A.1: RTP_SEQ_MOD). */
#define SEQUENCE_MODULUS 65536

/* From this distance ahead a number is a jump (A.1: MAX_DROPOUT). */
#define SEQUENCE_DROPOUT_MAX 3000

/* Fewer behind than this, a datagram can only belong to a restart if its number was seen and it is
 * not a copy (A.1: MAX_MISORDER). */
#define SEQUENCE_MISORDER_MAX 100

/* The longest extra transit time of a copy: TCP's initial retransmission timeout (RFC 6298, section
 * 2.1). */
#define SEQUENCE_COPY_US 1000000

#define SEQUENCE_WINDOW 1024
_Static_assert(SEQUENCE_WINDOW >= SEQUENCE_MISORDER_MAX,
	       "the window tells what came twice from what is out of order");
_Static_assert(SEQUENCE_WINDOW + SEQUENCE_DROPOUT_MAX < SEQUENCE_MODULUS / 2,
	       "no number is both ahead and behind");

/* Those up to SEQUENCE_RESTARTED are delivered. */
enum sequence_verdict {
	SEQUENCE_NEW,
	SEQUENCE_REORDERED, /* below the next expected number (RFC 4737, section 3.3) */
	SEQUENCE_RESTARTED,
	SEQUENCE_DUPLICATE,
	SEQUENCE_LATE,
	SEQUENCE_JUMP,
};

/*
 *	EMPTY --any--> PROBATION --two in sequence--> VALID
 */
enum sequence_state { SEQUENCE_EMPTY, SEQUENCE_PROBATION, SEQUENCE_VALID };

/* Relative transit time of a datagram: arrival minus timestamp, modulo 2^32. */
struct sequence_transit {
	uint32_t ticks;
	uint32_t clock_hz; /* 0: none measured since the window began */
};

/*
 * Zeroed before the first datagram. Its numbers are extended to 64 bits; the first cycle begins at
 * SEQUENCE_MODULUS, so that reordered numbers below the first one are positive. A restart does not
 * reset the counters.
 */
struct sequence {
	uint64_t seen[SEQUENCE_WINDOW / 64]; /* a bit for each number of the window */
	uint64_t highest;
	uint64_t lowest; /* since the window began */
	uint64_t base;	 /* number that ended the probation, or of the restart (A.1: base_seq) */

	uint64_t received;	/* includes duplicates, but nothing on probation (A.1) */
	uint64_t expected_past; /* sequence_expected() of earlier windows */
	uint64_t delivered;
	uint64_t span_past; /* numbers from the lowest to the highest of earlier windows, summed */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t late;
	uint64_t jumps;

	uint64_t jitter_us; /* times 16 */

	struct sequence_transit last;		 /* measured last, for the jitter */
	struct sequence_transit highest_transit; /* of the highest number */
	uint32_t latest;			 /* latest timestamp of the present clock */
	uint32_t awaited; /* number that ends the probation, or shows a restart after a drop */
	uint32_t restarts;
	enum sequence_state state;
};

_Static_assert(sizeof(struct sequence) <= 256, "a client may have one");

struct sequence_datagram {
	uint16_t number;
	uint32_t timestamp; /* wraps at 2^32 */
	uint32_t clock_hz;  /* clock rate of the timestamp */
	uint64_t arrival_us;
};

/* Evaluates the next datagram. */
enum sequence_verdict sequence_update(struct sequence *sequence,
				      const struct sequence_datagram *datagram);

static inline bool sequence_delivers(enum sequence_verdict verdict)
{
	return verdict <= SEQUENCE_RESTARTED;
}

/* The highest number, extended to 32 bits by the count of wraps (RFC 3550, section 6.4.1). */
uint32_t sequence_highest(const struct sequence *sequence);

/* The number of datagrams that the sequence numbers imply (RFC 3550, section A.3). */
uint64_t sequence_expected(const struct sequence *sequence);

/* Expected minus received (RFC 3550, section A.3). Duplicates hide losses, and may make it
 * negative. */
int64_t sequence_lost(const struct sequence *sequence);

/* Sequence numbers between the lowest and the highest delivered that were never delivered. */
uint64_t sequence_lost_unique(const struct sequence *sequence);

/*
 * Interarrival jitter in microseconds (RFC 3550, section A.8). Timestamps of different clocks are
 * not compared.
 */
uint64_t sequence_jitter_us(const struct sequence *sequence);

#endif
