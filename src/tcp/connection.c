/* SPDX-License-Identifier: MIT */
#include "tcp/connection.h"

#include <errno.h>

#include "ring/op.h"
#include "tcp/input.h"
#include "tcp/output.h"
#include "tcp/receive.h"
#include "tcp/wait.h"

void connection_open(struct tcp *tcp, const struct origin *origin, int fd, uint64_t source)
{
	struct hub *hub = tcp->hub;
	struct client *client = table_add(&hub->table, ROLLCALL_TCP);

	CHECK(client);
	client->origin = origin;
	client->fd = fd;
	client->gather = GATHER_NONE;
	places_take(&tcp->places, client, source);
	hub->stats.tcp_clients++;
	client->active_ms = client_ms(hub->now_ns);
	idle_touch(&tcp->idle, client, hub->now_ns);
	hub_flush_later(hub, client);
	hub_connected(hub, client);
	if (hub->draining)
		connection_drain(tcp, client);
}

/* ---- Ending ---- */

/* The idle, lingering and delivery lists are all LIST_IDLE: a client is in at most one. */
static void leave_time_list(struct tcp *tcp, struct client *client)
{
	if (client_has_any(client, CLIENT_UNACKED))
		delivery_forget(&tcp->delivery, client);
	else
		idle_remove(client->state == CLIENT_OPEN ? &tcp->idle : &tcp->lingering, client);
}

/* Watches a client until the peer has acknowledged its output (tcp/delivery.h). */
static void watch(struct tcp *tcp, struct client *client)
{
	if (client_has_any(client, CLIENT_UNACKED))
		return;
	leave_time_list(tcp, client);
	delivery_watch(&tcp->delivery, client);
}

static void enter(struct tcp *tcp, struct client *client, enum client_state state)
{
	leave_time_list(tcp, client);
	liveness_leave(&tcp->liveness, client);
	wait_leave(tcp, client);
	client->state = state;
	if (state == CLIENT_FINISHING || state == CLIENT_LINGERING)
		watch(tcp, client);
	if (state == CLIENT_LINGERING)
		liveness_received(&tcp->liveness, client);
	hub_flush_later(tcp->hub, client);
}

void connection_close(struct tcp *tcp, struct client *client, int reason)
{
	if (client->state != CLIENT_OPEN)
		return;
	client->reason = (int16_t)reason;
	enter(tcp, client, CLIENT_FINISHING);
}

void connection_abort(struct tcp *tcp, struct client *client, int reason, bool reset)
{
	if (client->state == CLIENT_CLOSING)
		return;
	/* A stream that ends before its output must not look complete. */
	if (reset || client->tcp.queue.bytes > 0)
		socket_reset_on_close(tcp->hub->ring, client->fd);
	if (client->reason == 0)
		client->reason = (int16_t)reason;
	enter(tcp, client, CLIENT_CLOSING);
}

/*
 * The idle timeout of an open client has expired. Closes it, unless output is not acknowledged yet,
 * or input may be waiting that the server could not receive.
 */
static void on_idle(struct idle *idle, struct client *client)
{
	struct tcp *tcp = container_of(idle, struct tcp, idle);
	int error;

	if (!receive_would_tell(client)) {
		idle_touch(&tcp->idle, client, tcp->hub->now_ns);
		return;
	}
	error = delivery_check(&tcp->delivery, client);
	if (error == -EAGAIN)
		watch(tcp, client);
	else if (error)
		connection_abort(tcp, client, error, false);
	else
		connection_close(tcp, client, -ETIME);
}

/* All output is acknowledged. */
static void on_acked(struct tcp *tcp, struct client *client)
{
	if (client->state == CLIENT_OPEN)
		idle_touch(&tcp->idle, client, tcp->hub->now_ns);
	else if (client_has_any(client, CLIENT_PEER_ENDED))
		enter(tcp, client, CLIENT_CLOSING);
	else if (client->state == CLIENT_LINGERING)
		idle_touch(&tcp->lingering, client, tcp->hub->now_ns);
	if (tcp->hub->draining)
		connection_drain(tcp, client);
}

/* The watch for acknowledgements has ended, with the result of delivery.ended(). */
static void delivered(struct tcp *tcp, struct client *client, int result)
{
	switch (result) {
	case 0:
		on_acked(tcp, client);
		break;
	case -ETIME:
		if (receive_would_tell(client))
			connection_close(tcp, client, result);
		else
			watch(tcp, client);
		break;
	default:
		connection_abort(tcp, client, result, result == -ETIMEDOUT);
	}
}

