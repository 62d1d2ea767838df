/* SPDX-License-Identifier: MIT */
#include "base/timers.h"

#include <errno.h>

int timers_reserve(struct timers *timers)
{
	if (timers->reserved == timers->capacity) {
		size_t capacity = timers->capacity ? 2 * timers->capacity : 16;
		struct timer **heap = realloc(timers->heap, capacity * sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		timers->heap = heap;
		timers->capacity = capacity;
	}
	timers->reserved++;
	return 0;
}

void timers_unreserve(struct timers *timers)
{
	CHECK(timers->reserved > timers->count);
	timers->reserved--;
}

void timers_destroy(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

static void place(struct timers *timers, struct timer *timer, size_t position)
{
	timers->heap[position - 1] = timer;
	timer->position = position;
}

static void sift_up(struct timers *timers, struct timer *timer, size_t position)
{
	while (position > 1) {
		struct timer *parent = timers->heap[position / 2 - 1];

		if (parent->deadline_ns <= timer->deadline_ns)
			break;
		place(timers, parent, position);
		position /= 2;
	}
	place(timers, timer, position);
}

static void sift_down(struct timers *timers, struct timer *timer, size_t position)
{
	for (;;) {
		size_t child = 2 * position;

		if (child < timers->count &&
		    timers->heap[child]->deadline_ns < timers->heap[child - 1]->deadline_ns)
			child++;
		if (child > timers->count ||
		    timer->deadline_ns <= timers->heap[child - 1]->deadline_ns)
			break;
		place(timers, timers->heap[child - 1], position);
		position = child;
	}
	place(timers, timer, position);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns)
{
	timers_clear(timers, timer);
	CHECK(timers->count < timers->reserved);
	timer->deadline_ns = deadline_ns > timers->now_ns ? deadline_ns : timers->now_ns + 1;
	timers->count++;
	sift_up(timers, timer, timers->count);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
	size_t position = timer->position;
	struct timer *last;

	if (!position)
		return;
	CHECK(timers->heap[position - 1] == timer);
	last = timers->heap[--timers->count];
	timer->position = 0;
	if (last == timer)
		return;
	/* The last entry moves into the gap, and sinks or rises from there. */
	sift_down(timers, last, position);
	sift_up(timers, last, last->position);
}

uint64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->heap[0]->deadline_ns : UINT64_MAX;
}

void timers_run(struct timers *timers, uint64_t now_ns)
{
	timers->now_ns = now_ns;
	while (timers_next(timers) <= now_ns) {
		struct timer *timer = timers->heap[0];

		timers_clear(timers, timer);
		if (timer->expired)
			timer->expired(timer);
	}
}
