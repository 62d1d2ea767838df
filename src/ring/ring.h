/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the seam between the server and the kernel, at the level of SQEs and CQEs.
 *
 * All input of the server passes through here and through ring/socket.h, time and randomness
 * included. The implementation is chosen at link time: the product's, or a simulation in tests. The
 * product has two engines: io_uring, and epoll, which carries out the same SQEs by system calls,
 * and posts the same CQEs. All calls must be made by the thread that created the ring (Linux 6.1,
 * IORING_SETUP_SINGLE_ISSUER).
 *
 * Operations are prepared with liburing's io_uring_prep_*() helpers, which only fill in the SQE.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

struct ring;

enum ring_engine { RING_IO_URING, RING_EPOLL };

/*
 * Tries whether io_uring can be used here, with all that a server needs, on a small ring: 0, or an
 * error of ring_create(), or -EACCES, -EOPNOTSUPP.
 */
int ring_try_io_uring(void);

/*
 * Creates a ring with sq_entries SQEs and cq_entries CQEs (powers of two). A wait polls for
 * completions for spin_ns before it sleeps; 0: it does not poll. Errors: -ENOSYS, -EPERM, -EINVAL
 * (older than Linux 6.1), -ENOMEM (memory or RLIMIT_MEMLOCK), -EMFILE, -ENFILE.
 */
int ring_create(struct ring **ring, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns);

/* Frees the ring. The kernel cancels operations in flight, some time later. */
void ring_destroy(struct ring *ring);

/*
 * Returns the next free SQE. The caller must prepare it completely, user_data included, before the
 * next call: it is valid until the next submission. If the queue is full, submits it first. NULL:
 * it is still full; try again in the next turn.
 */
struct io_uring_sqe *ring_sqe(struct ring *ring);

/*
 * Submits all SQEs and waits for a completion, at most wait_ns (0: do not wait; UINT64_MAX: no
 * limit). With io_uring this is one system call; with epoll a wait is rounded up to milliseconds.
 *
 * Returns 0, also when interrupted or without a completion; -ETIME, for wait_ns 0 only: everything
 * was submitted, and no completion was waiting; -EBADR: completions were lost (io_uring_enter(2));
 * -EEXIST: not the thread that created the ring.
 *
 * A sleep that ends by a signal or by its time limit returns no completions, whatever has arrived.
 * Otherwise a call returns at least the completions of the RING_PASS_PIECES operations that have
 * been ready longest (Linux 6.13: 20; all that are ready, before), or with epoll leaves them to the
 * next call, if other completions are there.
 */
int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns);

#define RING_PASS_PIECES 10

/* Takes the oldest completion off the queue. false: the queue is empty. */
bool ring_take(struct ring *ring, struct io_uring_cqe *cqe);

/*
 * Registers a provided-buffer ring for a group, with `entries` entries (a power of two up to
 * 32,768). -ENOMEM, -EINVAL.
 */
int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries);
void ring_buffers_unregister(struct ring *ring, uint16_t group);

/*
 * Gives a buffer to the kernel. io_uring fills buffers in the order in which they were given, the
 * engine epoll the last one first.
 */
void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes,
		       uint16_t id);

/* Maximum number of buffer groups, numbered from 0. */
#define RING_GROUPS_MAX 4

/* close(2). Operations in flight keep the file open until they have ended. */
void ring_close(struct ring *ring, int fd);

/* Returns CLOCK_MONOTONIC in nanoseconds. */
uint64_t ring_clock_ns(struct ring *ring);

/* Sleeps. Not for the loop, which waits in ring_submit_and_wait(). */
void ring_sleep(uint64_t ns);

/* Fills in up to 256 unpredictable bytes (getrandom(2)). */
void ring_random(struct ring *ring, void *to, size_t bytes);

#endif
