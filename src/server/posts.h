/* SPDX-License-Identifier: MIT */
/*
 * posts.h - calls from other threads: the only data here that more than one thread touches.
 *
 * A post is pushed onto a stack with one atomic exchange. The server's thread takes the whole stack
 * and reverses it. An eventfd, read through the ring, wakes the server; only a post that finds the
 * stack empty writes to it.
 */
#ifndef SERVER_POSTS_H
#define SERVER_POSTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"
#include "ring/operation.h"
#include "rollcall.h"

struct hub;
struct post;

/* Retry delay after a failed read of the eventfd. */
#define POSTS_RETRY_NS 50000000

struct posts {
	_Atomic(struct post *) newest;
	int event;
	bool closing;	       /* the read is not started again */
	struct operation read; /* of the eventfd */
	uint64_t count;	       /* its buffer */
	struct timer retry;    /* set while it backs off after an error */
};

/* -EMFILE, -ENFILE, -ENOMEM */
int posts_init(struct posts *posts, struct hub *hub);

/* Runs what was posted, then frees. The read of the eventfd must not be in flight. */
void posts_destroy(struct posts *posts, struct rollcall_server *server, struct ring *ring);

/* Ends the read of the eventfd. */
void posts_close(struct posts *posts);

/* Starts the operation that the state requires. false: the submission queue is full. */
bool posts_flush(struct posts *posts, struct ring *ring);

/* Completion handler of the read: runs what was posted, in the order of posting. */
void posts_on_wake(struct posts *posts, struct rollcall_server *server,
		   const struct io_uring_cqe *cqe);

/* Completion handler of the cancel. */
void posts_on_cancel(struct posts *posts);

/* Whether an operation is in flight. */
static inline bool posts_are_busy(const struct posts *posts)
{
	return operation_is_busy(&posts->read);
}

#endif
