/* SPDX-License-Identifier: MIT */
#include "tcp/connection.h"

#include <errno.h>

#include "ring/op.h"
#include "tcp/input.h"

static bool has(const struct client *client, unsigned flags)
{
	return client->flags & flags;
}

static void set(struct client *client, unsigned flags)
{
	client->flags |= (uint16_t)flags;
}

static void clear(struct client *client, unsigned flags)
{
	client->flags &= (uint16_t)~flags;
}

void connection_open(struct tcp *tcp, const struct source *source, int fd)
{
	struct core *core = tcp->core;
	struct client *client = table_add(&core->table, ROLLCALL_TCP);

	CHECK(client);
	client->source = source;
	client->fd = fd;
	client->gather = GATHER_NONE;
	core->stats.tcp_clients++;
	core->stats.tcp_clients_now++;
	idle_touch(&tcp->idle, client, core->now_ns);
	core_flush_later(core, client);
	core_connected(core, client);
	if (core->draining)
		connection_drain(tcp, client);
}

/* ---- Waiting for buffers or memory ---- */

/* Until a buffer is free: connection_unpark(). */
static void park(struct tcp *tcp, struct client *client)
{
	if (!has(client, CLIENT_PARKED | CLIENT_STARVED))
		client_list_push(&tcp->core->table, &tcp->parked, client);
	set(client, CLIENT_PARKED);
}

/* For a while: trying again at once would fail again, and spin. */
static void starve(struct tcp *tcp, struct client *client)
{
	struct core *core = tcp->core;

	if (has(client, CLIENT_STARVED))
		return;
	if (has(client, CLIENT_PARKED))
		client_list_remove(&core->table, &tcp->parked, client);
	set(client, CLIENT_STARVED);
	client_list_push(&core->table, &tcp->starved, client);
	if (tcp->starved_timer.position == 0)
		timers_set(&core->timers, &tcp->starved_timer, core->now_ns + TCP_RETRY_NS);
}

void connection_unpark(struct tcp *tcp)
{
	struct core *core = tcp->core;
	uint32_t free_buffers = buffers_free(&core->buffers[BUFFERS_TCP]);

	while (free_buffers-- > 0 && tcp->parked.count > 0) {
		struct client *client = client_list_first(&core->table, &tcp->parked);

		client_list_remove(&core->table, &tcp->parked, client);
		clear(client, CLIENT_PARKED);
		core_flush_later(core, client);
	}
}

/* ---- Ending ---- */

static void leave_lists(struct tcp *tcp, struct client *client)
{
	/* The three idle lists are of one kind, and a state has one of them: any can unlink it. */
	struct idle *idle = client->state == CLIENT_OPEN	? &tcp->idle
			    : client->state == CLIENT_FINISHING ? &tcp->finishing
								: &tcp->lingering;

	idle_remove(idle, client);
	if (has(client, CLIENT_STARVED))
		client_list_remove(&tcp->core->table, &tcp->starved, client);
	else if (has(client, CLIENT_PARKED))
		client_list_remove(&tcp->core->table, &tcp->parked, client);
	clear(client, CLIENT_STARVED | CLIENT_PARKED);
}

static void enter(struct tcp *tcp, struct client *client, enum client_state state)
{
	leave_lists(tcp, client);
	client->state = (uint8_t)state;
	if (state == CLIENT_FINISHING)
		idle_touch(&tcp->finishing, client, tcp->core->now_ns);
	else if (state == CLIENT_LINGERING)
		idle_touch(&tcp->lingering, client, tcp->core->now_ns);
	core_flush_later(tcp->core, client);
}

void connection_close(struct tcp *tcp, struct client *client, int reason)
{
	if (client->state != CLIENT_OPEN)
		return;
	client->reason = reason;
	enter(tcp, client, CLIENT_FINISHING);
}

void connection_abort(struct tcp *tcp, struct client *client, int reason, bool reset)
{
	if (client->state == CLIENT_CLOSING)
		return;
	if (reset)
		socket_reset_on_close(tcp->core->ring, client->fd);
	if (client->reason == 0)
		client->reason = reason;
	/* A cancel that was asked for was for the receive alone. */
	clear(client, CLIENT_CANCELLED);
	enter(tcp, client, CLIENT_CLOSING);
}

void connection_drain(struct tcp *tcp, struct client *client)
{
	if (client->state != CLIENT_OPEN)
		return;
	set(client, CLIENT_LAST_INPUT);
	core_flush_later(tcp->core, client);
}

/* ---- Sending ---- */

static bool is_queue_long(const struct core *core, const struct client *client)
{
	const uint32_t bytes = client->tcp.queue.bytes;
	const struct slab *blocks = &core->memory.blocks;

	/* When memory gets short, clients that have much queued are not read from. */
	return bytes > core->options.send_queue_bytes ||
	       (blocks->used > blocks->limit / 2 && bytes > 4 * QUEUE_BLOCK_BYTES);
}

