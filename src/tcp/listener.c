/* SPDX-License-Identifier: MIT */
#include "tcp/listener.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp/connection.h"

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

static int take_waiting(struct listener *listener)
{
	int fd = listener->waiting[listener->waiting_head];

	listener->waiting_head = (listener->waiting_head + 1) % LISTENER_WAITING_MAX;
	listener->waiting_count--;
	return fd;
}

static void keep_waiting(struct listener *listener, int fd)
{
	uint32_t place = (listener->waiting_head + listener->waiting_count) % LISTENER_WAITING_MAX;

	listener->waiting[place] = fd;
	listener->waiting_count++;
}

void listener_close(struct listener *listener)
{
	listener->closed = true;
	timers_clear(&listener->tcp->hub->timers, &listener->retry);
	while (listener->waiting_count > 0)
		socket_close(listener->tcp->hub->ring, take_waiting(listener));
}

void listener_destroy(struct listener *listener)
{
	listener_close(listener);
	if (listener->fd >= 0)
		socket_close(listener->tcp->hub->ring, listener->fd);
	free(listener->waiting);
	timers_unreserve(&listener->tcp->hub->timers);
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
	return !listener->closed && !timer_is_set(&listener->retry) &&
	       listener->waiting_count == 0 && !is_full(listener);
}

static bool start_accept(struct listener *listener)
{
	struct io_uring_sqe *sqe = ring_sqe(listener->tcp->hub->ring);

	if (!sqe)
		return false;
	/* No address: a multishot accept would overwrite it with the next one (Linux 5.19). */
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
	if (listener->closed)
		return true;
	listener->tcp->hub->stats.accepts_suspended++;
	liveness_hurry(&listener->tcp->liveness);
	return true;
}

bool listener_flush(struct listener *listener)
{
	while (listener->waiting_count > 0 && !is_full(listener))
		connection_open(listener->tcp, &listener->origin, take_waiting(listener));
	if (wants_accept(listener))
		return listener->accept.in_flight || start_accept(listener);
	if (listener->accept.in_flight)
		return cancel_accept(listener);
	if (listener->closed && !listener_is_busy(listener) && listener->fd >= 0) {
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
		if (!listener->closed)
			back_off(listener, error);
	}
}

void listener_on_accept(struct listener *listener, const struct io_uring_cqe *cqe)
{
	struct hub *hub = listener->tcp->hub;

	if (!(cqe->flags & IORING_CQE_F_MORE))
		listener->accept.in_flight = false;
	if (cqe->res < 0) {
		on_error(listener, cqe->res);
		return;
	}
	if (hub->refusing)
		socket_close(hub->ring, cqe->res);
	else if (listener->waiting_count == 0 && !is_full(listener))
		connection_open(listener->tcp, &listener->origin, cqe->res);
	else if (!listener->closed && listener->waiting_count < LISTENER_WAITING_MAX)
		keep_waiting(listener, cqe->res);
	else
		socket_close(hub->ring, cqe->res);
}

void listener_on_cancel(struct listener *listener)
{
	listener->accept.cancel_in_flight = false;
}
