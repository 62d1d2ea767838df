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

static void put(struct ring *ring, uint64_t user_data, int result, uint32_t flags)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	struct io_uring_cqe *cqe = &cq->cqes[ring->epoll->cq_tail++ & cq->ring_mask];

	cqe->user_data = user_data;
	cqe->res = result;
	cqe->flags = flags;
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
	if (epoll_is_full(ring))
		keep(ring->epoll, &(struct io_uring_cqe){ user_data, result, flags });
	else
		put(ring, user_data, result, flags);
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
		put(ring, epoll->kept[i].user_data, epoll->kept[i].res, epoll->kept[i].flags);
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
	struct descriptor *descriptor = epoll_find(ring->epoll, EPOLL_DATA_FD(event->data.u64));

	if (descriptor->watch != EPOLL_DATA_WATCH(event->data.u64))
		return;
	descriptor->has_more = event->events & ends;
	if (event->events & (EPOLLIN | ends))
		descriptor->is_empty = false;
	descriptor->events = event->events;
	if (event->events & (EPOLLIN | ends))
		epoll_try_side(ring, descriptor, EPOLL_READS);
	/* Polls, which wait there too, may ask for any event. */
	epoll_try_side(ring, descriptor, EPOLL_WRITES);
	descriptor->events = 0;
}

static bool has_events(const struct epoll *epoll)
{
	return epoll->event_next != epoll->event_end;
}

/* Takes the events of one turn. */
static void take_events(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;

	epoll->received_bytes = 0;
	for (unsigned taken = 0; has_events(epoll) && taken < EPOLL_TURN_EVENTS_MAX; taken++) {
		if (taken >= EPOLL_TURN_EVENTS_MIN && epoll->received_bytes >= EPOLL_TURN_BYTES)
			break;
		take_event(ring, &epoll->events[epoll->event_next++]);
	}
}

/* Gets events, after all others were taken, and takes some. 0, or -EINTR. */
static int get_events(struct ring *ring, int timeout_ms)
{
	struct epoll *epoll = ring->epoll;
	const int count = epoll_wait(epoll->fd, epoll->events, EPOLL_EVENTS_MAX, timeout_ms);

	if (count < 0)
		return -errno;
	epoll->event_next = 0;
	epoll->event_end = (unsigned)count;
	take_events(ring);
	return 0;
}

static bool has_work(const struct epoll *epoll)
{
	return cq_ready(epoll) > 0 || epoll->again_first >= 0 || has_events(epoll);
}

/* In whole milliseconds, not less. */
static int rounded_ms(uint64_t ns)
{
	return ns == UINT64_MAX ? -1 : (int)min_u64(ns / 1000000 + (ns % 1000000 > 0), INT_MAX);
}

/* An event ends the wait, whether it leads to a completion or not. */
static int wait_for_work(struct ring *ring, uint64_t wait_ns)
{
	const uint64_t spin_ns = min_u64(ring->spin_ns, wait_ns);
	const uint64_t begin_ns = spin_ns > 0 ? ring_clock_ns(ring) : 0;
	uint64_t spun_ns = 0;

	while (spun_ns < spin_ns) {
		const int error = get_events(ring, 0);

		if (error || has_work(ring->epoll))
			return error;
		spun_ns = ring_clock_ns(ring) - begin_ns;
	}
	if (wait_ns < UINT64_MAX)
		wait_ns -= min_u64(spun_ns, wait_ns);
	return get_events(ring, rounded_ms(wait_ns));
}

/*
 * A turn that has completions without asking for events, as those of sends, leaves that to the next
 * one, which need not ask twice then: once without waiting, and once more to wait.
 */
static bool may_skip(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;

	epoll->has_skipped = has_events(epoll) || epoll_is_full(ring) || !epoll->has_skipped;
	return epoll->has_skipped;
}

int epoll_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	struct epoll *epoll = ring->epoll;
	int error = 0;

	put_kept(ring);
	epoll_submit(ring);
	try_those_again(ring);
	take_events(ring);
	if (!has_work(epoll))
		error = wait_for_work(ring, wait_ns);
	else if (!may_skip(ring))
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