/* A message has not ended in time. It is not the client's fault while nothing is received. */
static void on_unfinished(struct unfinished_list *list, struct client *client)
{
	struct tcp *tcp = container_of(list, struct tcp, unfinished);
	struct hub *hub = tcp->hub;

	if (client->state == CLIENT_OPEN && !client_is_receiving(client)) {
		input_extend(tcp, client);
		return;
	}
	input_clear(tcp, client);
	if (client->state != CLIENT_OPEN)
		return;
	hub->stats.tcp_message_timeouts++;
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "client %llu ended: its message has not ended in time (message timeout)",
		  (unsigned long long)client->id);
	connection_close(tcp, client, -ENODATA);
}

/* Whether a message may be on its way: the client has begun one, or has just connected. */
static bool has_grace(const struct tcp *tcp, const struct client *client)
{
	if (input_is_begun(client))
		return true;
	return client->messages_received == 0 && tcp->hub->now_ns < tcp->hub->grace_end_ns &&
	       client_ms(tcp->hub->now_ns) - client->active_ms < HUB_GRACE_MS;
}

/* Whether the peer has not taken all output, as far as is known. */
static bool is_delivering(const struct client *client)
{
	return client->tcp.queue.bytes > 0 || client_has_any(client, CLIENT_UNACKED);
}

/*
 * While the peer takes output, its input may be held up by the same: the window was closed, and
 * what it has sent is still on its way. It is asked for the last of it when it has taken all.
 */
void connection_drain(struct tcp *tcp, struct client *client)
{
	if (client->state != CLIENT_OPEN || has_grace(tcp, client) || is_delivering(client))
		return;
	client_set(client, CLIENT_LAST_INPUT);
	hub_flush_later(tcp->hub, client);
}

void connection_end_input(struct tcp *tcp, struct client *client)
{
	if (client->state != CLIENT_OPEN)
		return;
	client_set(client, CLIENT_LAST_INPUT | CLIENT_INPUT_ENDED);
	hub_flush_later(tcp->hub, client);
}

/* ---- Receiving ---- */

/* After some input was handled: the rest of it waits for the next turn. */
static void leave_rest(struct tcp *tcp, struct client *client)
{
	if (client->state != CLIENT_OPEN || client_has_any(client, CLIENT_PAUSED) ||
	    !input_is_held(client))
		return;
	client_set(client, CLIENT_LIMITED);
	wait_for_turn(tcp, client);
}

static void on_bytes(struct tcp *tcp, struct client *client, uint16_t buffer, size_t bytes)
{
	struct hub *hub = tcp->hub;
	int error;

	if (client->state != CLIENT_OPEN || client_has_any(client, CLIENT_INPUT_ENDED))
		return;
	if (client_has_any(client, CLIENT_UNACKED))
		delivery_touch(&tcp->delivery, client);
	else
		idle_touch(&tcp->idle, client, hub->now_ns);
	error = input_receive(tcp, client, buffers_data(&hub->buffers[BUFFERS_TCP], buffer), bytes);
	if (error == -EMSGSIZE)
		connection_close(tcp, client, error);
	else if (error)
		connection_abort(tcp, client, error, true);
	else if (hub->draining)
		connection_drain(tcp, client);
	if (!input_is_held(client)) {
		client_clear(client, CLIENT_LIMITED);
		return;
	}
	leave_rest(tcp, client);
	/* Its receive may have to be cancelled. */
	hub_flush_later(hub, client);
}

void connection_on_receive(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe)
{
	struct buffers *buffers = &tcp->hub->buffers[BUFFERS_TCP];
	const bool cancelled = client->receive == RECEIVE_CANCELLING;
	int error;

	receive_completed(tcp, client, cqe);
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t buffer = buffers_take(buffers, cqe->flags);

		/* Before Linux 6.8, EAGAIN may carry a buffer too. */
		if (cqe->res > 0) {
			receive_got(tcp, client, (size_t)cqe->res);
			on_bytes(tcp, client, buffer, (size_t)cqe->res);
		}
		buffers_release(buffers, buffer);
	}
	if (client->state == CLIENT_CLOSING)
		return;
	if (cqe->res == 0)
		client_set(client, CLIENT_INPUT_ENDED | CLIENT_PEER_ENDED);
	error = cqe->res < 0 ? receive_failed(tcp, client, cqe->res, cancelled) : 0;
	if (error)
		connection_abort(tcp, client, error, false);
}

