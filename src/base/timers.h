/* SPDX-License-Identifier: MIT */
/*
 * timers.h - what is to happen when, in a binary heap: the next deadline is at its top.
 *
 * A timer lives inside the struct of its owner. Room for it is reserved once, so that setting one
 * never fails. Times are nanoseconds of the ring's clock.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include "base/base.h"

struct timer {
	uint64_t deadline_ns;
	size_t position; /* in the heap, counted from 1; 0: not set */
	void (*expired)(struct timer *timer);
};

struct timers {
	struct timer **heap;
	size_t count;
	size_t room;
	size_t reserved;
	uint64_t now_ns; /* of the run that is under way or was last */
};

/* Reserves room for one more timer, or gives it back. -ENOMEM. */
int timers_reserve(struct timers *timers);
void timers_unreserve(struct timers *timers);
void timers_destroy(struct timers *timers);

/* Sets a timer, or moves one that is set. It expires in a later run than the one under way. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns);

/* Clears a timer; one that is not set stays so. */
void timers_clear(struct timers *timers, struct timer *timer);

/* The next deadline; UINT64_MAX: none. */
uint64_t timers_next(const struct timers *timers);

/* Clears the timers that are due and calls their expired(), the earliest first. */
void timers_run(struct timers *timers, uint64_t now_ns);

#endif
