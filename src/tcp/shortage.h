/* SPDX-License-Identifier: MIT */
/*
 * shortage.h - which clients give way when memory is short.
 *
 * The clients that hold most and have got on least are ended first, so that memory is left for
 * those that get on. Timeouts are shorter too, while memory or places are short (hub_timeout_ms()).
 */
#ifndef TCP_SHORTAGE_H
#define TCP_SHORTAGE_H

#include "tcp/tcp.h"

/*
 * A client that has got on in this time is not ended for the output that it holds: back pressure
 * limits it.
 */
#define SHORTAGE_HELD_MS 1000

/* Time until the clients are looked at again, if the memory that they held did not suffice. */
#define SHORTAGE_RETRY_MS 50

/* -ENOMEM */
int shortage_init(struct tcp *tcp);

/* Called once per turn, when completions have been handled and timers run. */
void shortage_check(struct tcp *tcp);

#endif
