/* SPDX-License-Identifier: MIT */
/*
 * posts.h - calls from other threads: the only thing here that more than one thread touches.
 *
 * A post goes onto a stack with one atomic exchange. The server's thread takes the whole stack and
 * turns it round. An eventfd, read through the ring, wakes the server; it is raised only by the
 * post that finds the stack empty.
 */
#ifndef SERVER_POSTS_H
#define SERVER_POSTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"
#include "rollcall.h"

struct core;
struct io_uring_cqe;
struct post;
struct ring;

/* After a read of the event has failed. */
#define POSTS_RETRY_NS 50000000

struct posts {
	_Atomic(struct post *) newest;
	int event;
	bool armed;	 /* the read of the event is in flight */
	bool closing;	 /* it is not to be started again */
	bool cancelled;	 /* and a cancel of it has been asked for */
	bool cancelling; /* which is in flight */
	bool paused;	 /* it has failed: for a moment it is not started again */
	uint64_t count;	 /* where it reads to */
	struct timer retry;
};

/* -EMFILE, -ENFILE, -ENOMEM */
int posts_init(struct posts *posts, struct core *core);

/* Runs what was posted. The read of the event must not be in flight. */
void posts_destroy(struct posts *posts, struct rollcall_server *server, struct ring *ring);

/* Ends the read of the event. */
void posts_close(struct posts *posts);

/* Starts the operation that the state asks for. false: the submission queue is full. */
bool posts_flush(struct posts *posts, struct ring *ring);

/* The event was read: runs what was posted, in the order of posting. */
void posts_on_wake(struct posts *posts, struct rollcall_server *server,
		   const struct io_uring_cqe *cqe);

/* The completion of the cancel. */
void posts_on_cancel(struct posts *posts);

/* Whether the kernel still has an operation of it. */
static inline bool posts_are_busy(const struct posts *posts)
{
	return posts->armed || posts->cancelling;
}

#endif
