/* SPDX-License-Identifier: MIT */
/*
 * listener.h - a listening socket: one multishot accept while clients can be added.
 *
 * When the table of clients is full, the multishot accept is cancelled, and single ones take some
 * connections ahead, to know their sources: a place that becomes free goes to the source that holds
 * fewest. The rest wait in the backlog.
 *
 *	OPEN --listener_close()--> LAST --the backlog is empty, or listener_end()--> CLOSED
 */
#ifndef TCP_LISTENER_H
#define TCP_LISTENER_H

#include "ring/operation.h"
#include "tcp/tcp.h"

/* A connection that waits for a place. */
struct listener_waiting {
	int fd;
	uint64_t source;
};

enum listener_state {
	LISTENER_OPEN,
	LISTENER_LAST,	 /* accepts what is in the backlog */
	LISTENER_CLOSED, /* the socket is closed once no operation is in flight */
};

struct listener {
	struct origin origin;
	struct address address;
	int fd;
	enum listener_state state;
	uint32_t last_accepts; /* in the state LAST */
	struct operation accept;
	bool accept_once; /* the accept in flight is not a multishot */

	/* Set while it backs off for lack of descriptors or memory. */
	struct timer retry;
	uint64_t closes_at_error; /* tcp->closes then: a later close ends the wait early */
	struct tcp *tcp;

	/* Accepted while the table was full; a ring buffer. */
	struct listener_waiting *waiting;
	uint32_t waiting_head, waiting_count;
};

/* Retry delay after an accept that failed for lack of descriptors or memory. */
#define LISTENER_RETRY_NS 100000000

/* Connections that are accepted ahead while the table is full. */
#define LISTENER_AHEAD 1024

/* More than a backlog holds, so that all of one fits here. */
#define LISTENER_WAITING_MAX (4 * SOCKET_BACKLOG)

/* Begins to accept from a listening socket; on success takes the socket over. -ENOMEM */
int listener_open(struct listener *listener, struct tcp *tcp, int fd);

/*
 * Accepts the connections that are already in the backlog, then stops: a close would reset them.
 * They are among the next SOCKET_BACKLOG, as the kernel keeps their order.
 */
void listener_close(struct listener *listener);

/* Stops accepting at once. */
void listener_end(struct listener *listener);

/* Frees what it holds. No operation may be in flight. */
void listener_destroy(struct listener *listener);

/* Whether it still accepts, or has an operation in flight. */
bool listener_is_busy(const struct listener *listener);

/* Starts the operations that the state requires. false: the submission queue is full. */
bool listener_flush(struct listener *listener);

/* Completion handlers. */
void listener_on_accept(struct listener *listener, const struct io_uring_cqe *cqe);
void listener_on_cancel(struct listener *listener);

#endif
