/* SPDX-License-Identifier: MIT */
#include "udp/sequence.h"

#include <stdlib.h>
#include <string.h>

/* Not a sequence number. */
#define NONE SEQUENCE_MODULUS

/* ---- The window ---- */

static uint64_t *word_of(struct sequence *sequence, uint64_t extended)
{
	return &sequence->seen[extended / 64 % (SEQUENCE_WINDOW / 64)];
}

/* Marks a number as seen; false: it was marked already. */
static bool mark(struct sequence *sequence, uint64_t extended)
{
	uint64_t *word = word_of(sequence, extended);
	const uint64_t bit = (uint64_t)1 << extended % 64, before = *word;

	*word |= bit;
	return !(before & bit);
}

/* Moves the window up: the new numbers reuse the bits of those that drop out, cleared. */
static void advance(struct sequence *sequence, uint64_t highest)
{
	const uint64_t end = highest + 1;

	for (uint64_t first = sequence->highest + 1, next; first < end; first = next) {
		uint64_t bits = UINT64_MAX << first % 64;

		next = (first / 64 + 1) * 64;
		if (next > end)
			bits &= UINT64_MAX >> (next - end);
		*word_of(sequence, first) &= ~bits;
	}
	sequence->highest = highest;
}

/* Distance of a number below the highest; if it is above, the modulus minus that distance. */
static uint16_t behind(const struct sequence *sequence, uint16_t number)
{
	return (uint16_t)(sequence->highest - number);
}

/* Classifies a number by the window, and marks it as seen. */
static enum sequence_verdict place(struct sequence *sequence, uint16_t number)
{
	const uint16_t back = behind(sequence, number), ahead = (uint16_t)-back;
	const uint64_t extended = sequence->highest - back;

	if (back < SEQUENCE_WINDOW) {
		if (!mark(sequence, extended))
			return SEQUENCE_DUPLICATE;
		if (extended < sequence->lowest)
			sequence->lowest = extended;
		return SEQUENCE_REORDERED;
	}
	if (ahead < SEQUENCE_DROPOUT_MAX) {
		advance(sequence, sequence->highest + ahead);
		mark(sequence, sequence->highest);
		return SEQUENCE_NEW;
	}
	return back <= SEQUENCE_MODULUS / 2 ? SEQUENCE_LATE : SEQUENCE_JUMP;
}

/* Whether the number is outside the window. */
static bool is_astray(enum sequence_verdict verdict)
{
	return verdict == SEQUENCE_LATE || verdict == SEQUENCE_JUMP;
}

/* ---- Probation and restarts ---- */

static uint64_t span(const struct sequence *sequence)
{
	return sequence->state == SEQUENCE_EMPTY ? 0 : sequence->highest - sequence->lowest + 1;
}

static uint64_t expected(const struct sequence *sequence)
{
	return sequence->state == SEQUENCE_VALID ? sequence->highest - sequence->base + 1 : 0;
}

/* Starts a new window with this datagram as its only one. */
static void begin(struct sequence *sequence, const struct sequence_datagram *datagram,
		  enum sequence_state state)
{
	sequence->span_past += span(sequence);
	sequence->expected_past += expected(sequence);
	sequence->state = state;
	sequence->highest = SEQUENCE_MODULUS + datagram->number;
	sequence->lowest = sequence->highest;
	sequence->base = sequence->highest;
	sequence->awaited = NONE;
	sequence->last.clock_hz = 0;
	sequence->latest = datagram->timestamp;
	memset(sequence->seen, 0, sizeof(sequence->seen));
	mark(sequence, sequence->highest);
}

static uint32_t after(uint16_t number)
{
	return (uint16_t)(number + 1);
}

static enum sequence_verdict on_probation(struct sequence *sequence,
					  const struct sequence_datagram *datagram)
{
	const uint16_t number = datagram->number;
	const bool sequential = number == sequence->awaited;
	enum sequence_verdict verdict = place(sequence, number);

	if (is_astray(verdict)) {
		begin(sequence, datagram, SEQUENCE_PROBATION);
		verdict = SEQUENCE_NEW;
	}
	sequence->awaited = after(number);
	if (sequential) {
		sequence->state = SEQUENCE_VALID;
		sequence->base = sequence->highest - behind(sequence, number);
		sequence->awaited = NONE;
	}
	return verdict;
}

