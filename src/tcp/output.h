/* SPDX-License-Identifier: MIT */
/*
 * output.h - the output of a TCP client: queueing, gathering into sends, limits, drained().
 *
 * One send with several chunks is in flight at a time: two sends could interleave. The first
 * attempt uses MSG_DONTWAIT, so that what the socket does not take can be copied out of shared
 * buffers.
 */
#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

#include "tcp/tcp.h"

/* Queues a message. Returns as rollcall_sendv(). */
int output_send(struct tcp *tcp, struct client *client, const struct message *message);

/* Whether a send is to be started. */
bool output_is_due(const struct client *client);

/* Starts a send. false: the submission queue is full. */
bool output_start(struct tcp *tcp, struct client *client);

/* Whether the send in flight is to be cancelled: the client is closing. */
bool output_is_to_cancel(const struct client *client);

/* Cancels it. false: the submission queue is full. */
bool output_cancel(struct tcp *tcp, struct client *client);

/* The completion of the send: frees what it used. */
void output_ended(struct tcp *tcp, struct client *client);

/*
 * Takes what was sent off the queue, or waits if it was not all. Returns 0, or why the rest cannot
 * be sent.
 */
int output_sent(struct tcp *tcp, struct client *client, int result);

/*
 * If the queue has fallen to half of the soft limit, resumes receiving and calls drained() if the
 * service waits for it.
 */
void output_call_drained(struct tcp *tcp, struct client *client);

#endif
