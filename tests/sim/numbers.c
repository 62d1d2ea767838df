/* SPDX-License-Identifier: MIT */
#include "sim/numbers.h"

#include "base/base.h"

/* RFC 3550, section A.1. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100

/* So many are told from one another. */
#define WINDOW 1024

/* A copy comes at most so much later than the datagrams that left with it. */
#define COPY_US 1000000

uint64_t numbers_lost(const struct numbers *numbers)
{
	int64_t lowest = numbers->highest;

	if (numbers->count == 0)
		return 0;
	for (size_t i = 0; i < numbers->count; i++)
		lowest = numbers->all[i] < lowest ? numbers->all[i] : lowest;
	return numbers->lost + (uint64_t)(numbers->highest - lowest + 1) - numbers->count;
}

uint64_t numbers_expected(const struct numbers *numbers)
{
	uint64_t now = numbers->valid ? (uint64_t)(numbers->highest - numbers->first + 1) : 0;

	return numbers->expected + now;
}

static bool has_come(const struct numbers *numbers, int64_t number)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (numbers->all[i] == number)
			return true;
	return false;
}

/* Whether it was under way about as long as the highest: else its sender has another clock. */
static bool is_of_clock(const struct numbers *numbers, uint32_t timestamp, uint64_t now_us)
{
	const int32_t longer = (int32_t)((uint32_t)(now_us - numbers->highest_us) -
					 (timestamp - numbers->highest_timestamp));

	return longer <= COPY_US && longer >= -COPY_US;
}

/* What its times allow: the network changes no timestamp, and keeps no datagram for long. */
static bool can_be_copy(const struct numbers *numbers, uint32_t timestamp, uint64_t now_us)
{
	if (!is_of_clock(numbers, timestamp, now_us))
		return false;
	for (size_t i = numbers->clock_first; i < numbers->count; i++)
		if ((int32_t)(timestamp - numbers->timestamps[i]) <= 0)
			return true;
	return false;
}

static void keep(struct numbers *numbers, int64_t number, uint32_t timestamp, uint64_t now_us)
{
	const bool of_clock = numbers->count > 0 && is_of_clock(numbers, timestamp, now_us);

	CHECK(numbers->count < NUMBERS_MAX);
	/* A late one of another clock tells nothing. */
	numbers->timestamps[numbers->count] = of_clock ? timestamp : numbers->highest_timestamp;
	if (numbers->count == 0 || number > numbers->highest) {
		if (!of_clock)
			numbers->clock_first = numbers->count;
		numbers->timestamps[numbers->count] = timestamp;
		numbers->highest = number;
		numbers->highest_timestamp = timestamp;
		numbers->highest_us = now_us;
	}
	numbers->all[numbers->count++] = number;
}

static void begin(struct numbers *numbers, uint16_t number, uint32_t timestamp, uint64_t now_us)
{
	numbers->lost = numbers_lost(numbers);
	numbers->expected = numbers_expected(numbers);
	numbers->count = 0;
	numbers->first = number;
	keep(numbers, number, timestamp, now_us);
}

struct next {
	uint16_t number;
	int64_t full; /* the number, made to count on */
	uint32_t timestamp;
	uint64_t now_us;
};

/* Until two have come in sequence all is delivered but what comes twice, and a jump begins anew. */
static bool take_first(struct numbers *numbers, const struct next *next, bool near, bool seen)
{
	const bool sequential = numbers->awaited == next->number;

	numbers->awaited = (uint16_t)(next->number + 1);
	if (!near) {
		begin(numbers, next->number, next->timestamp, next->now_us);
		return true;
	}
	numbers->duplicates += seen;
	if (!seen) {
		numbers->reordered += next->full < numbers->highest;
		keep(numbers, next->full, next->timestamp, next->now_us);
	}
	if (sequential) {
		numbers->valid = true;
		numbers->awaited = -1;
		numbers->first = next->full;
		numbers->received++;
	}
	return !seen;
}

/* What is not to be delivered may be the first, and then the second, of a sender begun anew. */
static bool take_astray(struct numbers *numbers, const struct next *next, bool near)
{
	if (numbers->awaited == next->number) {
		begin(numbers, next->number, next->timestamp, next->now_us);
		numbers->awaited = -1;
		numbers->restarts++;
		numbers->received++;
		return true;
	}
	numbers->awaited = (uint16_t)(next->number + 1);
	numbers->received += near;
	numbers->duplicates += near;
	numbers->late += !near;
	return false;
}

bool numbers_take(struct numbers *numbers, uint16_t number, uint32_t timestamp, uint64_t now_us)
{
	const int16_t ahead = (int16_t)(number - (uint16_t)numbers->highest);
	const struct next next = { number, numbers->highest + ahead, timestamp, now_us };
	const bool near = numbers->count > 0 && ahead > -WINDOW && ahead < MAX_DROPOUT;
	const bool seen = near && has_come(numbers, next.full);

	if (!numbers->valid)
		return take_first(numbers, &next, near, seen);
	if (!near || (seen && (ahead <= -MAX_MISORDER || !can_be_copy(numbers, timestamp, now_us))))
		return take_astray(numbers, &next, near);
	numbers->received++;
	if (seen) {
		numbers->duplicates++;
		return false;
	}
	if (next.full < numbers->highest)
		numbers->reordered++;
	else
		numbers->awaited = -1;
	keep(numbers, next.full, timestamp, now_us);
	return true;
}
