/* SPDX-License-Identifier: MIT */
/*
 * numbers.h - what sequence numbers tell, found out in the plainest way: every number is kept.
 *
 * A reference for what the server says of a client (struct rollcall_sequence), written from the
 * definitions there and in RFC 3550, sections A.1 and A.3.
 */
#ifndef TESTS_SIM_NUMBERS_H
#define TESTS_SIM_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one client, since its numbers began anew. */
#define NUMBERS_MAX 1024

struct numbers {
	int64_t all[NUMBERS_MAX]; /* those delivered, made to count on where 16 bits go round */
	uint32_t timestamps[NUMBERS_MAX]; /* theirs */
	size_t count;
	size_t clock_first; /* from there on the timestamps are of one clock */
	int64_t highest;
	uint32_t highest_timestamp;
	uint64_t highest_us; /* when it came */
	int64_t first;	     /* of those that are expected */
	int32_t awaited;     /* it would begin the expected ones, or begin all anew; -1: none */
	bool valid;	     /* two have come in sequence */

	/* As in struct rollcall_sequence; of lost and expected, those before it all began anew. */
	uint64_t received, expected, lost, duplicates, reordered, late, restarts;
};

/* Zeroed before the first, but for `awaited`. */
#define NUMBERS_NONE                                                                               \
	{                                                                                          \
		.awaited = -1                                                                      \
	}

/* Takes the next, whose timestamp counts microseconds. Returns whether it is to be delivered. */
bool numbers_take(struct numbers *numbers, uint16_t number, uint32_t timestamp, uint64_t now_us);

/* The whole of it. */
uint64_t numbers_expected(const struct numbers *numbers);
uint64_t numbers_lost(const struct numbers *numbers);

#endif
