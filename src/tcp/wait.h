/* SPDX-License-Identifier: MIT */
/*
 * wait.h - TCP clients that cannot go on for lack of something that all share: receive buffers, or
 * memory, the kernel's or that of the queues. Nobody spins, and who has waited for longest goes on
 * first.
 */
#ifndef TCP_WAIT_H
#define TCP_WAIT_H

#include "tcp/tcp.h"

/* Holds up the client's receive until a buffer is free. */
void wait_for_buffer(struct tcp *tcp, struct client *client);

/*
 * Holds up its receive and its send for a while: trying again at once would fail again, and spin.
 */
void wait_for_memory(struct tcp *tcp, struct client *client);

/* Lets clients that wait for a buffer go on, as many as there are buffers. */
void wait_end_for_buffers(struct tcp *tcp);

/* Takes a client out of the waiting. */
void wait_leave(struct tcp *tcp, struct client *client);

/* Lets all that wait for memory go on; for tcp->starved_timer. */
void wait_on_timer(struct timer *timer);

#endif
