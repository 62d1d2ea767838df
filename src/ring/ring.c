/* SPDX-License-Identifier: MIT */
#include "ring/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "base/base.h"

/*
 * Pause after a lack of memory: no event reports the end of it, and an immediate retry would spin.
 */
#define NO_MEMORY_SLEEP_NS 1000000

struct buffer_group {
	struct io_uring_buf_ring *entries;
	unsigned count;
};

struct ring {
	struct io_uring uring;
	pthread_t owner;
	uint64_t spin_ns;
	struct buffer_group groups[RING_GROUPS_MAX];
};

/* Kernel threads of a ring at most, of each kind (io-wq, bounded and unbounded). */
#define WORKERS_MAX 4

int ring_create(struct ring **out, unsigned sq_entries, unsigned cq_entries, uint64_t spin_ns)
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
	struct ring *ring = calloc(1, sizeof(*ring));
	unsigned workers[2] = { WORKERS_MAX, WORKERS_MAX };
	int error;

	if (!ring)
		return -ENOMEM;
	ring->spin_ns = spin_ns;
	/*
	 * A flag in shared memory, read without a system call, tells that a wait would run task
	 * work.
	 */
	if (spin_ns > 0)
		params.flags |= IORING_SETUP_TASKRUN_FLAG;
	error = io_uring_queue_init_params(sq_entries, &ring->uring, &params);
	if (error) {
		free(ring);
		return error;
	}
	/* Saves the file look-up of each system call. If it fails, the ring works without it. */
	io_uring_register_ring_fd(&ring->uring);
	/* Nothing of a client needs a worker; reads and writes of files may (Linux 5.15). */
	io_uring_register_iowq_max_workers(&ring->uring, workers);
	ring->owner = pthread_self();
	*out = ring;
	return 0;
}

void ring_destroy(struct ring *ring)
{
	for (uint16_t group = 0; group < RING_GROUPS_MAX; group++)
		ring_buffers_unregister(ring, group);
	io_uring_queue_exit(&ring->uring);
	free(ring);
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	if (sqe)
		return sqe;
	io_uring_submit(&ring->uring);
	return io_uring_get_sqe(&ring->uring);
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

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	struct __kernel_timespec wait;
	struct io_uring_cqe *first;
	const bool sleeps = wait_ns > 0;
	int result;

	/*
	 * The index of a registered ring descriptor is per thread: in another thread it names
	 * another ring.
	 */
	if (!pthread_equal(ring->owner, pthread_self()))
		return -EEXIST;
	if (ring->spin_ns > 0 && spin(ring, &wait_ns))
		return 0;
	wait.tv_sec = (long long)(wait_ns / 1000000000);
	wait.tv_nsec = (long long)(wait_ns % 1000000000);
	/*
	 * With DEFER_TASKRUN only a wait runs the task work, so wait for one completion even with 0
	 * ns.
	 */
	if (wait_ns == UINT64_MAX)
		result = io_uring_submit_and_wait(&ring->uring, 1);
	else
		result = io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, &wait, NULL);

	switch (result) {
	case -ETIME:
		break;
	case -EINTR:
	case -EBUSY: /* the CQ has overflowed: take completions, then submit again */
		return 0;
	case -EAGAIN: /* the kernel lacks memory for requests: the SQEs stay queued */
		ring_sleep(NO_MEMORY_SLEEP_NS);
		return 0;
	case -EINVAL: /* a forked process, in which it is not registered */
		return -EEXIST;
	default:
		if (result < 0)
			return result;
	}
	return !sleeps && is_exhausted(&ring->uring) ? -ETIME : 0;
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	struct io_uring_cq *cq = &ring->uring.cq;
	unsigned head = *cq->khead;

	if (head == io_uring_smp_load_acquire(cq->ktail))
		return false;
	*cqe = cq->cqes[head & *cq->kring_mask];
	io_uring_smp_store_release(cq->khead, head + 1);
	return true;
}

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct buffer_group *to = &ring->groups[group];
	size_t bytes = entries * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg registration = { .ring_entries = entries, .bgid = group };
	int error;

	CHECK(group < RING_GROUPS_MAX && !to->entries);
	to->entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (to->entries == MAP_FAILED) {
		to->entries = NULL;
		return -ENOMEM;
	}
	to->count = entries;
	registration.ring_addr = (uintptr_t)to->entries;
	error = io_uring_register_buf_ring(&ring->uring, &registration, 0);
	if (error) {
		munmap(to->entries, bytes);
		to->entries = NULL;
	}
	return error;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	struct buffer_group *from = &ring->groups[group];

	if (!from->entries)
		return;
	io_uring_unregister_buf_ring(&ring->uring, group);
	munmap(from->entries, from->count * sizeof(struct io_uring_buf));
	from->entries = NULL;
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct buffer_group *to = &ring->groups[group];

	io_uring_buf_ring_add(to->entries, buffer, bytes, id, (int)to->count - 1, 0);
	io_uring_buf_ring_advance(to->entries, 1);
}

uint64_t ring_clock_ns(struct ring *ring)
{
	struct timespec now;

	(void)ring;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void ring_sleep(uint64_t ns)
{
	const struct timespec duration = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	nanosleep(&duration, NULL);
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	/* Up to 256 bytes are never returned in part or interrupted (getrandom(2)). */
	CHECK(getrandom(to, bytes, 0) == (ssize_t)bytes);
}
