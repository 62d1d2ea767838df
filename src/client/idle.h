/* SPDX-License-Identifier: MIT */
/*
 * idle.h - a list of clients in the order of their last activity, which finds the idle ones.
 *
 * A client moves to the end of the list only when 1/16 of the timeout has passed since its last
 * move, so under load the list hardly changes. The price: a client may be found idle up to 1/16
 * late, but never early.
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
	uint32_t timeout_ms; /* 0: none */
	uint32_t slack_ms;   /* 1/16 of the shortest timeout */

	/* Called for a client whose timeout has expired; it is already off the list. */
	void (*expire)(struct idle *idle, struct client *client);
};

/* -ENOMEM */
int idle_init(struct idle *idle, struct table *table, struct timers *timers, uint64_t timeout_ms,
	      void (*expire)(struct idle *idle, struct client *client));

/*
 * Changes the timeout. It must not be shorter than that of idle_init(), which decides when clients
 * move.
 */
void idle_set_timeout(struct idle *idle, uint64_t timeout_ms, uint64_t now_ns);

/* Records activity of a client, and adds it to the list the first time if there is a timeout. */
void idle_touch(struct idle *idle, struct client *client, uint64_t now_ns);

/* Removes a client from the list, if it is on it. */
void idle_remove(struct idle *idle, struct client *client);

#endif
