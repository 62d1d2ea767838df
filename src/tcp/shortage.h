/* SPDX-License-Identifier: MIT */
/*
 * shortage.h - which clients give way when memory or places are short.
 *
 * When memory is short, the clients that hold most and have got on least are ended first, so that
 * memory is left for those that get on. This is done once a turn, and when a message or held input
 * finds no space in what the turn before has left (tcp.make_space); answers find it in the reserve
 * (queue_memory_has()). When all places are taken, the source that holds most gives way to one that
 * holds fewer, with its client that has been silent longest. Timeouts are shorter too, while memory
 * or places are short (hub_timeout_ms()).
 */
#ifndef TCP_SHORTAGE_H
#define TCP_SHORTAGE_H

#include "tcp/tcp.h"

/*
 * Time after a stall of the process in which no client is ended: what it sent or acknowledged
 * meanwhile may not have been seen yet.
 */
#define SHORTAGE_STALL_MS 1000

/*
 * A client that has got on in this time is not ended for the output that it holds: back pressure
 * limits it.
 */
#define SHORTAGE_HELD_MS 1000

/* Time until the clients are looked at again, if the memory that they held did not suffice. */
#define SHORTAGE_RETRY_MS 50

/* A client is not ended for its place if it has sent something in this time. */
#define SHORTAGE_SILENT_MS 1000

/* Clients that are looked at for one place, and the time until others are if none gives way. */
#define SHORTAGE_PLACES 4096
#define SHORTAGE_PLACES_MS 250

/* -ENOMEM */
int shortage_init(struct tcp *tcp);

/* Called once per turn, when completions have been handled and timers run. */
void shortage_check(struct tcp *tcp);

/*
 * Whether it is time to end a client for its place: none that was is still ending. Not in the
 * drain, where all of them end, and have answers to get first.
 */
bool shortage_can_make_place(const struct tcp *tcp);

/* Ends a client, if there is one that has to give way to a client of this source. */
void shortage_make_place(struct tcp *tcp, uint64_t source);

#endif