/* The last quarter of the memory is for clients that take their answers: the others go without. */
static bool is_memory_kept(const struct core *core, const struct client *client)
{
	const struct slab *blocks = &core->memory.blocks;

	return has(client, CLIENT_SLOW) && blocks->used > blocks->limit - blocks->limit / 4;
}

/* The service is told when there is room: when a send has completed, or else after a while. */
static void refuse_send(struct tcp *tcp, struct client *client)
{
	set(client, CLIENT_WANTS_ROOM);
	tcp->core->stats.sends_refused++;
	if (client->tcp.queue.bytes == 0)
		starve(tcp, client);
}

int connection_send(struct tcp *tcp, struct client *client, const struct iovec *parts,
		    unsigned count)
{
	struct core *core = tcp->core;
	struct queue *queue = &client->tcp.queue;
	struct iovec framed[1 + 16];
	size_t bytes = 0;
	uint32_t length;

	if (client->state != CLIENT_OPEN)
		return -EPIPE;
	for (unsigned i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	if (client->source->service->framing == ROLLCALL_LENGTH) {
		length = htonl((uint32_t)bytes);
		framed[0] = (struct iovec){ &length, sizeof(length) };
		for (unsigned i = 0; i < count; i++)
			framed[1 + i] = parts[i];
		parts = framed;
		count++;
	}
	if (bytes > core->options.send_queue_bytes_max)
		return -EMSGSIZE;
	/* Behind a send that was blocked, references to shared buffers could last for long. */
	if (queue->bytes + bytes > core->options.send_queue_bytes_max ||
	    is_memory_kept(core, client) || !queue_append(&core->memory, queue, parts, count, has(client, CLIENT_SLOW))) {
		refuse_send(tcp, client);
		return -ENOBUFS;
	}
	core_count_sent(core, client, bytes);
	if (is_queue_long(core, client) && !has(client, CLIENT_PAUSED)) {
		set(client, CLIENT_PAUSED | CLIENT_WANTS_ROOM);
		core->stats.receive_pauses++;
	}
	core_flush_later(core, client);
	return 0;
}

static bool wants_send(const struct client *client)
{
	return client->tcp.queue.bytes > 0 && client->state < CLIENT_LINGERING &&
	       !(client->in_flight & IN_FLIGHT_SEND) && !has(client, CLIENT_STARVED);
}

/*
 * One send is in flight at a time, with all that is queued in it: two would interleave. The first
 * try does not wait, so that what it could not send need not stay in shared buffers.
 */
static bool start_send(struct tcp *tcp, struct client *client)
{
	const int flags = MSG_NOSIGNAL | (has(client, CLIENT_SLOW) ? 0 : MSG_DONTWAIT);
	struct queue *queue = &client->tcp.queue;
	struct io_uring_sqe *sqe = ring_sqe(tcp->core->ring);
	struct gather *gather = NULL;

	if (!sqe)
		return false;
	if (queue->segments > 1)
		gather = slab_take(&tcp->gathers);
	if (gather) {
		unsigned count = queue_gather(queue, gather->pieces, GATHER_PIECES);

		gather->message = (struct msghdr){ .msg_iov = gather->pieces, .msg_iovlen = count };
		client->gather = (uint16_t)slab_index(&tcp->gathers, gather);
		io_uring_prep_sendmsg(sqe, client->fd, &gather->message, (unsigned)flags);
	} else {
		io_uring_prep_send(sqe, client->fd, queue->head->data, queue->head->bytes, flags);
	}
	sqe->user_data = op_pack(OP_TCP_SEND, client->id);
	client->in_flight |= IN_FLIGHT_SEND;
	return true;
}

/* The queue has become shorter: the client may be received from again. */
static void after_send(struct tcp *tcp, struct client *client)
{
	struct core *core = tcp->core;

	if (client->tcp.queue.bytes == 0)
		clear(client, CLIENT_SLOW);
	if (client->tcp.queue.bytes > core->options.send_queue_bytes / 2 ||
	    is_queue_long(core, client))
		return;
	clear(client, CLIENT_PAUSED);
	if (has(client, CLIENT_WANTS_ROOM)) {
		clear(client, CLIENT_WANTS_ROOM);
		if (client->state == CLIENT_OPEN)
			core_drained(core, client);
	}
}

void connection_on_send(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe)
{
	struct core *core = tcp->core;
	int result = cqe->res;

	client->in_flight &= (uint8_t)~IN_FLIGHT_SEND;
	if (client->gather != GATHER_NONE) {
		slab_give(&tcp->gathers, slab_at(&tcp->gathers, client->gather));
		client->gather = GATHER_NONE;
	}
	core_flush_later(core, client);
	if (client->state == CLIENT_CLOSING)
		return;
	if (result == -ENOMEM || result == -ENOBUFS)
		starve(tcp, client);
	else if (result < 0 && result != -EAGAIN && result != -EINTR) {
		connection_abort(tcp, client, result, false);
		return;
	}
	if (result > 0) {
		queue_advance(&core->memory, &client->tcp.queue, (size_t)result);
		idle_touch(client->state == CLIENT_OPEN ? &tcp->idle : &tcp->finishing, client,
			   core->now_ns);
	}
	/* What the socket did not take has to wait, and must not hold buffers that others need. */
	if (client->tcp.queue.bytes > 0 && !has(client, CLIENT_SLOW)) {
		set(client, CLIENT_SLOW);
		if (!queue_own(&core->memory, &client->tcp.queue)) {
			connection_abort(tcp, client, -ENOBUFS, true);
			return;
		}
	}
	after_send(tcp, client);
}

/* ---- Receiving ---- */

static bool wants_receive(const struct client *client)
{
	if (client->in_flight & IN_FLIGHT_RECEIVE ||
	    has(client, CLIENT_INPUT_ENDED | CLIENT_PARKED | CLIENT_STARVED))
		return false;
	return client->state == CLIENT_LINGERING ||
	       (client->state == CLIENT_OPEN && !has(client, CLIENT_PAUSED));
}

static bool start_receive(struct tcp *tcp, struct client *client)
{
	/* MSG_DONTWAIT ends the multishot with EAGAIN rather than to wait. */
	bool last = client->state == CLIENT_OPEN && has(client, CLIENT_LAST_INPUT);
	struct io_uring_sqe *sqe = ring_sqe(tcp->core->ring);

	if (!sqe)
		return false;
	io_uring_prep_recv_multishot(sqe, client->fd, NULL, 0, last ? MSG_DONTWAIT : 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_TCP;
	sqe->user_data = op_pack(OP_TCP_RECEIVE, client->id);
	client->in_flight |= IN_FLIGHT_RECEIVE;
	clear(client, CLIENT_CANCELLED | CLIENT_MULTISHOT | CLIENT_GOT_INPUT);
	if (!last)
		set(client, CLIENT_MULTISHOT);
	return true;
}

static void on_bytes(struct tcp *tcp, struct client *client, uint16_t buffer, size_t bytes)
{
	struct core *core = tcp->core;
	int error;

	if (client->state != CLIENT_OPEN)
		return;
	idle_touch(&tcp->idle, client, core->now_ns);
	error = input_receive(tcp, client, buffers_data(&core->buffers[BUFFERS_TCP], buffer),
			      bytes);
	if (error == -EMSGSIZE)
		connection_close(tcp, client, error);
	else if (error)
		connection_abort(tcp, client, error, true);
}

/* Once a turn: all that ran dry in it ran dry of the same buffers. */
static void grow_buffers(struct tcp *tcp)
{
	struct core *core = tcp->core;

	core->stats.buffers_exhausted++;
	if (tcp->grown_in_turn == core->stats.turns)
		return;
	tcp->grown_in_turn = core->stats.turns;
	buffers_grow(&core->buffers[BUFFERS_TCP]);
}

static void on_receive_error(struct tcp *tcp, struct client *client, int error)
{
	switch (error) {
	case -ECANCELED: /* as we asked */
	case -EINTR:
		break;
	case -ENOBUFS: /* no buffer: in the next turn there may be more */
		grow_buffers(tcp);
		park(tcp, client);
		break;
	case -ENOMEM:
		starve(tcp, client);
		break;
	case -EAGAIN:
		/* Also after 32 rounds of one that had more to receive (Linux 6.8): then go on. */
		if (client->state == CLIENT_OPEN && has(client, CLIENT_LAST_INPUT) &&
		    !has(client, CLIENT_GOT_INPUT))
			set(client, CLIENT_INPUT_ENDED);
		break;
	default:
		connection_abort(tcp, client, error, false);
	}
}

void connection_on_receive(struct tcp *tcp, struct client *client, const struct io_uring_cqe *cqe)
{
	struct buffers *buffers = &tcp->core->buffers[BUFFERS_TCP];

	/* Any completion may be the last of a multishot, with a good result too: look at the flag. */
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		client->in_flight &= (uint8_t)~IN_FLIGHT_RECEIVE;
		core_flush_later(tcp->core, client);
	}
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t buffer = buffers_take(buffers, cqe->flags);

		set(client, CLIENT_GOT_INPUT);
		if (cqe->res > 0)
			on_bytes(tcp, client, buffer, (size_t)cqe->res);
		buffers_release(buffers, buffer);
	}
	if (client->state == CLIENT_CLOSING)
		return;
	if (cqe->res < 0)
		on_receive_error(tcp, client, cqe->res);
	else if (cqe->res == 0)
		set(client, CLIENT_INPUT_ENDED | CLIENT_PEER_ENDED);
}

