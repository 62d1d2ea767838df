/* SPDX-License-Identifier: MIT */
#include "tcp/listener.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp/connection.h"
#include "tcp/shortage.h"

int listener_open(struct listener *listener, struct tcp *tcp, int fd)
{
	struct hub *hub = tcp->hub;
	int error = socket_local_address(hub->ring, fd, &listener->address);

	if (error)
		return error;
	error = timers_reserve(&hub->timers);
	if (error)
		return error;
	listener->tcp = tcp;
	listener->fd = fd;
	listener->waiting = malloc(LISTENER_WAITING_MAX * sizeof(*listener->waiting));
	if (listener->waiting)
		return 0;
	timers_unreserve(&hub->timers);
	return -ENOMEM;
}

static struct listener_waiting take_waiting(struct listener *listener)
{
	const struct listener_waiting first = listener->waiting[listener->waiting_head];

	listener->waiting_head = (listener->waiting_head + 1) % LISTENER_WAITING_MAX;
	listener->waiting_count--;
	return first;
}

static struct listener_waiting *waiting_at(const struct listener *listener, uint32_t index)
{
	return &listener->waiting[(listener->waiting_head + index) % LISTENER_WAITING_MAX];
}

static void keep_waiting(struct listener *listener, int fd, uint64_t source)
{
	*waiting_at(listener, listener->waiting_count++) = (struct listener_waiting){ fd, source };
}

/* Moves the one whose source holds fewest places to the front; of several the oldest. */
static void put_fewest_first(struct listener *listener)
{
	const struct sources *sources = &listener->tcp->places.sources;
	struct listener_waiting fewest = *waiting_at(listener, 0);
	uint32_t count = sources_count(sources, fewest.source), index = 0;

	for (uint32_t i = 1; i < listener->waiting_count; i++) {
		const struct listener_waiting *one = waiting_at(listener, i);
		uint32_t others;

		if (one->source == fewest.source)
			continue;
		others = sources_count(sources, one->source);
		if (others >= count)
			continue;
		fewest = *one;
		count = others;
		index = i;
	}
	for (; index > 0; index--)
		*waiting_at(listener, index) = *waiting_at(listener, index - 1);
	*waiting_at(listener, 0) = fewest;
}

void listener_close(struct listener *listener)
{
	if (listener->state == LISTENER_OPEN)
		listener->state = LISTENER_LAST;
}

void listener_end(struct listener *listener)
{
	listener->state = LISTENER_CLOSED;
	timers_clear(&listener->tcp->hub->timers, &listener->retry);
	while (listener->waiting_count > 0)
		socket_close(listener->tcp->hub->ring, take_waiting(listener).fd);
}

void listener_destroy(struct listener *listener)
{
	listener_end(listener);
	if (listener->fd >= 0)
		socket_close(listener->tcp->hub->ring, listener->fd);
	free(listener->waiting);
	timers_unreserve(&listener->tcp->hub->timers);
}

bool listener_is_busy(const struct listener *listener)
{
	return listener->state != LISTENER_CLOSED || operation_is_busy(&listener->accept);
}

static bool is_full(const struct listener *listener)
{
	const struct hub *hub = listener->tcp->hub;

	return table_count(&hub->table, ROLLCALL_TCP) >= hub->options.tcp_clients_max;
}

static bool wants_accept(struct listener *listener)
{
	if (listener->closes_at_error != listener->tcp->closes)
		timers_clear(&listener->tcp->hub->timers, &listener->retry);
	return listener->state != LISTENER_CLOSED && !timer_is_set(&listener->retry) &&
	       listener->waiting_count < (is_full(listener) ? LISTENER_AHEAD : 1);
}

static bool start_accept(struct listener *listener)
{
	struct io_uring_sqe *sqe = ring_sqe(listener->tcp->hub->ring);

	if (!sqe)
		return false;
	listener->accept_once = is_full(listener);
	/* No address: a multishot accept would overwrite it with the next one (Linux 5.19). */
	if (listener->accept_once)
		io_uring_prep_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
	else
		io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
	operation_start(&listener->accept, sqe, OP_TCP_ACCEPT, listener->origin.index);
	return true;
}

static bool cancel_accept(struct listener *listener)
{
	if (!operation_is_to_cancel(&listener->accept))
		return true;
	if (!operation_cancel(&listener->accept, listener->tcp->hub->ring, OP_TCP_ACCEPT_CANCEL))
		return false;
	if (listener->state == LISTENER_CLOSED)
		return true;
	listener->tcp->hub->stats.accepts_suspended++;
	liveness_hurry(&listener->tcp->liveness);
	return true;
}

