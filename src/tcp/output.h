/* SPDX-License-Identifier: MIT */
/*
 * output.h - the output of a TCP client: queueing, gathering into sends, limits, drained().
 *
 * One send with several chunks is in flight at a time: two sends could interleave. No send waits
 * (MSG_DONTWAIT): what the socket does not take is copied out of shared buffers, and a poll waits
 * until the socket takes more. A send that waits may end up in an io-wq worker, a thread for each
 * client that does not read.
 */
#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

#include "tcp/tcp.h"

/* Queues a message. Returns as rollcall_sendv(). */
int output_send(struct tcp *tcp, struct client *client, const struct message *message);

/* Whether a send is to be started. */
static inline bool output_is_due(const struct client *client)
{
	return client->tcp.queue.bytes > 0 && client->state < CLIENT_LINGERING &&
	       !(client->in_flight & IN_FLIGHT_SEND) && !client_has_any(client, CLIENT_NO_MEMORY);
}

/* Starts a send, or a poll if the socket is full. false: the submission queue is full. */
bool output_start(struct tcp *tcp, struct client *client);

/*
 * Whether the poll in flight is to be cancelled: the client is closing, or the socket takes output.
 * Sends end by themselves.
 */
bool output_is_to_cancel(const struct client *client);

/* Cancels it. false: the submission queue is full. */
bool output_cancel(struct tcp *tcp, struct client *client);

/* The completion of the send: frees what it used. */
void output_ended(struct tcp *tcp, struct client *client);

/* A result of the poll: a send follows, another poll, or a wait for memory. */
void output_polled(struct tcp *tcp, struct client *client, int result);

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
