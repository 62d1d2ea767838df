/* SPDX-License-Identifier: MIT */
#include "sim/sequence_model.h"

#include "base/base.h"

/* RFC 3550, section A.1. */
#define MAX_DROPOUT 3000
#define MAX_MISORDER 100

/* How far back duplicates are recognised. */
#define WINDOW 1024

/* A copy arrives at most this much later than datagrams sent at the same time. */
#define COPY_US 1000000

uint64_t sequence_model_lost(const struct sequence_model *model)
{
	int64_t lowest = model->highest;

	if (model->count == 0)
		return 0;
	for (size_t i = 0; i < model->count; i++)
		lowest = model->all[i] < lowest ? model->all[i] : lowest;
	return model->lost + (uint64_t)(model->highest - lowest + 1) - model->count;
}

uint64_t sequence_model_expected(const struct sequence_model *model)
{
	uint64_t now = model->valid ? (uint64_t)(model->highest - model->first + 1) : 0;

	return model->expected + now;
}

static bool has_come(const struct sequence_model *model, int64_t number)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->all[i] == number)
			return true;
	return false;
}

/* Whether its transit time is about that of the highest: else its sender has another clock. */
static bool is_of_clock(const struct sequence_model *model, uint32_t timestamp, uint64_t now_us)
{
	const int32_t longer = (int32_t)((uint32_t)(now_us - model->highest_us) -
					 (timestamp - model->highest_timestamp));

	return longer <= COPY_US && longer >= -COPY_US;
}

/* Whether its timestamp allows it: the network changes none, and keeps no datagram for long. */
static bool can_be_copy(const struct sequence_model *model, uint32_t timestamp, uint64_t now_us)
{
	if (!is_of_clock(model, timestamp, now_us))
		return false;
	for (size_t i = model->clock_first; i < model->count; i++)
		if ((int32_t)(timestamp - model->timestamps[i]) <= 0)
			return true;
	return false;
}

static void keep(struct sequence_model *model, int64_t number, uint32_t timestamp, uint64_t now_us)
{
	const bool of_clock = model->count > 0 && is_of_clock(model, timestamp, now_us);

	CHECK(model->count < SEQUENCE_MODEL_MAX);
	/* The timestamp of a late one of another clock says nothing. */
	model->timestamps[model->count] = of_clock ? timestamp : model->highest_timestamp;
	if (model->count == 0 || number > model->highest) {
		if (!of_clock)
			model->clock_first = model->count;
		model->timestamps[model->count] = timestamp;
		model->highest = number;
		model->highest_timestamp = timestamp;
		model->highest_us = now_us;
	}
	model->all[model->count++] = number;
}

static void begin(struct sequence_model *model, uint16_t number, uint32_t timestamp,
		  uint64_t now_us)
{
	model->lost = sequence_model_lost(model);
	model->expected = sequence_model_expected(model);
	model->count = 0;
	model->first = number;
	keep(model, number, timestamp, now_us);
}

struct next {
	uint16_t number;
	int64_t full; /* the number, extended beyond 16 bits */
	uint32_t timestamp;
	uint64_t now_us;
};

/* Before two have arrived in sequence all is delivered except duplicates; a jump restarts. */
static bool take_first(struct sequence_model *model, const struct next *next, bool near, bool seen)
{
	const bool sequential = model->awaited == next->number;

	model->awaited = (uint16_t)(next->number + 1);
	if (!near) {
		begin(model, next->number, next->timestamp, next->now_us);
		return true;
	}
	model->duplicates += seen;
	if (!seen) {
		model->reordered += next->full < model->highest;
		keep(model, next->full, next->timestamp, next->now_us);
	}
	if (sequential) {
		model->valid = true;
		model->awaited = -1;
		model->first = next->full;
		model->received++;
	}
	return !seen;
}

/* A number that is not delivered may be the first of a restart, which the second confirms. */
static bool take_astray(struct sequence_model *model, const struct next *next, bool near)
{
	if (model->awaited == next->number) {
		begin(model, next->number, next->timestamp, next->now_us);
		model->awaited = -1;
		model->restarts++;
		model->received++;
		return true;
	}
	model->awaited = (uint16_t)(next->number + 1);
	model->received += near;
	model->duplicates += near;
	model->late += !near;
	return false;
}

bool sequence_model_take(struct sequence_model *model, uint16_t number, uint32_t timestamp,
			 uint64_t now_us)
{
	const int16_t ahead = (int16_t)(number - (uint16_t)model->highest);
	const struct next next = { number, model->highest + ahead, timestamp, now_us };
	const bool near = model->count > 0 && ahead > -WINDOW && ahead < MAX_DROPOUT;
	const bool seen = near && has_come(model, next.full);

	if (!model->valid)
		return take_first(model, &next, near, seen);
	if (!near || (seen && (ahead <= -MAX_MISORDER || !can_be_copy(model, timestamp, now_us))))
		return take_astray(model, &next, near);
	model->received++;
	if (seen) {
		model->duplicates++;
		return false;
	}
	if (next.full < model->highest)
		model->reordered++;
	else
		model->awaited = -1;
	keep(model, next.full, timestamp, now_us);
	return true;
}
