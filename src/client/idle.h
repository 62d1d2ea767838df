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

/* For idle_touch(): adds the client to the list, or moves it to the end, and records the time. */
void idle_move(struct idle *idle, struct client *client, uint64_t now_ns);

/* Time in the list since the last move; unsigned, so correct across the wrap of the 32 bits. */
static inline uint32_t idle_listed_ms(const struct client *client, uint64_t now_ns)
{
	return client_ms(now_ns) - client->active_ms;
}

/* Records activity of a client, and adds it to the list the first time if there is a timeout. */
static inline void idle_touch(struct idle *idle, struct client *client, uint64_t now_ns)
{
	const bool is_placed = client_is_in_list(client, LIST_IDLE) || idle->timeout_ms == 0;

	if (!is_placed || idle_listed_ms(client, now_ns) > idle->slack_ms)
		idle_move(idle, client, now_ns);
}

/* Removes a client from the list, if it is on it. */
void idle_remove(struct idle *idle, struct client *client);

#endif
