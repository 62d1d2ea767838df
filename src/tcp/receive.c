/* SPDX-License-Identifier: MIT */
#include "tcp/receive.h"

#include <errno.h>

#include "ring/op.h"
#include "tcp/input.h"
#include "tcp/wait.h"

bool receive_is_due(const struct client *client)
{
	if (client->receive != RECEIVE_NONE ||
	    client_has_any(client, CLIENT_INPUT_ENDED | CLIENT_NO_MEMORY))
		return false;
	return client->state == CLIENT_LINGERING ||
	       (client->state == CLIENT_OPEN && !client_has_any(client, CLIENT_PAUSED) &&
		!input_is_held(client));
}

bool receive_would_tell(const struct client *client)
{
	return client_is_receiving(client) ||
	       client_has_any(client, CLIENT_INPUT_ENDED | CLIENT_PAUSED);
}

bool receive_start(struct tcp *tcp, struct client *client)
{
	/* MSG_DONTWAIT: the multishot ends with EAGAIN instead of waiting. */
	const bool last = client->state == CLIENT_OPEN && client_has_any(client, CLIENT_LAST_INPUT);
	const int flags = last ? MSG_DONTWAIT : 0;
	struct io_uring_sqe *sqe = ring_sqe(tcp->hub->ring);

	if (!sqe)
		return false;
	if (client->state == CLIENT_OPEN && client_has_any(client, CLIENT_LIMITED))
		io_uring_prep_recv(sqe, client->fd, NULL, TCP_LIMITED_BYTES, flags);
	else
		io_uring_prep_recv_multishot(sqe, client->fd, NULL, 0, flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_TCP;
	sqe->user_data = op_pack(OP_TCP_RECEIVE, client->id);
	client->receive = last ? RECEIVE_LAST : RECEIVE_WAITING;
	client_clear(client, CLIENT_GOT_INPUT | CLIENT_UNCHECKED | CLIENT_RESET_FOUND);
	if (!last)
		liveness_started(&tcp->liveness, client);
	return true;
}

bool receive_is_to_cancel(const struct client *client)
{
	if (client->receive != RECEIVE_WAITING)
		return false;
	if (client->state == CLIENT_CLOSING)
		return true;
	if (client->state == CLIENT_OPEN &&
	    (client_has_any(client, CLIENT_PAUSED | CLIENT_LAST_INPUT) || input_is_held(client)))
		return true;
	/* The receive is started again then; for a FINISHING client, later. */
	return client->state != CLIENT_FINISHING && client_has_any(client, CLIENT_RESET_FOUND);
}

bool receive_cancel(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->hub->ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, op_pack(OP_TCP_RECEIVE, client->id), 0);
	sqe->user_data = op_pack(OP_TCP_CANCEL, client->id);
	client->in_flight |= IN_FLIGHT_CANCEL;
	client->receive = RECEIVE_CANCELLING;
	return true;
}

void receive_begin_turn(struct tcp *tcp)
{
	tcp->turn_bytes = 0;
	tcp->turn_receives = 0;
	tcp->grown_in_turn = false;
}

void receive_got(struct tcp *tcp, struct client *client, size_t bytes)
{
	client_set(client, CLIENT_GOT_INPUT);
	if (client->state != CLIENT_CLOSING)
		liveness_received(&tcp->liveness, client);
	client->beyond_share = bytes > TCP_SHARE_BYTES;
	tcp->turn_bytes += bytes;
	tcp->turn_receives++;
	if (tcp->turn_bytes >= TCP_TURN_BYTES_MAX)
		buffers_shrink(&tcp->hub->buffers[BUFFERS_TCP], HUB_TCP_BUFFERS);
}

/* Whether twice the buffers, filled like those of this turn, are not too many for one turn. */
static bool may_grow(const struct tcp *tcp)
{
	const size_t count = (size_t)2 * tcp->hub->buffers[BUFFERS_TCP].count;

	if (tcp->turn_receives == 0)
		return true;
	return tcp->turn_bytes < TCP_TURN_BYTES_MAX &&
	       count * (tcp->turn_bytes / tcp->turn_receives) < TCP_TURN_BYTES_MAX;
}

/* Grows the pool once per turn: all receives that failed in it lacked the same buffers. */
static void grow_buffers(struct tcp *tcp)
{
	struct hub *hub = tcp->hub;

	hub->stats.buffers_exhausted++;
	if (tcp->grown_in_turn || !may_grow(tcp))
		return;
	tcp->grown_in_turn = true;
	buffers_grow(&hub->buffers[BUFFERS_TCP]);
}

/* All that had arrived is received. The rest of a message that has begun is waited for. */
static void end_last_input(struct client *client)
{
	if (input_is_begun(client))
		client_clear(client, CLIENT_LAST_INPUT);
	else
		client_set(client, CLIENT_INPUT_ENDED);
}

int receive_failed(struct tcp *tcp, struct client *client, int error, bool cancelled)
{
	switch (error) {
	case -ECANCELED: /* by our cancel */
	case -EINTR:
		return 0;
	case -ENOBUFS: /* no buffer: some may be free in the next turn */
		if (cancelled || client_is_receiving(client)) /* cancelled: before Linux 6.5 */
			return 0;
		grow_buffers(tcp);
		wait_for_buffer(tcp, client);
		return 0;
	case -ENOMEM:
		wait_for_memory(tcp, client);
		return 0;
	case -EAGAIN:
		/*
		 * Also after 32 rounds of a receive that had more to take (Linux 6.8): then start
		 * another.
		 */
		if (client->state == CLIENT_OPEN && client_has_any(client, CLIENT_LAST_INPUT) &&
		    !client_has_any(client, CLIENT_GOT_INPUT))
			end_last_input(client);
		return 0;
	default:
		return error;
	}
}
