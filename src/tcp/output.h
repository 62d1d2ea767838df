/* SPDX-License-Identifier: MIT */
/*
 * output.h - what is sent to a TCP client: queued, gathered into one send, limited, and told of.
 *
 * One send is in flight at a time, with all that is queued in it: two would interleave. The first
 * try does not wait, so that what it could not send need not stay in shared buffers.
 */
#ifndef TCP_OUTPUT_H
#define TCP_OUTPUT_H

#include "tcp/tcp.h"

/* Queues a message; as rollcall_sendv(). */
int output_send(struct tcp *tcp, struct client *client, const struct message *message);

/* Whether a send is to be started. */
bool output_is_due(const struct client *client);

/* Starts it. false: the submission queue is full. */
bool output_start(struct tcp *tcp, struct client *client);

/* Its completion. */
void output_on_sent(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe);

/*
 * If there is room in the queue again, lets input go on, and tells the service that waits for it.
 */
void output_tell_room(struct tcp *tcp, struct client *client);

#endif
