/* SPDX-License-Identifier: MIT */
#include "sim/numbers.h"

#include "base/base.h"

/* RFC 3550, section A.1. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100

/* So many are told from one another. */
#define WINDOW 1024

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

static void keep(struct numbers *numbers, int64_t number)
{
	CHECK(numbers->count < NUMBERS_MAX);
	if (numbers->count == 0 || number > numbers->highest)
		numbers->highest = number;
	numbers->all[numbers->count++] = number;
}

static void begin(struct numbers *numbers, uint16_t number)
{
	numbers->lost = numbers_lost(numbers);
	numbers->expected = numbers_expected(numbers);
	numbers->count = 0;
	numbers->first = number;
	keep(numbers, number);
}

/* Until two have come in sequence all is delivered but what comes twice, and a jump begins anew. */
static bool take_first(struct numbers *numbers, uint16_t number, int64_t full, bool near, bool seen)
{
	const bool sequential = numbers->awaited == number;

	numbers->awaited = (uint16_t)(number + 1);
	if (!near) {
		begin(numbers, number);
		return true;
	}
	numbers->duplicates += seen;
	if (!seen) {
		numbers->reordered += full < numbers->highest;
		keep(numbers, full);
	}
	if (sequential) {
		numbers->valid = true;
		numbers->awaited = -1;
		numbers->first = full;
		numbers->received++;
	}
	return !seen;
}

/* What is not to be delivered may be the first, and then the second, of a sender begun anew. */
static bool take_astray(struct numbers *numbers, uint16_t number, bool near)
{
	if (numbers->awaited == number) {
		begin(numbers, number);
		numbers->awaited = -1;
		numbers->restarts++;
		numbers->received++;
		return true;
	}
	numbers->awaited = (uint16_t)(number + 1);
	numbers->received += near;
	numbers->duplicates += near;
	numbers->late += !near;
	return false;
}

bool numbers_take(struct numbers *numbers, uint16_t number)
{
	const int16_t ahead = (int16_t)(number - (uint16_t)numbers->highest);
	const int64_t full = numbers->highest + ahead;
	const bool near = numbers->count > 0 && ahead > -WINDOW && ahead < MAX_DROPOUT;
	const bool seen = near && has_come(numbers, full);

	if (!numbers->valid)
		return take_first(numbers, number, full, near, seen);
	if (!near || (seen && ahead <= -MAX_MISORDER))
		return take_astray(numbers, number, near);
	numbers->received++;
	if (seen) {
		numbers->duplicates++;
		return false;
	}
	if (full < numbers->highest)
		numbers->reordered++;
	else
		numbers->awaited = -1;
	keep(numbers, full);
	return true;
}
