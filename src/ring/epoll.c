/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - the engine epoll: its queues, submission, and the events that operations wait for.
 */
#include "ring/epoll.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "ring/ring.h"

/* ---- The queues ---- */

static int create_queues(struct ring *ring, unsigned sq_entries, unsigned cq_entries)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	struct io_uring_cq *cq = &ring->uring.cq;
	struct epoll *epoll = ring->epoll;

	*sq = (struct io_uring_sq){
		.khead = &epoll->sq_head,
		.ktail = &epoll->sq_tail,
		.kflags = &epoll->sq_flags,
		.sqes = calloc(sq_entries, sizeof(*sq->sqes)),
		.ring_mask = sq_entries - 1,
		.ring_entries = sq_entries,
	};
	*cq = (struct io_uring_cq){
		.khead = &epoll->cq_head,
		.ktail = &epoll->cq_tail,
		.cqes = calloc(cq_entries, sizeof(*cq->cqes)),
		.ring_mask = cq_entries - 1,
		.ring_entries = cq_entries,
	};
	return sq->sqes && cq->cqes ? 0 : -ENOMEM;
}

static unsigned cq_ready(const struct epoll *epoll)
{
	return epoll->cq_tail - epoll->cq_head;
}

unsigned epoll_space(const struct ring *ring)
{
	/* Kept ones come first. */
	return ring->epoll->kept_count > 0 ? 0
					   : ring->uring.cq.ring_entries - cq_ready(ring->epoll);
}

static void put(struct ring *ring, const struct io_uring_cqe *cqe)
{
	const struct io_uring_cq *cq = &ring->uring.cq;

	memcpy(&cq->cqes[ring->epoll->cq_tail++ & cq->ring_mask], cqe, sizeof(*cqe));
}

static void keep(struct epoll *epoll, const struct io_uring_cqe *cqe)
{
	if (epoll->kept_count == epoll->kept_capacity) {
		const unsigned capacity = 2 * epoll->kept_capacity + 64;
		struct io_uring_cqe *larger = realloc(epoll->kept, capacity * sizeof(*larger));

		if (!larger) {
			epoll->is_lossy = true;
			return;
		}
		epoll->kept = larger;
		epoll->kept_capacity = capacity;
	}
	memcpy(&epoll->kept[epoll->kept_count++], cqe, sizeof(*cqe));
}

void epoll_post(struct ring *ring, uint64_t user_data, int result, uint32_t flags)
{
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = result, .flags = flags };

	if (epoll_is_full(ring))
		keep(ring->epoll, &cqe);
	else
		put(ring, &cqe);
}

/* Moves the kept completions into the queue, as far as it has space. */
static void put_kept(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;
	const unsigned space = ring->uring.cq.ring_entries - cq_ready(epoll);
	const unsigned count = (unsigned)min_size(space, epoll->kept_count);

	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++)
		put(ring, &epoll->kept[i]);
	epoll->kept_count -= count;
	memmove(epoll->kept, epoll->kept + count, epoll->kept_count * sizeof(*epoll->kept));
}

/* ---- Submission ---- */

/* An operation that is carried out at once, or waits. */
static int start(struct ring *ring, const struct io_uring_sqe *sqe)
{
	struct epoll *epoll = ring->epoll;
	struct descriptor *descriptor;
	int error;

	if (!epoll_op_is_known(sqe))
		return -EINVAL;
	if (sqe->fd < 0)
		return -EBADF;
	descriptor = epoll_get(epoll, sqe->fd);
	if (!descriptor)
		return -ENOMEM;
	if (descriptor->is_closed)
		return -EBADF;
	switch (epoll_op_try(ring, sqe, descriptor)) {
	case EPOLL_ENDED:
		return 0;
	case EPOLL_YIELDS:
		error = epoll_wait_on(epoll, sqe);
		if (!error)
			epoll_yield(epoll, sqe->fd);
		return error;
	default:
		return epoll_wait_on(epoll, sqe);
	}
}

static void carry_out(struct ring *ring, const struct io_uring_sqe *sqe)
{
	int error;

	switch (sqe->opcode) {
	case IORING_OP_NOP:
		epoll_post(ring, sqe->user_data, 0, 0);
		break;
	case IORING_OP_CLOSE:
		epoll_post(ring, sqe->user_data, epoll_close(ring, sqe->fd), 0);
		break;
	case IORING_OP_ASYNC_CANCEL:
		epoll_post(ring, sqe->user_data, epoll_cancel(ring, sqe), 0);
		break;
	default:
		error = start(ring, sqe);
		if (error)
			epoll_post(ring, sqe->user_data, error, 0);
	}
}

