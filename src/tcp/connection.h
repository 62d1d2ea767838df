/* SPDX-License-Identifier: MIT */
/*
 * connection.h - a TCP client, from its accept to its close. Its states are drawn in
 * client/client.h.
 */
#ifndef TCP_CONNECTION_H
#define TCP_CONNECTION_H

#include "tcp/tcp.h"

/* Makes a client of an accepted socket, which it owns from now on. There must be a free slot. */
void connection_open(struct tcp *tcp, const struct source *source, int fd);

/* Ends a client after what is queued for it was sent; on the second call it changes nothing. */
void connection_close(struct tcp *tcp, struct client *client, int reason);

/* Ends a client at once; with a reset if it has done nothing to deserve less. */
void connection_abort(struct tcp *tcp, struct client *client, int reason, bool reset);

/* Ends a client after what has arrived from it was answered, if it is not in its grace any more. */
void connection_drain(struct tcp *tcp, struct client *client);

/* Receives nothing more from a client, and ends it after what has been received was answered. */
void connection_end_input(struct tcp *tcp, struct client *client);

/* Nothing was exchanged with an open client for the idle timeout, as far as the server has seen. */
void connection_idle(struct tcp *tcp, struct client *client);

/* Watches a client until the peer has acknowledged its output (tcp/delivery.h). */
void connection_watch(struct tcp *tcp, struct client *client);

/* What came of that: the result of delivery.ended(). */
void connection_delivered(struct tcp *tcp, struct client *client, int result);

/*
 * Starts the operations that the client's state asks for. false: the submission queue is full, and
 * the client has to be flushed again.
 */
bool connection_flush(struct tcp *tcp, struct client *client);

/* Completions. */
void connection_on_receive(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe);
void connection_on_cancel(struct tcp *tcp, struct client *client);
void connection_on_close(struct tcp *tcp, struct client *client);

#endif
