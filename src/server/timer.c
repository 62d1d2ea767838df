/* SPDX-License-Identifier: MIT */
/*
 * timer.c - the services' timers.
 */
#include <errno.h>
#include <stdlib.h>

#include "server/server.h"

struct rollcall_timer {
	struct timer timer;
	struct rollcall_server *server;
	uint64_t every_ns; /* 0: no repetition */
	void (*expired)(struct rollcall_server *server, void *context);
	void *context;
	bool expiring; /* its expired() is being called */
	bool stopped;  /* in its own expired() */
};

static void release(struct rollcall_timer *timer)
{
	timers_unreserve(&timer->server->hub.timers);
	free(timer);
}

static void on_timer(struct timer *base)
{
	struct rollcall_timer *timer = container_of(base, struct rollcall_timer, timer);
	struct hub *hub = &timer->server->hub;

	timer->expiring = true;
	timer->expired(timer->server, timer->context);
	timer->expiring = false;
	if (timer->stopped || timer->every_ns == 0)
		release(timer);
	else
		timers_set(&hub->timers, &timer->timer, hub->now_ns + timer->every_ns);
}

/* Milliseconds as nanoseconds, capped at 34 years so that nothing overflows. */
static uint64_t milliseconds(uint64_t ms)
{
	return (ms < (uint64_t)1 << 40 ? ms : (uint64_t)1 << 40) * 1000000;
}

int rollcall_timer_start(struct rollcall_server *server, struct rollcall_timer **out,
			 uint64_t after_ms, uint64_t every_ms,
			 void (*expired)(struct rollcall_server *server, void *context),
			 void *context)
{
	struct hub *hub = &server->hub;
	struct rollcall_timer *timer;

	if (!server_is_callers(server))
		return -EPERM;
	timer = malloc(sizeof(*timer));
	if (!timer)
		return -ENOMEM;
	if (timers_reserve(&hub->timers)) {
		free(timer);
		return -ENOMEM;
	}
	*timer = (struct rollcall_timer){
		.timer = { .expired = on_timer },
		.server = server,
		.every_ns = milliseconds(every_ms),
		.expired = expired,
		.context = context,
	};
	timers_set(&hub->timers, &timer->timer, ring_clock_ns(hub->ring) + milliseconds(after_ms));
	*out = timer;
	return 0;
}

int rollcall_timer_stop(struct rollcall_server *server, struct rollcall_timer *timer)
{
	if (!server_is_callers(server))
		return -EPERM;
	if (timer->expiring) {
		timer->stopped = true;
		return 0;
	}
	timers_clear(&server->hub.timers, &timer->timer);
	release(timer);
	return 0;
}

void server_destroy_timers(struct rollcall_server *server)
{
	struct timers *timers = &server->hub.timers;

	while (timers->count > 0) {
		struct timer *timer = timers->heap[0];

		timers_clear(timers, timer);
		if (timer->expired == on_timer)
			release(container_of(timer, struct rollcall_timer, timer));
	}
}