/* Refuses a connection of a source that has all clients it may have. */
static void refuse(struct listener *listener, int fd)
{
	struct hub *hub = listener->tcp->hub;
	char text[ADDRESS_TEXT_BYTES] = "?";
	struct address address;

	if (!socket_peer_address(hub->ring, fd, &address))
		address_format(&address, text);
	hub->stats.tcp_refused_source++;
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "TCP client %s refused: its source has %u clients, the most that are allowed",
		  text, hub->options.tcp_clients_per_source_max);
	socket_reset_on_close(hub->ring, fd);
	socket_close(hub->ring, fd);
}

static void open_or_refuse(struct listener *listener, int fd, uint64_t source)
{
	struct tcp *tcp = listener->tcp;

	if (places_allow(&tcp->places, source))
		connection_open(tcp, &listener->origin, fd, source);
	else
		refuse(listener, fd);
}

/* Gives the free places to those that wait. If all are taken, one may be made. */
static void admit_waiting(struct listener *listener)
{
	struct tcp *tcp = listener->tcp;

	while (listener->waiting_count > 0 &&
	       (!is_full(listener) || shortage_can_make_place(tcp))) {
		struct listener_waiting first;

		put_fewest_first(listener);
		if (is_full(listener)) {
			shortage_make_place(tcp, waiting_at(listener, 0)->source);
			return;
		}
		first = take_waiting(listener);
		open_or_refuse(listener, first.fd, first.source);
	}
}

/* Ends it once all that were in the backlog when it was closed have a place, or are too many. */
static void end_if_done(struct listener *listener)
{
	if (listener->state != LISTENER_LAST)
		return;
	if (listener->last_accepts >= SOCKET_BACKLOG ||
	    (listener->waiting_count == 0 &&
	     socket_backlog(listener->tcp->hub->ring, listener->fd) == 0))
		listener_end(listener);
}

bool listener_flush(struct listener *listener)
{
	bool wanted;

	admit_waiting(listener);
	end_if_done(listener);
	wanted = wants_accept(listener);
	if (listener->accept.in_flight)
		return (wanted && (listener->accept_once || !is_full(listener))) ||
		       cancel_accept(listener);
	if (wanted)
		return start_accept(listener);
	if (!listener_is_busy(listener) && listener->fd >= 0) {
		socket_close(listener->tcp->hub->ring, listener->fd);
		listener->fd = -1;
	}
	return true;
}

/* Waits after a lack of descriptors or memory: an immediate retry would fail again, and spin. */
static void back_off(struct listener *listener, int error)
{
	struct hub *hub = listener->tcp->hub;

	listener->closes_at_error = listener->tcp->closes;
	hub->stats.accepts_suspended++;
	liveness_hurry(&listener->tcp->liveness);
	timers_set(&hub->timers, &listener->retry, hub->now_ns + LISTENER_RETRY_NS);
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "cannot accept TCP clients: %s; they wait in the backlog, next attempt in %d ms",
		  rollcall_reason_text(error), LISTENER_RETRY_NS / 1000000);
}

static void on_error(struct listener *listener, int error)
{
	switch (error) {
	case -ECANCELED: /* by our cancel */
	case -EINTR:
	case -EAGAIN:
	case -ECONNABORTED: /* the client left while in the backlog (accept(2)) */
		return;
	default:
		if (listener->state != LISTENER_CLOSED)
			back_off(listener, error);
	}
}

void listener_on_accept(struct listener *listener, const struct io_uring_cqe *cqe)
{
	struct hub *hub = listener->tcp->hub;
	uint64_t source;

	if (!(cqe->flags & IORING_CQE_F_MORE))
		listener->accept.in_flight = false;
	if (cqe->res < 0) {
		on_error(listener, cqe->res);
		return;
	}
	if (hub->refusing) {
		socket_close(hub->ring, cqe->res);
		return;
	}
	listener->last_accepts += listener->state == LISTENER_LAST;
	source = places_source(&listener->tcp->places, cqe->res);
	if (listener->waiting_count == 0 && !is_full(listener))
		open_or_refuse(listener, cqe->res, source);
	else if (source != PLACES_NO_SOURCE && listener->state != LISTENER_CLOSED &&
		 listener->waiting_count < LISTENER_WAITING_MAX)
		keep_waiting(listener, cqe->res, source);
	else
		socket_close(hub->ring, cqe->res);
}

void listener_on_cancel(struct listener *listener)
{
	listener->accept.cancel_in_flight = false;
}
