/* SPDX-License-Identifier: MIT */
/*
 * epoll.h - internals of the engine epoll: its queues and events (ring/epoll.c), the operations
 * that wait (ring/epoll_waiting.c), what each operation does (ring/epoll_op.c), and datagrams, of
 * which one system call takes several (ring/epoll_datagrams.c).
 *
 * An SQE is carried out when it is submitted. An operation that would block waits on its
 * descriptor, which is added to the epoll instance at that time, edge-triggered, and stays there
 * until it is closed. An event lets the operations that wait on the descriptor try again.
 *
 * The engine has no thread and no signal handler, so a call that blocks stops the server. Of
 * sockets none does: a listening one is made non-blocking (O_NONBLOCK). Regular files, which are
 * always ready, are read and written synchronously. Pipes and terminals stay in the mode in which
 * they were inherited: each read and write follows a poll(2), and a write takes at most PIPE_BUF
 * bytes. It blocks if another process was faster.
 */
#ifndef RING_EPOLL_H
#define RING_EPOLL_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ring/engine.h"
#include "ring/ring.h"

/* The most pieces that a multishot takes in one turn, before others have theirs. */
#define EPOLL_PIECES_MAX 32

/* Operations that wait on a descriptor: those that need input, and those that need space; polls. */
enum epoll_side { EPOLL_READS, EPOLL_WRITES, EPOLL_SIDES };

struct waiting {
	struct io_uring_sqe sqe;
	struct waiting *next;	   /* of the same side of the descriptor, or free */
	struct waiting *same_hash; /* of the user_data */
};

struct descriptor {
	struct waiting *first[EPOLL_SIDES];
	uint32_t watched; /* the events in the epoll instance; 0: it was not added */
	uint32_t events;  /* while the operations try again: what has woken them */
	uint32_t watch;	  /* the number of this watch: events of an earlier one are dropped */
	int again;	  /* the next one in the list of those that try again next turn */
	bool is_again;	  /* it is in that list */
	bool is_accepted; /* a stream: after a short read it is empty */
	bool is_listener; /* it was made non-blocking */
	bool is_empty;	  /* an event will tell when there is something to read */
	bool has_more;	  /* the last event told of an end, an error or urgent data */
	bool is_closed;	  /* close(2) is due when nothing waits on it */
};

/* Datagrams of one sendmmsg(2) at most. recvmmsg(2) takes up to EPOLL_PIECES_MAX. */
#define EPOLL_SENDS_MAX 64

struct epoll_datagrams {
	struct mmsghdr messages[EPOLL_SENDS_MAX];
	struct iovec pieces[EPOLL_SENDS_MAX];
	unsigned expected; /* how many the next recvmmsg(2) asks for */
};

/* Descriptors, of any number, are kept in blocks that never move. */
#define EPOLL_DESCRIPTORS_BLOCK 1024

/* The data of an event: a descriptor, and the number of its watch. */
#define EPOLL_DATA(fd, watch) ((uint64_t)(watch) << 32 | (uint32_t)(fd))
#define EPOLL_DATA_FD(data) ((int)(uint32_t)(data))
#define EPOLL_DATA_WATCH(data) ((uint32_t)((data) >> 32))

/* Events of one epoll_wait(2) at most. */
#define EPOLL_EVENTS_MAX 512

/*
 * Events that are taken in one turn. Fewer if they bring many bytes, so that these are answered
 * while they are in the CPU's caches: of 16 KiB messages that saves 6% (Sapphire Rapids). An event
 * lets two operations of a client complete: together they are the pieces of ring_submit_and_wait().
 */
#define EPOLL_TURN_EVENTS_MAX 64
#define EPOLL_TURN_EVENTS_MIN (RING_PASS_PIECES / 2)
#define EPOLL_TURN_BYTES ((size_t)64 << 10)

struct epoll {
	int fd;
	unsigned sq_head, sq_tail, sq_flags, cq_head, cq_tail; /* of the two queues */
	struct io_uring_cqe *kept; /* completions that found the queue full, oldest first */
	unsigned kept_count, kept_capacity;
	bool is_lossy;			 /* there was no memory to keep one */
	struct descriptor **descriptors; /* in blocks */
	int descriptors_end;		 /* no blocks from here on */
	struct waiting **hash;		 /* by user_data */
	struct waiting *free;
	struct waiting_block *blocks;
	int again_first, again_last; /* descriptors that try again next turn; -1: none */
	struct epoll_datagrams datagrams;
	struct epoll_event events[EPOLL_EVENTS_MAX];
	unsigned event_next, event_end; /* of those that are still to be taken */
	bool has_skipped;		/* the last turn did not ask for events */
	size_t received_bytes;		/* in this turn, since it began to take events */
};