/* ---- Cancelling and closing ---- */

static bool wants_cancel(const struct client *client)
{
	if (client->in_flight & IN_FLIGHT_CANCEL || has(client, CLIENT_CANCELLED))
		return false;
	if (client->state == CLIENT_CLOSING)
		return client->in_flight & (IN_FLIGHT_RECEIVE | IN_FLIGHT_SEND);
	return client->state == CLIENT_OPEN && client->in_flight & IN_FLIGHT_RECEIVE &&
	       has(client, CLIENT_MULTISHOT) && has(client, CLIENT_PAUSED | CLIENT_LAST_INPUT);
}

static bool start_cancel(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->core->ring);

	if (!sqe)
		return false;
	if (client->state == CLIENT_CLOSING)
		io_uring_prep_cancel_fd(sqe, client->fd, IORING_ASYNC_CANCEL_ALL);
	else
		io_uring_prep_cancel64(sqe, op_pack(OP_TCP_RECEIVE, client->id), 0);
	sqe->user_data = op_pack(OP_TCP_CANCEL, client->id);
	client->in_flight |= IN_FLIGHT_CANCEL;
	set(client, CLIENT_CANCELLED);
	return true;
}

void connection_on_cancel(struct tcp *tcp, struct client *client)
{
	/*
	 * Whether it found something (0, or how many), came too late (ENOENT) or just in time for it to
	 * complete by itself (EALREADY): the operation's own last completion is what counts.
	 */
	client->in_flight &= (uint8_t)~IN_FLIGHT_CANCEL;
	core_flush_later(tcp->core, client);
}

