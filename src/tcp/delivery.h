/* SPDX-License-Identifier: MIT */
/*
 * delivery.h - watches clients whose output the peer has not acknowledged.
 *
 * The kernel accepts output long before the peer does. So whether a client is idle, and when it may
 * be closed, is decided by what the peer has acknowledged (tcp(7), TCP_INFO). No event tells that:
 * watched clients are looked at from time to time, until all is acknowledged, or nothing was for
 * the send timeout. A watched client is in this list in the place of an idle list.
 */
#ifndef TCP_DELIVERY_H
#define TCP_DELIVERY_H

#include "base/timers.h"
#include "client/core.h"

/*
 * The time between two looks: short at first, and twice as long each time that nothing has changed,
 * up to a 32nd of the shortest timeout and a second at most.
 */
#define DELIVERY_LOOK_MS_MIN 50
#define DELIVERY_LOOK_MS_MAX 1000

/* Clients at a look: this many, or a quarter of all if that is more; in turn. */
#define DELIVERY_CLIENTS_MIN 64

struct delivery {
	struct core *core;
	struct client_list list;
	struct timer timer;
	uint64_t interval_ns, interval_ns_max;

	/*
	 * Called for a client that is not watched any more. result: 0: all is acknowledged; -ETIME:
	 * nothing was exchanged for the idle timeout; -ETIMEDOUT: nothing was acknowledged for the
	 * send timeout; any other: the error that ended the connection.
	 */
	void (*ended)(struct delivery *delivery, struct client *client, int result);
};

/* -ENOMEM */
int delivery_init(struct delivery *delivery, struct core *core,
		  void (*ended)(struct delivery *delivery, struct client *client, int result));

/* Begins to watch a client, which may be in no idle list. */
void delivery_watch(struct delivery *delivery, struct client *client);

/* Notes that a watched client has sent something. */
void delivery_touch(struct delivery *delivery, struct client *client);

/* Ends the watch. */
void delivery_forget(struct delivery *delivery, struct client *client);

/*
 * Looks at a client now, watched or not. 0: everything sent to it is acknowledged, the end of our
 * side too, if it was shut down; -EAGAIN: not yet; any other: the error that ended the connection.
 */
int delivery_check(struct delivery *delivery, struct client *client);

#endif
