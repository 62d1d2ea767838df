/* SPDX-License-Identifier: MIT */
/*
 * listener.h - a listening socket: one multishot accept while clients can be added.
 *
 * When the table of clients is full, the accept is cancelled and new clients wait in the backlog.
 * Connections accepted before the cancel took effect wait here, oldest first.
 */
#ifndef TCP_LISTENER_H
#define TCP_LISTENER_H

#include "ring/operation.h"
#include "tcp/tcp.h"

struct listener {
	struct origin origin;
	struct address address;
	int fd;
	bool closed;
	struct operation accept;

	/* Set while it backs off for lack of descriptors or memory. */
	struct timer retry;
	uint64_t closes_at_error; /* tcp->closes then: a later close ends the wait early */
	struct tcp *tcp;

	/* Descriptors accepted while the table was full; a ring buffer. */
	int *waiting;
	uint32_t waiting_head, waiting_count;
};

/* Retry delay after an accept that failed for lack of descriptors or memory. */
#define LISTENER_RETRY_NS 100000000

/* More than a backlog holds, so that all of one fits here. */
#define LISTENER_WAITING_MAX (4 * SOCKET_BACKLOG)

/* Begins to accept from a listening socket; on success takes the socket over. -ENOMEM */
int listener_open(struct listener *listener, struct tcp *tcp, int fd);

/* Stops accepting for good. The socket is closed once no operation is in flight. */
void listener_close(struct listener *listener);

/* Frees what it holds. No operation may be in flight. */
void listener_destroy(struct listener *listener);

/* Whether an operation is in flight. */
static inline bool listener_is_busy(const struct listener *listener)
{
	return operation_is_busy(&listener->accept);
}

/* Starts the operations that the state requires. false: the submission queue is full. */
bool listener_flush(struct listener *listener);

/* Completion handlers. */
void listener_on_accept(struct listener *listener, const struct io_uring_cqe *cqe);
void listener_on_cancel(struct listener *listener);

#endif