/* ---- Sending ---- */

void connection_on_sent(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe)
{
	int error;

	output_ended(tcp, client);
	hub_flush_later(tcp->hub, client);
	if (client->state == CLIENT_CLOSING)
		return;
	error = output_sent(tcp, client, cqe->res);
	if (error) {
		/* What is lost of the stream must not look like its end. */
		connection_abort(tcp, client, error, true);
		return;
	}
	if (client_has_any(client, CLIENT_SLOW))
		watch(tcp, client);
	else if (cqe->res > 0 && !client_has_any(client, CLIENT_UNACKED))
		idle_touch(&tcp->idle, client, tcp->hub->now_ns);
	if (client_has_any(client, CLIENT_PAUSED | CLIENT_DRAINED_DUE))
		output_call_drained(tcp, client);
	if (tcp->hub->draining)
		connection_drain(tcp, client);
}

void connection_on_poll(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		output_ended(tcp, client);
	hub_flush_later(tcp->hub, client);
	if (client->state != CLIENT_CLOSING)
		output_polled(tcp, client, cqe->res);
}

/* ---- Cancelling and closing ---- */

/*
 * Starts the cancel that is due. A closing client's operations are cancelled one after another,
 * by their user_data: for a cancel by descriptor, the kernel looks at every operation that waits.
 */
static bool start_cancel(struct tcp *tcp, struct client *client)
{
	if (client->in_flight & IN_FLIGHT_CANCEL)
		return true;
	if (receive_is_to_cancel(client))
		return receive_cancel(tcp, client);
	return !output_is_to_cancel(client) || output_cancel(tcp, client);
}

void connection_on_cancel(struct tcp *tcp, struct client *client)
{
	/*
	 * Its result does not matter: the cancel found the operation (0), came too late (ENOENT),
	 * or the operation is just completing (EALREADY). What counts is the last completion of the
	 * operation itself.
	 */
	client->in_flight &= ~IN_FLIGHT_CANCEL & IN_FLIGHT_ALL;
	hub_flush_later(tcp->hub, client);
}

static bool start_close(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->hub->ring);

	if (!sqe)
		return false;
	queue_clear(&tcp->hub->memory, &client->tcp.queue);
	input_clear(tcp, client);
	io_uring_prep_close(sqe, client->fd);
	sqe->user_data = op_pack(OP_TCP_CLOSE, client->id);
	client->in_flight |= IN_FLIGHT_CLOSE;
	/* The descriptor may soon be another client's. */
	client->fd = -1;
	return true;
}

void connection_on_close(struct tcp *tcp, struct client *client)
{
	/* Whatever close(2) returns, the descriptor is gone. */
	client->in_flight &= ~IN_FLIGHT_CLOSE & IN_FLIGHT_ALL;
	tcp->closes++;
	hub_flush_later(tcp->hub, client);
}

/* ---- The end of a turn ---- */

static void resume_input(struct tcp *tcp, struct client *client)
{
	int error = input_resume(tcp, client);

	if (error == -EMSGSIZE)
		connection_close(tcp, client, error);
	else if (error)
		connection_abort(tcp, client, error, true);
	leave_rest(tcp, client);
}

/*
 * Whether all input is answered: no more will be received, and the service has no more to send for
 * what was.
 */
static bool is_answered(const struct client *client)
{
	return client_has_any(client, CLIENT_INPUT_ENDED) && !input_is_held(client) &&
	       client->tcp.queue.bytes == 0 && !client_has_any(client, CLIENT_DRAINED_DUE);
}

/* Closes if the peer, which has closed its side, has acknowledged everything. */
static void close_if_delivered(struct tcp *tcp, struct client *client)
{
	int result = delivery_check(&tcp->delivery, client);

	if (result != -EAGAIN)
		delivered(tcp, client, result);
}

/* The queue has been sent: shuts down our side. */
static void finish(struct tcp *tcp, struct client *client)
{
	if (client_has_any(client, CLIENT_PEER_ENDED))
		close_if_delivered(tcp, client);
	else
		/* In the drain: the peer may send more until it sees our FIN; read it. */
		client_clear(client, CLIENT_INPUT_ENDED);
	if (client->state == CLIENT_CLOSING)
		return;
	socket_shutdown(tcp->hub->ring, client->fd);
	enter(tcp, client, CLIENT_LINGERING);
}