/* How a try ends. */
enum epoll_outcome {
	EPOLL_ENDED,   /* the last completion is posted */
	EPOLL_BLOCKED, /* until an event */
	EPOLL_YIELDS,  /* until the next turn */
};

/* ---- ring/epoll.c ---- */

/* Posts a completion; if the queue is full, it is kept until there is space. */
void epoll_post(struct ring *ring, uint64_t user_data, int result, uint32_t flags);

/* How many completions the queue has space for; 0: others would have to be kept. */
unsigned epoll_space(const struct ring *ring);

/* Then a multishot ends with its next completion. */
static inline bool epoll_is_full(const struct ring *ring)
{
	return epoll_space(ring) == 0;
}

/* ---- ring/epoll_waiting.c ---- */

int epoll_waiting_init(struct epoll *epoll);

/* Ends the operations that wait, and frees all. Also after an error of epoll_waiting_init(). */
void epoll_waiting_destroy(struct ring *ring);

/* NULL: nothing has waited on it, nor on its neighbours. It never moves. */
static inline struct descriptor *epoll_find(const struct epoll *epoll, int fd)
{
	struct descriptor *block =
		fd < 0 ? NULL : epoll->descriptors[(unsigned)fd / EPOLL_DESCRIPTORS_BLOCK];

	return block ? &block[(unsigned)fd % EPOLL_DESCRIPTORS_BLOCK] : NULL;
}

/* As epoll_find(), but NULL: no memory. */
struct descriptor *epoll_get(struct epoll *epoll, int fd);

/* A descriptor that was just accepted. */
void epoll_accepted(struct ring *ring, int fd);

/* Lets an operation wait for events of its descriptor. 0, or -errno: it does not wait. */
int epoll_wait_on(struct epoll *epoll, const struct io_uring_sqe *sqe);

/* Lets the operations of a descriptor try again in the next turn. */
void epoll_yield(struct epoll *epoll, int fd);

/* Lets the operations of one side try now. */
void epoll_try_side(struct ring *ring, struct descriptor *descriptor, enum epoll_side side);

/* Carries out a cancel; returns its result. */
int epoll_cancel(struct ring *ring, const struct io_uring_sqe *sqe);

/* ---- ring/epoll_op.c ---- */

/* Whether the operation is known, and which side of its descriptor it waits on. */
bool epoll_op_is_known(const struct io_uring_sqe *sqe);
enum epoll_side epoll_op_side(const struct io_uring_sqe *sqe);

/* The events that it waits for. */
uint32_t epoll_op_events(const struct io_uring_sqe *sqe);

/*
 * Whether it is one of a socket. Other descriptors are the user's, and may be closed as soon as
 * nothing waits on them: they are watched no longer than that.
 */
bool epoll_op_is_of_socket(const struct io_uring_sqe *sqe);

/* Carries out an operation on its descriptor, as far as possible. */
enum epoll_outcome epoll_op_try(struct ring *ring, const struct io_uring_sqe *sqe,
				struct descriptor *descriptor);

/* Posts the last completion of an operation. */
enum epoll_outcome epoll_op_finish(struct ring *ring, const struct io_uring_sqe *sqe, int result,
				   uint32_t flags);

/* Posts a completion of a multishot, which ends if the queue is full. true: it has ended. */
bool epoll_op_shot(struct ring *ring, const struct io_uring_sqe *sqe, int result, uint32_t flags);

/* After EAGAIN. */
enum epoll_outcome epoll_op_would_block(struct ring *ring, const struct io_uring_sqe *sqe);

/* The buffer of the operation's group that is filled after `index` others; NULL: it has none. */
const struct io_uring_buf *epoll_op_buffer(const struct ring *ring, const struct io_uring_sqe *sqe,
					   unsigned index);

/* Takes the first one; returns the flags of the completion that brings it. */
uint32_t epoll_op_take_buffer(struct ring *ring, const struct io_uring_sqe *sqe);

/* ---- ring/epoll_datagrams.c ---- */

/*
 * Carries out a recvmsg with the buffers that there are, at least one. Takes up to `*pieces`
 * datagrams, and deducts what it took. EPOLL_YIELDS: there may be more.
 */
enum epoll_outcome epoll_datagrams_receive(struct ring *ring, const struct io_uring_sqe *sqe,
					   struct descriptor *descriptor, unsigned *pieces);

/*
 * Carries out the first SQEs of the submission queue if they are sends on the same socket, up to
 * the first that fails. Returns their number; 0: the first SQE is not one of several such sends, or
 * it fails, and is to be carried out by itself.
 */
unsigned epoll_datagrams_send(struct ring *ring);

#endif
