/* SPDX-License-Identifier: MIT */
/*
 * sequence.h - follows the sequence numbers of one sender: what is new, what came twice, what is
 * missing.
 *
 * RFC 3550, section A.1, extends the 16-bit number and tells a restarted sender from a stray
 * datagram. It does not tell a duplicate from a late datagram; a window of bits does, one for each
 * of the last 1,024 numbers: a ring that is not shifted, as in RFC 6479.
 *
 * The number, compared with the highest so far:
 *
 *	1 to 2,999 ahead		new: delivered
 *	0 to 1,023 behind, unseen	late but good: delivered, counted as reordered
 *	0 to 1,023 behind, seen		a duplicate
 *	further behind			late: it may be a duplicate, nobody knows any more
 *	further ahead			a jump: it may be a stray
 *
 * What is not delivered may be the first datagram of a sender that has restarted. It has, if the
 * number after it comes before the old numbers go on: that one is delivered, and the window begins
 * anew with it. So a restart costs one datagram; dropping it is right for what is more frequent, a
 * stray or a copy.
 *
 * Up to 99 behind, where A.1 takes everything as valid, the two must also be no copies. A copy has
 * the timestamp of its original, so that timestamp is not later than all of that clock, and by it
 * the copy is under way for at most SEQUENCE_COPY_US longer than the highest number was. So a
 * sender is followed if it begins again with a clock that runs on, or with another one, or plays
 * the same packets again after a second. A network that sends whole trains twice within a second
 * causes no restart. A peer that can forge the addresses and the SSRC can cause one, as anywhere
 * else with two numbers in sequence: numbers are no protection against replay.
 *
 * Three things differ from A.1:
 * - A new sender is on probation until two datagrams came in sequence (MIN_SEQUENTIAL). A.1 drops
 *   what comes before; here it is delivered, or the first request of every client would be lost.
 *   As in A.1, only the second of the two is the first that is counted as received and expected. A
 *   jump on probation begins anew at once.
 * - A.1 takes two numbers in sequence, 100 or more behind, for a restart also if they were only
 *   late, or if the old numbers go on between them.
 * - A.1 has no duplicates, so that a sender that restarts fewer than 100 behind needs no restart.
 *
 * Pure computation: no I/O, no clock.
 */
#ifndef UDP_SEQUENCE_H
#define UDP_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers go round at 2^16 (RFC 3550, section A.1: RTP_SEQ_MOD). */
#define SEQUENCE_MODULUS 65536

/* So far ahead begins a jump (A.1: MAX_DROPOUT). */
#define SEQUENCE_DROPOUT_MAX 3000

/* Fewer behind are only out of order, unless seen and no copies (A.1: MAX_MISORDER). */
#define SEQUENCE_MISORDER_MAX 100

/* A copy is under way for at most this much longer: when TCP first takes a segment for lost (RFC
 * 6298, section 2.1). */
#define SEQUENCE_COPY_US 1000000

#define SEQUENCE_WINDOW 1024
_Static_assert(SEQUENCE_WINDOW >= SEQUENCE_MISORDER_MAX,
	       "the window tells what came twice from what is out of order");
_Static_assert(SEQUENCE_WINDOW + SEQUENCE_DROPOUT_MAX < SEQUENCE_MODULUS / 2,
	       "no number is both ahead and behind");

/* Those up to SEQUENCE_RESTARTED are delivered. */
enum sequence_verdict {
	SEQUENCE_NEW,
	SEQUENCE_REORDERED, /* below the next expected (RFC 4737, section 3.3) */
	SEQUENCE_RESTARTED,
	SEQUENCE_DUPLICATE,
	SEQUENCE_LATE,
	SEQUENCE_JUMP,
};

/*
 *	EMPTY --any--> PROBATION --two in sequence--> VALID
 */
enum sequence_state { SEQUENCE_EMPTY, SEQUENCE_PROBATION, SEQUENCE_VALID };

/* How long a datagram was under way, but for a constant: arrival less timestamp, modulo 2^32. */
struct sequence_transit {
	uint32_t ticks;
	uint32_t clock_hz; /* 0: none is known since the window began */
};

/*
 * Zeroed before the first datagram. Numbers in it are extended to 64 bits; the first cycle begins
 * at SEQUENCE_MODULUS, so that there is something below it. The counters never begin anew: a
 * restart adds to what was before it.
 */
struct sequence {
	uint64_t seen[SEQUENCE_WINDOW / 64]; /* a bit for each number of the window */
	uint64_t highest;
	uint64_t lowest; /* since the window began */
	uint64_t base;	 /* where the probation ended, or the restart came (A.1: base_seq) */

	uint64_t received;	/* duplicates too, but not on probation (A.1) */
	uint64_t expected_past; /* before the restarts */
	uint64_t delivered;
	uint64_t span_past; /* from the lowest to the highest, each time before the window began */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t late;
	uint64_t jumps;

	uint64_t jitter_us; /* times 16 */

	struct sequence_transit last;		 /* of those measured */
	struct sequence_transit highest_transit; /* of the highest number */
	uint32_t latest;			 /* timestamp of its clock */
	uint32_t awaited; /* the next number in sequence, on probation or after a jump */
	uint32_t restarts;
	enum sequence_state state;
};

_Static_assert(sizeof(struct sequence) <= 256, "a client may have one");

struct sequence_datagram {
	uint16_t number;
	uint32_t timestamp; /* wraps at 2^32 */
	uint32_t clock_hz;  /* its ticks a second */
	uint64_t arrival_us;
};

/* Takes the next datagram. */
enum sequence_verdict sequence_update(struct sequence *sequence,
				      const struct sequence_datagram *datagram);

static inline bool sequence_delivers(enum sequence_verdict verdict)
{
	return verdict <= SEQUENCE_RESTARTED;
}

/* The highest number, extended to 32 bits by how often it went round (RFC 3550, section 6.4.1). */
uint32_t sequence_highest(const struct sequence *sequence);

/* How many datagrams the numbers tell of (RFC 3550, section A.3). */
uint64_t sequence_expected(const struct sequence *sequence);

/* Expected less received, as RFC 3550, section A.3, counts: duplicates hide losses, and may make it
 * negative. */
int64_t sequence_lost(const struct sequence *sequence);

/* Numbers between the lowest and the highest delivered that never were. */
uint64_t sequence_lost_unique(const struct sequence *sequence);

/*
 * How much the time under way varies, in microseconds (RFC 3550, section A.8). Between timestamps
 * of different clocks it is not measured.
 */
uint64_t sequence_jitter_us(const struct sequence *sequence);

#endif
