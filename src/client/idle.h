/* SPDX-License-Identifier: MIT */
/*
 * idle.h - clients in the order of their last activity, so that the idle ones are found first.
 *
 * A client moves to the end of the list only when a sixteenth of the timeout has passed since it
 * last did: under load the list stays almost untouched. For that a client may be found idle so
 * much late, but never early.
 */
#ifndef CLIENT_IDLE_H
#define CLIENT_IDLE_H

#include "base/timers.h"
#include "client/table.h"

struct idle {
	struct table *table;
	struct timers *timers;
	struct client_list list;
	struct timer timer;
	uint32_t timeout_ms; /* 0: never */

	/* Called for a client that has been idle for too long, and is off the list now. */
	void (*expire)(struct idle *idle, struct client *client);
};

/* -ENOMEM */
int idle_init(struct idle *idle, struct table *table, struct timers *timers, uint64_t timeout_ms,
	      void (*expire)(struct idle *idle, struct client *client));

/* Notes activity of a client, the first included. */
void idle_touch(struct idle *idle, struct client *client, uint64_t now_ns);

/* Takes a client off, if it is on the list. */
void idle_remove(struct idle *idle, struct client *client);

#endif
