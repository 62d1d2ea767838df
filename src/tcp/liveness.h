/* SPDX-License-Identifier: MIT */
/*
 * liveness.h - finds TCP connections that were reset without a completion that reports it.
 *
 * A multishot receive waits with an edge-triggered poll. Data and an RST that both arrive before
 * the poll is armed are one event: the receive runs once, takes the data, and runs again only if
 * the socket has more queued, which an RST does not count as. No other event follows (Linux 6.12 to
 * 6.18; liburing issue 1549). Kernels without a fix of 2026 also merge data and an RST that arrive
 * later, before the wake-up is handled. A FIN is never missed: it counts as queued. A send in
 * flight fails on a reset connection, so clients with one need no check.
 *
 * Two checks find such connections. Each new receive is checked once, at the end of the turn that
 * brings its first data; this covers the first case. And a client is checked once after
 * LIVENESS_SILENT_MS to twice that without data. After that it is not checked again, so an idle
 * server makes no system calls and does not wake up.
 *
 * The receive of such a connection is cancelled and started again: its first attempt returns the
 * remaining data, then the error.
 */
#ifndef TCP_LIVENESS_H
#define TCP_LIVENESS_H

#include "client/hub.h"

#define LIVENESS_SILENT_MS 1500

/* The same while the table is full, or accept fails: waiting clients need the slot. */
#define LIVENESS_SILENT_FULL_MS 100

/* Checks in one run of the timer; the others follow LIVENESS_STEP_MS later. */
#define LIVENESS_CHECKS_MAX 256
#define LIVENESS_STEP_MS 1

_Static_assert(2 * LIVENESS_SILENT_MS + 20000 / LIVENESS_CHECKS_MAX * LIVENESS_STEP_MS < 5000,
	       "20,000 clients that are silent are checked within 5 s");

struct liveness {
	struct hub *hub;
	struct client_list lists[2]; /* active in the current period, and in the one before */
	unsigned current;	     /* index of the list of the current period */
	uint64_t period_ns;	     /* its start */
	struct timer timer;
};

/* -ENOMEM */
int liveness_init(struct liveness *liveness, struct hub *hub);

/* A receive of the client was started: schedules its check. */
void liveness_started(struct liveness *liveness, struct client *client);

/* For liveness_received(): moves the client to the list of this period. */
void liveness_note(struct liveness *liveness, struct client *client);

/* The receive has brought data. */
static inline void liveness_received(struct liveness *liveness, struct client *client)
{
	const unsigned list = client_has_any(client, CLIENT_SECOND);

	if (client_has_any(client, CLIENT_UNCHECKED) || list != liveness->current ||
	    !client_is_in_list(client, LIST_WAIT))
		liveness_note(liveness, client);
}

/* At the end of a turn: checks the client if its receive has brought its first data. */
void liveness_flush(struct liveness *liveness, struct client *client);

/* Cancels the check: the client is closing, or waits for a buffer or memory. */
void liveness_leave(struct liveness *liveness, struct client *client);

/* Checks earlier: the table is full, or accept fails for lack of descriptors or memory. */
void liveness_hurry(struct liveness *liveness);

#endif
