/* SPDX-License-Identifier: MIT */
/*
 * wait.h - TCP clients that cannot go on for lack of a shared resource: receive buffers, kernel
 * memory, or memory of the queues. They are resumed in FIFO order, for a buffer those within their
 * share first; retries never spin.
 */
#ifndef TCP_WAIT_H
#define TCP_WAIT_H

#include "tcp/tcp.h"

/* Suspends the client's receive until a buffer is free. */
void wait_for_buffer(struct tcp *tcp, struct client *client);

/*
 * Suspends the client's receive and send for TCP_RETRY_NS: an immediate retry would fail again, and
 * spin.
 */
void wait_for_memory(struct tcp *tcp, struct client *client);

/*
 * Resumes clients that wait for a buffer, as many as buffers are free: first those within their
 * share, which take one; those beyond it take all that they find. A quarter of the buffers is for
 * these, so that they get on too.
 */
void wait_end_for_buffers(struct tcp *tcp);

/*
 * Whether buffers are free, but more clients wait than could be resumed: if those that were have no
 * input, no event resumes the others.
 */
bool wait_goes_on(const struct tcp *tcp);

/* Suspends the handling of the client's held input until one of the next turns. */
void wait_for_turn(struct tcp *tcp, struct client *client);

/* Resumes those that have waited longest, TCP_LEFT_OVER_CLIENTS at most. */
void wait_end_for_turn(struct tcp *tcp);

/* Removes a client from the waiting lists. */
void wait_leave(struct tcp *tcp, struct client *client);

/* Resumes all clients that wait for memory; the handler of tcp->memory_timer. */
void wait_on_timer(struct timer *timer);

#endif
