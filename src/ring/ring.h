/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the seam between the server and the kernel, at the level of SQEs and CQEs.
 *
 * Everything that happens to the server comes through here and through ring/socket.h, time and
 * randomness included. Which implementation is behind it is chosen at link time: liburing's in the
 * product, a simulated one in tests. All calls are made by the thread that created the ring (Linux
 * 6.1, IORING_SETUP_SINGLE_ISSUER).
 *
 * An operation is described with liburing's io_uring_prep_*() helpers, which only fill in the SQE.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

struct ring;

/*
 * Creates a ring, with room for so many SQEs and CQEs (powers of two). A wait looks for completions
 * for spin_ns before it sleeps; 0: not at all. Errors: -ENOSYS, -EPERM, -EINVAL (older than Linux
 * 6.1), -ENOMEM (memory or RLIMIT_MEMLOCK), -EMFILE, -ENFILE.
 */
int ring_create(struct ring **ring, unsigned sq_entries, unsigned cq_entries, uint64_t spin_ns);

/* Frees the ring. Operations still under way are cancelled by the kernel, some time later. */
void ring_destroy(struct ring *ring);

/*
 * The next free SQE, valid until the next submission, to be prepared at once and completely,
 * user_data included. Submits what is queued when the queue is full. NULL: it is still full, try in
 * the next turn.
 */
struct io_uring_sqe *ring_sqe(struct ring *ring);

/*
 * Submits all SQEs and waits for a completion, at most wait_ns (0: do not wait; UINT64_MAX: no
 * limit), in one system call. Returns 0, also when interrupted or when nothing came; -ETIME, for
 * wait_ns 0 only: everything was submitted, and nothing was waiting; -EBADR: completions were lost
 * (io_uring_enter(2)); -EEXIST: not the thread that created the ring.
 *
 * A sleep that ends by a signal or by its time limit brings nothing, whatever has arrived. A call
 * brings at least what RING_PASS_PIECES operations have ready, the longest waiting first (Linux
 * 6.13; what all have, before).
 */
int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns);

#define RING_PASS_PIECES 20

/* Takes the oldest completion off the queue. false: there is none. */
bool ring_take(struct ring *ring, struct io_uring_cqe *cqe);

/*
 * Makes a provided-buffer ring for a group, with `entries` places (a power of two up to 32,768).
 * -ENOMEM, -EINVAL.
 */
int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries);
void ring_buffers_unregister(struct ring *ring, uint16_t group);

/* Gives a buffer to the kernel, to fill in the order of giving. */
void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes,
		       uint16_t id);

/* Buffer groups are numbered from 0. */
#define RING_GROUPS_MAX 4

/* A clock that only goes forward (CLOCK_MONOTONIC), in nanoseconds. */
uint64_t ring_clock_ns(struct ring *ring);

/* Sleeps. Not for the loop, which waits in ring_submit_and_wait(). */
void ring_pause(uint64_t ns);

/* Unpredictable bytes, up to 256. */
void ring_random(struct ring *ring, void *to, size_t bytes);

#endif
