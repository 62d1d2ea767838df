/* SPDX-License-Identifier: MIT */
/*
 * receive.h - the receive of a TCP client: one multishot operation into the shared buffers.
 * client/client.h draws its states.
 */
#ifndef TCP_RECEIVE_H
#define TCP_RECEIVE_H

#include "tcp/tcp.h"

/* Whether a receive is to be started, or the one in flight to be cancelled. */
bool receive_is_due(const struct client *client);
bool receive_is_to_cancel(const struct client *client);

/* Start a receive, and cancel it. false: the submission queue is full. */
bool receive_start(struct tcp *tcp, struct client *client);
bool receive_cancel(struct tcp *tcp, struct client *client);

/* To be called at the beginning of a turn. */
void receive_begin_turn(struct tcp *tcp);

/* To be called first with each completion of a receive. */
static inline void receive_completed(struct tcp *tcp, struct client *client,
				     const struct io_uring_cqe *cqe)
{
	/* Any completion, a successful one too, may be the last of a multishot: check the flag. */
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	client->receive = RECEIVE_NONE;
	hub_flush_later(tcp->hub, client);
}

/* Counts the bytes of a completion. */
void receive_got(struct tcp *tcp, struct client *client, size_t bytes);

/*
 * Handles the error of a completion; `cancelled`: the state was RECEIVE_CANCELLING. Returns 0 if a
 * receive is to be started again, now or later; otherwise the error, which ends the client.
 */
int receive_failed(struct tcp *tcp, struct client *client, int error, bool cancelled);

/*
 * Whether silence is the client's own. It is not while no receive is in flight for lack of a buffer
 * or memory, as input may be waiting in the socket. It is when receiving is suspended because the
 * client does not read its answers.
 */
bool receive_would_tell(const struct client *client);

#endif
