/* SPDX-License-Identifier: MIT */
/*
 * connection.h - a TCP client, from accept to close. client/client.h draws its states.
 */
#ifndef TCP_CONNECTION_H
#define TCP_CONNECTION_H

#include "tcp/tcp.h"

/* Initializes what all TCP clients of a server share. -ENOMEM */
int connections_init(struct tcp *tcp, struct hub *hub);
void connections_destroy(struct tcp *tcp);

/*
 * Makes a client of an accepted socket from this source (places_source()), and takes over the
 * socket. A slot must be free.
 */
void connection_open(struct tcp *tcp, const struct origin *origin, int fd, uint64_t source);

/* Sends what is queued, then closes. Does nothing unless the client is OPEN. */
void connection_close(struct tcp *tcp, struct client *client, int reason);

/* Closes at once; `reset`: with RST instead of FIN. */
void connection_abort(struct tcp *tcp, struct client *client, int reason, bool reset);

/*
 * For the drain: ends a client when the input that has arrived from it is answered. Does nothing
 * during its grace period (HUB_GRACE_MS), while a message of it is incomplete, and while it has not
 * taken all output.
 */
void connection_drain(struct tcp *tcp, struct client *client);

/* Stops receiving; ends a client when the input received from it is answered. */
void connection_end_input(struct tcp *tcp, struct client *client);

/*
 * Starts the operations that the client's state requires. false: the submission queue is full;
 * flush the client again in the next turn.
 */
bool connection_flush(struct tcp *tcp, struct client *client);

/* Completion handlers. */
void connection_on_receive(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe);
void connection_on_sent(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe);
void connection_on_poll(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe);
void connection_on_cancel(struct tcp *tcp, struct client *client);
void connection_on_close(struct tcp *tcp, struct client *client);

#endif