void epoll_submit(struct ring *ring)
{
	struct io_uring_sq *sq = &ring->uring.sq;

	while (sq->sqe_head != sq->sqe_tail) {
		unsigned count = epoll_datagrams_send(ring);

		if (count == 0) {
			carry_out(ring, &sq->sqes[sq->sqe_head & sq->ring_mask]);
			count = 1;
		}
		sq->sqe_head += count;
	}
	*sq->khead = sq->sqe_head;
}

/* ---- Events ---- */

/* Lets those try again that have yielded in an earlier turn. */
static void try_those_again(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;
	const int last = epoll->again_last;
	int fd = -1;

	while (epoll->again_first >= 0 && fd != last && !epoll_is_full(ring)) {
		struct descriptor *descriptor;

		fd = epoll->again_first;
		descriptor = epoll_find(epoll, fd);
		epoll->again_first = descriptor->again;
		descriptor->is_again = false;
		epoll_try_side(ring, descriptor, EPOLL_READS);
	}
}

static void take_event(struct ring *ring, const struct epoll_event *event)
{
	const uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
	struct descriptor *descriptor = epoll_find(ring->epoll, event->data.fd);

	descriptor->has_more = event->events & ends;
	if (event->events & (EPOLLIN | ends))
		descriptor->is_empty = false;
	descriptor->events = event->events;
	if (event->events & (EPOLLIN | ends))
		epoll_try_side(ring, descriptor, EPOLL_READS);
	if (event->events & (EPOLLOUT | ends))
		epoll_try_side(ring, descriptor, EPOLL_WRITES);
	descriptor->events = 0;
}

static bool has_work(const struct epoll *epoll)
{
	return cq_ready(epoll) > 0 || epoll->again_first >= 0;
}

/* The time until then in whole milliseconds, not less. */
static int rounded_ms(uint64_t now_ns, uint64_t end_ns)
{
	if (end_ns == UINT64_MAX)
		return -1;
	if (end_ns <= now_ns)
		return 0;
	return (int)min_u64((end_ns - now_ns - 1) / 1000000 + 1, INT_MAX);
}

/* Gets events, and lets operations try. 0, or -EINTR. */
static int get_events(struct ring *ring, int timeout_ms)
{
	struct epoll *epoll = ring->epoll;
	const int count = epoll_wait(epoll->fd, epoll->events, EPOLL_EVENTS_MAX, timeout_ms);

	for (int i = 0; i < count; i++)
		take_event(ring, &epoll->events[i]);
	return count < 0 ? -errno : 0;
}

/* An event need not lead to a completion: then the wait goes on. */
static int wait_for_work(struct ring *ring, uint64_t wait_ns)
{
	const uint64_t begin_ns = ring_clock_ns(ring);
	const uint64_t end_ns = begin_ns + min_u64(wait_ns, UINT64_MAX - begin_ns);
	uint64_t now_ns = begin_ns;
	int error;

	do {
		const bool spins = now_ns - begin_ns < ring->spin_ns;

		error = get_events(ring, spins ? 0 : rounded_ms(now_ns, end_ns));
		now_ns = ring_clock_ns(ring);
	} while (!error && !has_work(ring->epoll) && now_ns < end_ns);
	return error;
}

int epoll_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	struct epoll *epoll = ring->epoll;
	int error = 0;

	put_kept(ring);
	epoll_submit(ring);
	try_those_again(ring);
	if (wait_ns > 0 && !has_work(epoll))
		error = wait_for_work(ring, wait_ns);
	else if (!epoll_is_full(ring))
		error = get_events(ring, 0);
	if (error && error != -EINTR)
		return error;
	if (epoll->is_lossy)
		return -EBADR;
	return wait_ns == 0 && !has_work(epoll) ? -ETIME : 0;
}

/* ---- Making and destroying it ---- */

int epoll_create_engine(struct ring *ring, unsigned sq_entries, unsigned cq_entries)
{
	struct epoll *epoll = calloc(1, sizeof(*epoll));
	int error = -ENOMEM;

	ring->epoll = epoll;
	if (!epoll)
		return error;
	epoll->fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll->fd < 0)
		error = -errno;
	else
		error = create_queues(ring, sq_entries, cq_entries);
	if (!error)
		error = epoll_waiting_init(epoll);
	if (error)
		epoll_destroy(ring);
	return error;
}

void epoll_destroy(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;

	epoll_waiting_destroy(ring);
	free(epoll->kept);
	free(ring->uring.sq.sqes);
	free(ring->uring.cq.cqes);
	if (epoll->fd >= 0)
		close(epoll->fd);
	free(epoll);
	ring->epoll = NULL;
}