/* Moves on to the next state if its condition holds. */
static void advance(struct tcp *tcp, struct client *client)
{
	if (client_has_any(client, CLIENT_DRAINED_DUE) && client->tcp.queue.bytes == 0 &&
	    !client_has_any(client, CLIENT_NO_MEMORY))
		output_call_drained(tcp, client);
	if (client->state == CLIENT_OPEN && input_is_held(client) &&
	    !client_has_any(client, CLIENT_PAUSED | CLIENT_LEFT_OVER))
		resume_input(tcp, client);
	if (client->state == CLIENT_OPEN && client_has_any(client, CLIENT_PEER_ENDED) &&
	    !input_is_held(client))
		input_end(tcp, client);
	if (client->state == CLIENT_OPEN && is_answered(client))
		connection_close(tcp, client,
				 client_has_any(client, CLIENT_PEER_ENDED) ? 0 : -ESHUTDOWN);
	if (client->state == CLIENT_FINISHING && client->tcp.queue.bytes == 0)
		finish(tcp, client);
	else if (client->state == CLIENT_LINGERING && client_has_any(client, CLIENT_PEER_ENDED))
		close_if_delivered(tcp, client);
}

/*
 * Whether nothing but output can be due: an open client that is received from, with no input held
 * and no state on its way to another one.
 */
static bool is_settled(const struct client *client)
{
	const unsigned unsettled = CLIENT_PAUSED | CLIENT_LAST_INPUT | CLIENT_INPUT_ENDED |
				   CLIENT_PEER_ENDED | CLIENT_DRAINED_DUE | CLIENT_POLLING |
				   CLIENT_LEFT_OVER | CLIENT_NO_MEMORY | CLIENT_UNCHECKED |
				   CLIENT_RESET_FOUND;

	return client->state == CLIENT_OPEN && client->receive == RECEIVE_WAITING &&
	       !client->tcp.input && !client_has_any(client, unsettled);
}

bool connection_flush(struct tcp *tcp, struct client *client)
{
	if (is_settled(client))
		return !output_is_due(client) || output_start(tcp, client);
	advance(tcp, client);
	if (!start_cancel(tcp, client))
		return false;
	if (receive_is_due(client) && !receive_start(tcp, client))
		return false;
	if (output_is_due(client) && !output_start(tcp, client))
		return false;
	liveness_flush(&tcp->liveness, client);
	if (client->state != CLIENT_CLOSING || client_is_receiving(client) ||
	    client->in_flight != 0)
		return true;
	if (client->fd >= 0)
		return start_close(tcp, client);
	/* Only here, where it is in no list any more, a client can go. */
	places_leave(&tcp->places, client);
	hub_disconnected(tcp->hub, client);
	return true;
}

/* ---- What all share ---- */

static void on_delivery(struct delivery *delivery, struct client *client, int result)
{
	delivered(container_of(delivery, struct tcp, delivery), client, result);
}

static void on_lingering_too_long(struct idle *idle, struct client *client)
{
	connection_abort(container_of(idle, struct tcp, lingering), client, 0, false);
}

int connections_init(struct tcp *tcp, struct hub *hub)
{
	struct table *table = &hub->table;
	struct timers *timeouts = &hub->timeouts;
	int error = timers_reserve(&hub->timers);

	if (error)
		return error;
	*tcp = (struct tcp){ .hub = hub, .memory_timer = { .expired = wait_on_timer } };
	client_list_init(&tcp->no_buffer, LIST_WAIT);
	client_list_init(&tcp->no_buffer_later, LIST_WAIT);
	client_list_init(&tcp->no_memory, LIST_WAIT);
	client_list_init(&tcp->left_over, LIST_WAIT);
	error = idle_init(&tcp->idle, table, timeouts, hub->options.tcp_idle_timeout_ms, on_idle);
	if (error)
		return error;
	error = idle_init(&tcp->lingering, table, timeouts, TCP_LINGER_MS, on_lingering_too_long);
	if (error)
		return error;
	error = delivery_init(&tcp->delivery, hub, on_delivery);
	if (error)
		return error;
	error = liveness_init(&tcp->liveness, hub);
	if (error)
		return error;
	error = unfinished_init(&tcp->unfinished, hub, on_unfinished);
	if (error)
		return error;
	error = places_init(&tcp->places, hub);
	if (error)
		return error;
	error = slab_init(&tcp->gathers, sizeof(struct gather), GATHERS);
	if (error)
		places_destroy(&tcp->places);
	return error;
}

void connections_destroy(struct tcp *tcp)
{
	slab_destroy(&tcp->gathers);
	places_destroy(&tcp->places);
}