static enum sequence_verdict when_valid(struct sequence *sequence,
					const struct sequence_datagram *datagram, bool copy)
{
	const uint16_t number = datagram->number;
	const bool sequential = number == sequence->awaited;
	enum sequence_verdict verdict = place(sequence, number);

	if (verdict == SEQUENCE_NEW)
		sequence->awaited = NONE;
	if (sequence_delivers(verdict) ||
	    (copy && behind(sequence, number) < SEQUENCE_MISORDER_MAX))
		return verdict;
	if (!sequential) {
		sequence->awaited = after(number);
		return verdict;
	}
	begin(sequence, datagram, SEQUENCE_VALID);
	return SEQUENCE_RESTARTED;
}

/* ---- Counting ---- */

static void count(struct sequence *sequence, enum sequence_verdict verdict)
{
	if (sequence->state == SEQUENCE_VALID && !is_astray(verdict))
		sequence->received++;
	if (sequence_delivers(verdict))
		sequence->delivered++;
	switch (verdict) {
	case SEQUENCE_NEW:
		break;
	case SEQUENCE_REORDERED:
		sequence->reordered++;
		break;
	case SEQUENCE_RESTARTED:
		sequence->restarts++;
		break;
	case SEQUENCE_DUPLICATE:
		sequence->duplicates++;
		break;
	case SEQUENCE_LATE:
		sequence->late++;
		break;
	case SEQUENCE_JUMP:
		sequence->jumps++;
	}
}

/* ---- Transit times ---- */

static struct sequence_transit transit_of(const struct sequence_datagram *datagram)
{
	const uint64_t us = datagram->arrival_us, hz = datagram->clock_hz;
	const uint64_t ticks = us / 1000000 * hz + us % 1000000 * hz / 1000000;

	return (struct sequence_transit){ (uint32_t)ticks - datagram->timestamp, (uint32_t)hz };
}

/* Their difference in microseconds (RFC 3550, section 6.4.1: D); 0 if the clocks differ. */
static uint64_t difference_us(struct sequence_transit one, struct sequence_transit other)
{
	const int64_t ticks = (int32_t)(one.ticks - other.ticks);

	return one.clock_hz == other.clock_hz ? (uint64_t)llabs(ticks) * 1000000 / one.clock_hz : 0;
}

/* Whether the timestamp is later than all earlier ones of this clock. */
static bool is_latest(const struct sequence *sequence, uint32_t timestamp)
{
	return (int32_t)(timestamp - sequence->latest) > 0;
}

/* J += (|D| - J) / 16, rounded, with J kept times 16 (RFC 3550, section A.8). */
static void measure(struct sequence *sequence, struct sequence_transit transit)
{
	if (sequence->last.clock_hz == transit.clock_hz)
		sequence->jitter_us +=
			difference_us(transit, sequence->last) - (sequence->jitter_us + 8) / 16;
	sequence->last = transit;
}

enum sequence_verdict sequence_update(struct sequence *sequence,
				      const struct sequence_datagram *datagram)
{
	const struct sequence_transit transit = transit_of(datagram);
	const bool near = difference_us(transit, sequence->highest_transit) <= SEQUENCE_COPY_US;
	const bool latest = is_latest(sequence, datagram->timestamp);
	/* A copy of an earlier datagram, if its number was seen. */
	const bool copy = near && !latest;
	enum sequence_verdict verdict = SEQUENCE_NEW;

	switch (sequence->state) {
	case SEQUENCE_EMPTY:
		begin(sequence, datagram, SEQUENCE_PROBATION);
		sequence->awaited = after(datagram->number);
		break;
	case SEQUENCE_PROBATION:
		verdict = on_probation(sequence, datagram);
		break;
	case SEQUENCE_VALID:
		verdict = when_valid(sequence, datagram, copy);
	}
	count(sequence, verdict);
	if (verdict == SEQUENCE_NEW || verdict == SEQUENCE_RESTARTED)
		sequence->highest_transit = transit;
	/* A new number may also begin another clock. */
	if (sequence_delivers(verdict) && (near ? latest : verdict != SEQUENCE_REORDERED))
		sequence->latest = datagram->timestamp;
	if (sequence_delivers(verdict) || (verdict == SEQUENCE_DUPLICATE && copy))
		measure(sequence, transit);
	return verdict;
}

/* ---- Reports ---- */

uint32_t sequence_highest(const struct sequence *sequence)
{
	return (uint32_t)(sequence->highest - SEQUENCE_MODULUS);
}

uint64_t sequence_expected(const struct sequence *sequence)
{
	return sequence->expected_past + expected(sequence);
}

int64_t sequence_lost(const struct sequence *sequence)
{
	return (int64_t)(sequence_expected(sequence) - sequence->received);
}

uint64_t sequence_lost_unique(const struct sequence *sequence)
{
	return sequence->span_past + span(sequence) - sequence->delivered;
}

uint64_t sequence_jitter_us(const struct sequence *sequence)
{
	return sequence->jitter_us / 16;
}
