/* SPDX-License-Identifier: MIT */
/*
 * sequence_model.h - a model of struct rollcall_sequence that keeps every sequence number.
 *
 * The server's counters of a client are compared with it. Written from the definitions in
 * rollcall.h and RFC 3550, sections A.1 and A.3, not from the server's code.
 */
#ifndef TESTS_SIM_SEQUENCE_MODEL_H
#define TESTS_SIM_SEQUENCE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of one client since its last restart. */
#define SEQUENCE_MODEL_MAX 1024

struct sequence_model {
	int64_t all[SEQUENCE_MODEL_MAX];	 /* those delivered, extended beyond 16 bits */
	uint32_t timestamps[SEQUENCE_MODEL_MAX]; /* of each */
	size_t count;
	size_t clock_first; /* from this one on the timestamps are of one clock */
	int64_t highest;
	uint32_t highest_timestamp;
	uint64_t highest_us; /* when it arrived */
	int64_t first;	     /* of the expected ones */
	int32_t awaited;     /* this number would end probation, or confirm a restart; -1: none */
	bool valid;	     /* two have arrived in sequence */

	/* As in struct rollcall_sequence; lost and expected: only those before the last restart. */
	uint64_t received, expected, lost, duplicates, reordered, late, restarts;
};

/* Before the first number. */
#define SEQUENCE_MODEL_INIT                                                                        \
	{                                                                                          \
		.awaited = -1                                                                      \
	}

/* Takes the next number; timestamps are in microseconds. Returns whether to deliver it. */
bool sequence_model_take(struct sequence_model *model, uint16_t number, uint32_t timestamp,
			 uint64_t now_us);

/* Totals. */
uint64_t sequence_model_expected(const struct sequence_model *model);
uint64_t sequence_model_lost(const struct sequence_model *model);

#endif
