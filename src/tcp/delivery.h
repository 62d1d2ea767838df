/* SPDX-License-Identifier: MIT */
/*
 * delivery.h - watches clients whose output the peer has not acknowledged.
 *
 * The kernel accepts output long before the peer acknowledges it. So whether a client is idle, and
 * when it may be closed, depends on what the peer has acknowledged (tcp(7), TCP_INFO). No event
 * reports that: watched clients are polled until everything is acknowledged, or nothing has been
 * during the send timeout. A watched client is in this list instead of an idle list.
 */
#ifndef TCP_DELIVERY_H
#define TCP_DELIVERY_H

#include "base/timers.h"
#include "client/hub.h"

/*
 * Poll interval: the minimum at first, doubled each time that nothing has changed, up to 1/32 of
 * the shortest timeout and at most 1 s.
 */
#define DELIVERY_POLL_MS_MIN 50
#define DELIVERY_POLL_MS_MAX 1000

/*
 * Clients checked per poll, in turn: a quarter of all within these limits. With more than four
 * times the maximum the interval is shorter in proportion, so that each client has its turn.
 */
#define DELIVERY_CLIENTS_MIN 64
#define DELIVERY_CLIENTS_MAX 1024

/*
 * While output waits for space in the socket, a client gets on only if it acknowledges this many
 * bytes a second or more: one that takes a byte now and then does not keep its queue.
 */
#define DELIVERY_RATE 1024

struct delivery {
	struct hub *hub;
	struct client_list list;
	struct timer timer;
	uint64_t interval_ns, interval_ns_max;
	uint64_t stalled_ns; /* the hub's at the last poll */

	/*
	 * Called for a client that is no longer watched. result: 0: everything is acknowledged;
	 * -ETIME: the idle timeout has expired; -ETIMEDOUT: the send timeout has expired; any
	 * other: the error that ended the connection.
	 */
	void (*ended)(struct delivery *delivery, struct client *client, int result);
};

/* -ENOMEM */
int delivery_init(struct delivery *delivery, struct hub *hub,
		  void (*ended)(struct delivery *delivery, struct client *client, int result));

/* Begins to watch a client, which must be in no idle list. */
void delivery_watch(struct delivery *delivery, struct client *client);

/* Records that a watched client has sent something. */
void delivery_touch(struct delivery *delivery, struct client *client);

/* Ends the watch of a client. */
void delivery_forget(struct delivery *delivery, struct client *client);

/*
 * Checks a client now, watched or not. 0: all output is acknowledged, and our FIN too if the socket
 * was shut down; -EAGAIN: not yet; any other: the error that ended the connection.
 */
int delivery_check(struct delivery *delivery, struct client *client);

#endif
