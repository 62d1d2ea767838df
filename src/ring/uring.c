/* SPDX-License-Identifier: MIT */
/*
 * uring.c - the engine io_uring: the kernel carries out the SQEs.
 */
#include "ring/engine.h"

#include <errno.h>

#include "base/base.h"
#include "ring/compat.h"
#include "ring/ring.h"

/*
 * Pause after a lack of memory: no event reports the end of it, and an immediate retry would spin.
 */
#define NO_MEMORY_SLEEP_NS 1000000

/* Kernel threads of a ring at most, of each kind (io-wq, bounded and unbounded). */
#define WORKERS_MAX 4

/* Flags of the waits of a ring, whose descriptor may have been registered. */
static unsigned wait_flags(const struct io_uring *uring, bool is_registered)
{
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;

	if (is_registered)
		flags |= IORING_ENTER_REGISTERED_RING;
	/* Else the kernel counts the waits as iowait, as those for a disk. */
	if (uring->features & IORING_FEAT_NO_IOWAIT)
		flags |= IORING_ENTER_NO_IOWAIT;
	return flags;
}

int uring_create(struct ring *ring, unsigned sq_entries, unsigned cq_entries)
{
	/*
	 * DEFER_TASKRUN (6.1): completions are posted only while we wait for them, so none arrives
	 * between the end of a turn and the next submission. SUBMIT_ALL: an SQE that the kernel
	 * refuses does not hold back those behind it.
	 */
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = cq_entries,
	};
	unsigned workers[2] = { WORKERS_MAX, WORKERS_MAX };
	bool is_registered;
	int error;

	/*
	 * A flag in shared memory, read without a system call, tells that a wait would run task
	 * work.
	 */
	if (ring->spin_ns > 0)
		params.flags |= IORING_SETUP_TASKRUN_FLAG;
	error = io_uring_queue_init_params(sq_entries, &ring->uring, &params);
	if (error)
		return error;
	/* Saves the file look-up of each system call. If it fails, the ring works without it. */
	is_registered = io_uring_register_ring_fd(&ring->uring) == 1;
	ring->wait_flags = wait_flags(&ring->uring, is_registered);
	/* Nothing of a client needs a worker; reads and writes of files may (Linux 5.15). */
	io_uring_register_iowq_max_workers(&ring->uring, workers);
	return 0;
}

void uring_destroy(struct ring *ring)
{
	io_uring_queue_exit(&ring->uring);
}

int uring_buffers_register(struct ring *ring, uint16_t group)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)ring->groups[group].entries,
		.ring_entries = ring->groups[group].count,
		.bgid = group,
	};

	return io_uring_register_buf_ring(&ring->uring, &registration, 0);
}

void uring_buffers_unregister(struct ring *ring, uint16_t group)
{
	io_uring_unregister_buf_ring(&ring->uring, group);
}

/* After a call that did not sleep: nothing is left to submit or to take. */
static bool is_exhausted(const struct io_uring *uring)
{
	return io_uring_cq_ready(uring) == 0 && io_uring_sq_ready(uring) == 0;
}

/* Submits, then polls up to spin_ns, deducted from *wait_ns. true: a completion is ready. */
static bool spin(struct ring *ring, uint64_t *wait_ns)
{
	const unsigned signs = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
	struct io_uring *uring = &ring->uring;
	const uint64_t spin_ns = min_u64(ring->spin_ns, *wait_ns);
	uint64_t start_ns, spent_ns = 0;

	/* An error here is returned by the wait again. */
	io_uring_submit_and_get_events(uring);
	if (io_uring_cq_ready(uring) > 0)
		return true;
	start_ns = ring_clock_ns(ring);
	while (!(IO_URING_READ_ONCE(*uring->sq.kflags) & signs) && spent_ns < spin_ns)
		spent_ns = ring_clock_ns(ring) - start_ns;
	if (*wait_ns != UINT64_MAX)
		*wait_ns -= min_u64(spent_ns, *wait_ns);
	return false;
}

/*
 * Shows the kernel all SQEs, as liburing does: it has set up the index array, if there is one, so
 * that entry i is SQE i for good. Returns how many the kernel has not taken yet.
 */
static unsigned publish_sqes(struct io_uring_sq *sq)
{
	sq->sqe_head = sq->sqe_tail;
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	return sq->sqe_tail - IO_URING_READ_ONCE(*sq->khead);
}

/*
 * Submits all SQEs and waits for a completion, up to a limit; NULL: without one. Returns what
 * io_uring_enter(2) does, or -errno.
 *
 * io_uring_submit_and_wait_timeout() is not used, since liburing passes IORING_ENTER_NO_IOWAIT on
 * only from 2.10 (io_uring_set_iowait()). io_uring_enter2() takes any flags, in all versions.
 */
static int submit_and_wait(struct ring *ring, const struct __kernel_timespec *limit)
{
	struct io_uring_getevents_arg argument = { .ts = (uintptr_t)limit };
	struct io_uring *uring = &ring->uring;

	return io_uring_enter2((unsigned)uring->enter_ring_fd, publish_sqes(&uring->sq), 1,
			       ring->wait_flags, (void *)&argument, sizeof(argument));
}

int uring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	struct __kernel_timespec wait;
	const bool sleeps = wait_ns > 0;
	int result;

	if (ring->spin_ns > 0 && spin(ring, &wait_ns))
		return 0;
	wait.tv_sec = (long long)(wait_ns / 1000000000);
	wait.tv_nsec = (long long)(wait_ns % 1000000000);
	/*
	 * With DEFER_TASKRUN only a wait runs the task work, so wait for one completion even with 0
	 * ns.
	 */
	result = submit_and_wait(ring, wait_ns == UINT64_MAX ? NULL : &wait);

	switch (result) {
	case -ETIME:
		break;
	case -EINTR:
	case -EBUSY: /* the CQ has overflowed: take completions, then submit again */
		return 0;
	case -EAGAIN: /* the kernel lacks memory for requests: the SQEs stay queued */
		ring_sleep(NO_MEMORY_SLEEP_NS);
		return 0;
	default:
		if (result < 0)
			return result;
	}
	return !sleeps && is_exhausted(&ring->uring) ? -ETIME : 0;
}
