/* SPDX-License-Identifier: MIT */
/*
 * listener.h - a listening socket: one multishot accept, for as long as there is room for clients.
 *
 * When the table of clients is full, the accept is cancelled and new clients wait in the backlog.
 * Those that the accept took before it ended wait here, in the order of their coming.
 */
#ifndef TCP_LISTENER_H
#define TCP_LISTENER_H

#include "tcp/tcp.h"

struct listener {
	struct source source;
	struct address address;
	int fd;
	bool armed;	 /* the accept is in flight */
	bool cancelled;	 /* a cancel of it has been asked for */
	bool cancelling; /* and is in flight */
	bool paused;	 /* no descriptor or memory: until one is given back, or for a moment */
	bool closed;
	uint64_t paused_at_closes;
	struct timer retry;
	struct tcp *tcp;

	/* Descriptors accepted while the table was full, a ring. */
	int *waiting;
	uint32_t waiting_head, waiting_count;
};

/* After an accept has failed for lack of descriptors or memory. */
#define LISTENER_RETRY_NS 100000000

/* More than a backlog holds, so that all of one can wait here. */
#define LISTENER_WAITING_MAX (4 * SOCKET_BACKLOG)

/* Accepts from a socket that listens; on success it takes it over. -ENOMEM */
int listener_open(struct listener *listener, struct tcp *tcp, int fd);

/* Stops accepting, for good. The descriptor is closed when nothing is in flight. */
void listener_close(struct listener *listener);

/* Frees what it holds; nothing may be in flight. */
void listener_destroy(struct listener *listener);

/* Whether the kernel still has an operation of it. */
static inline bool listener_is_busy(const struct listener *listener)
{
	return listener->armed || listener->cancelling;
}

/* Starts the operations that the state asks for. false: the submission queue is full. */
bool listener_flush(struct listener *listener);

/* Completions. */
void listener_on_accept(struct listener *listener, const struct io_uring_cqe *cqe);
void listener_on_cancel(struct listener *listener);

#endif