static bool start_close(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->core->ring);

	if (!sqe)
		return false;
	queue_clear(&tcp->core->memory, &client->tcp.queue);
	input_clear(tcp, client);
	io_uring_prep_close(sqe, client->fd);
	sqe->user_data = op_pack(OP_TCP_CLOSE, client->id);
	client->in_flight |= IN_FLIGHT_CLOSE;
	/* The number may soon be another client's. */
	client->fd = -1;
	return true;
}

void connection_on_close(struct tcp *tcp, struct client *client)
{
	/* Whatever close(2) says, the descriptor is gone. */
	client->in_flight &= (uint8_t)~IN_FLIGHT_CLOSE;
	tcp->closes++;
	core_flush_later(tcp->core, client);
}

/* ---- The end of a turn ---- */

static void resume_input(struct tcp *tcp, struct client *client)
{
	int error = input_resume(tcp, client);

	if (error == -EMSGSIZE)
		connection_close(tcp, client, error);
	else if (error)
		connection_abort(tcp, client, error, true);
}

/* Moves on to the next state, if the time has come. */
static void advance(struct tcp *tcp, struct client *client)
{
	if (has(client, CLIENT_WANTS_ROOM) && client->tcp.queue.bytes == 0 &&
	    !has(client, CLIENT_STARVED))
		after_send(tcp, client);
	if (client->state == CLIENT_OPEN && input_is_held(client) && !has(client, CLIENT_PAUSED))
		resume_input(tcp, client);
	if (client->state == CLIENT_OPEN && has(client, CLIENT_INPUT_ENDED) &&
	    !input_is_held(client)) {
		if (has(client, CLIENT_PEER_ENDED))
			input_end(tcp, client);
		connection_close(tcp, client, has(client, CLIENT_PEER_ENDED) ? 0 : -ESHUTDOWN);
	}
	if (client->state == CLIENT_FINISHING && client->tcp.queue.bytes == 0) {
		/* A drained client has more to read: what the peer sends until it has seen the end. */
		if (!has(client, CLIENT_PEER_ENDED)) {
			clear(client, CLIENT_INPUT_ENDED);
			socket_shutdown(tcp->core->ring, client->fd);
		}
		enter(tcp, client, CLIENT_LINGERING);
	}
	if (client->state == CLIENT_LINGERING && has(client, CLIENT_PEER_ENDED))
		enter(tcp, client, CLIENT_CLOSING);
}

bool connection_flush(struct tcp *tcp, struct client *client)
{
	advance(tcp, client);
	if (wants_cancel(client) && !start_cancel(tcp, client))
		return false;
	if (wants_receive(client) && !start_receive(tcp, client))
		return false;
	if (wants_send(client) && !start_send(tcp, client))
		return false;
	if (client->state != CLIENT_CLOSING || client->in_flight != 0)
		return true;
	if (client->fd >= 0)
		return start_close(tcp, client);
	/* Only here, where it is in no list any more, a client can go. */
	core_disconnected(tcp->core, client);
	return true;
}
