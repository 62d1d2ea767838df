/* SPDX-License-Identifier: MIT */
/*
 * timers.h - timers in a binary heap, with the next deadline at the top.
 *
 * A timer is embedded in the struct of its owner. Its place in the heap is reserved beforehand, so
 * that setting it never fails. Times are nanoseconds of the ring's clock.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>

#include "base/base.h"

struct timer {
	uint64_t deadline_ns;
	size_t position;		      /* index in the heap plus 1; 0: not set */
	void (*expired)(struct timer *timer); /* NULL: expiry only wakes the loop */
};

struct timers {
	struct timer **heap;
	size_t count;
	size_t capacity;
	size_t reserved;
	uint64_t now_ns; /* time of the present or last timers_run() */
};

/* Reserves a place in the heap for one more timer, or releases one. -ENOMEM */
int timers_reserve(struct timers *timers);
void timers_unreserve(struct timers *timers);
void timers_destroy(struct timers *timers);

/* Sets a timer, or changes its deadline. It never expires in the timers_run() in progress. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns);

/* Clears a timer; no effect if it is not set. */
void timers_clear(struct timers *timers, struct timer *timer);

/* Whether the timer is set, and has not expired. */
static inline bool timer_is_set(const struct timer *timer)
{
	return timer->position > 0;
}

/* The next deadline; UINT64_MAX: no timer is set. */
uint64_t timers_next(const struct timers *timers);

/* Clears each timer whose deadline is at or before now_ns and calls its expired(), the earliest
 * first. */
void timers_run(struct timers *timers, uint64_t now_ns);

#endif
