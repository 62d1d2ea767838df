/* SPDX-License-Identifier: MIT */
/*
 * unfinished.h - the unfinished messages of all clients, in the order in which they began.
 *
 * A message may take its time, but not without end: a client that sends a byte now and then would
 * keep its place and its memory.
 */
#ifndef TCP_UNFINISHED_H
#define TCP_UNFINISHED_H

#include "client/hub.h"

/* An unfinished message, in the struct that holds its bytes. */
struct unfinished {
	struct unfinished *previous, *next;
	uint64_t client;
	uint32_t begun_ms; /* when its first byte arrived */
};

struct unfinished_list {
	struct hub *hub;
	struct unfinished *first, *last;
	struct timer timer;
	uint64_t stalled_ns; /* the hub's when the timer last expired */

	/*
	 * Called for a client whose message has not ended in time. Calls unfinished_end(), perhaps
	 * to let it begin again.
	 */
	void (*expired)(struct unfinished_list *list, struct client *client);
};

/* -ENOMEM */
int unfinished_init(struct unfinished_list *list, struct hub *hub,
		    void (*expired)(struct unfinished_list *list, struct client *client));

/* A message has begun. It is in no list. */
void unfinished_begin(struct unfinished_list *list, struct unfinished *message,
		      const struct client *client);

/* The message has ended, or is given up. */
void unfinished_end(struct unfinished_list *list, struct unfinished *message);

/* The message timeout has become shorter: places or memory have become short. */
void unfinished_hurry(struct unfinished_list *list);

#endif
