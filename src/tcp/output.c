/* SPDX-License-Identifier: MIT */
#include "tcp/output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "ring/op.h"
#include "tcp/wait.h"

/*
 * Whether receiving is to be suspended. While memory gets short, four blocks are enough for that;
 * while it is scarce, half a block, so that short answers to one client fit into one block.
 */
static bool is_queue_long(const struct hub *hub, const struct client *client)
{
	const uint32_t bytes = client->tcp.queue.bytes;

	if (bytes <= QUEUE_BLOCK_BYTES / 2)
		return false;
	return bytes > hub->options.send_queue_bytes || hub_is_memory_scarce(hub) ||
	       (bytes > 4 * QUEUE_BLOCK_BYTES &&
		queue_memory_used(&hub->memory) > hub->memory.blocks.limit / 2);
}

/* drained() follows: after a send has completed, or else after TCP_RETRY_NS. */
static int refuse_send(struct tcp *tcp, struct client *client, int error)
{
	client_set(client, CLIENT_DRAINED_DUE);
	tcp->hub->stats.sends_refused++;
	if (client->tcp.queue.bytes == 0)
		wait_for_memory(tcp, client);
	return error;
}

/* Queues a message. Its parts may have more bytes: a length before it does not count. */
static int queue_message(struct tcp *tcp, struct client *client, const struct message *message)
{
	struct hub *hub = tcp->hub;
	struct queue *queue = &client->tcp.queue;
	const size_t bytes = message->bytes;
	bool copy;

	if (bytes > hub->options.send_queue_bytes_max)
		return -EMSGSIZE;
	/*
	 * Behind a partial send, references could hold shared buffers for long. Chunks beyond
	 * those of one send are better copied into fewer.
	 */
	copy = client_has_any(client, CLIENT_SLOW) || queue->chunks >= GATHER_PIECES;
	if (queue->bytes + bytes > hub->options.send_queue_bytes_max)
		return refuse_send(tcp, client, -ENOBUFS);
	if (!queue_append(&hub->memory, queue, message->parts, message->count, copy))
		return refuse_send(tcp, client, -ENOMEM);
	hub_count_sent(hub, client, bytes);
	if (is_queue_long(hub, client) && !client_has_any(client, CLIENT_PAUSED)) {
		client_set(client, CLIENT_PAUSED | CLIENT_DRAINED_DUE);
		hub->stats.receive_pauses++;
	}
	hub_flush_later(hub, client);
	return 0;
}

static int send_behind_length(struct tcp *tcp, struct client *client, const struct message *message)
{
	const uint32_t length = htonl((uint32_t)message->bytes);
	struct iovec parts[1 + HUB_PARTS_MAX];
	const struct message whole = { parts, 1 + message->count, message->bytes };

	parts[0] = (struct iovec){ (void *)&length, sizeof(length) };
	memcpy(parts + 1, message->parts, message->count * sizeof(*parts));
	return queue_message(tcp, client, &whole);
}

int output_send(struct tcp *tcp, struct client *client, const struct message *message)
{
	if (client->state != CLIENT_OPEN)
		return -EPIPE;
	if (client->origin->service.framing == ROLLCALL_FRAMING_LENGTH)
		return send_behind_length(tcp, client, message);
	return queue_message(tcp, client, message);
}

static uint32_t sum_bytes(const struct iovec *pieces, unsigned count)
{
	uint32_t bytes = 0;

	while (count-- > 0)
		bytes += (uint32_t)pieces[count].iov_len;
	return bytes;
}

/* The last send found the socket full, and no poll has ended since. */
static bool is_socket_full(const struct client *client)
{
	return client_has_any(client, CLIENT_SLOW) && client->sending > 0;
}

static void prepare_send(struct tcp *tcp, struct client *client, struct io_uring_sqe *sqe)
{
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	struct queue *queue = &client->tcp.queue;
	struct gather *gather = NULL;
	unsigned count;

	if (queue->chunks > 1)
		gather = slab_take(&tcp->gathers);
	if (!gather) {
		client->sending = queue_first(queue)->bytes;
		io_uring_prep_send(sqe, client->fd, queue_first(queue)->data, client->sending,
				   flags);
		return;
	}
	count = queue_gather(queue, gather->pieces, GATHER_PIECES);
	gather->message = (struct msghdr){ .msg_iov = gather->pieces, .msg_iovlen = count };
	client->gather = (uint16_t)slab_index(&tcp->gathers, gather);
	client->sending = sum_bytes(gather->pieces, count);
	io_uring_prep_sendmsg(sqe, client->fd, &gather->message, (unsigned)flags);
}

bool output_start(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->hub->ring);

	if (!sqe)
		return false;
	if (is_socket_full(client)) {
		/*
		 * A poll also reports the peer's FIN (POLLRDHUP), asked for or not: then one that
		 * ends with its first event would end at once, every time.
		 */
		if (client->fin_polled)
			io_uring_prep_poll_multishot(sqe, client->fd, POLLOUT);
		else
			io_uring_prep_poll_add(sqe, client->fd, POLLOUT);
		sqe->user_data = op_pack(OP_TCP_POLL, client->id);
		client_set(client, CLIENT_POLLING);
	} else {
		prepare_send(tcp, client, sqe);
		sqe->user_data = op_pack(OP_TCP_SEND, client->id);
	}
	client->in_flight |= IN_FLIGHT_SEND;
	return true;
}

bool output_is_to_cancel(const struct client *client)
{
	return client_has_any(client, CLIENT_POLLING) &&
	       (client->state == CLIENT_CLOSING || client->sending == 0);
}

bool output_cancel(struct tcp *tcp, struct client *client)
{
	struct io_uring_sqe *sqe = ring_sqe(tcp->hub->ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, op_pack(OP_TCP_POLL, client->id), 0);
	sqe->user_data = op_pack(OP_TCP_CANCEL, client->id);
	client->in_flight |= IN_FLIGHT_CANCEL;
	client_clear(client, CLIENT_POLLING);
	return true;
}

void output_call_drained(struct tcp *tcp, struct client *client)
{
	struct hub *hub = tcp->hub;

	if (client->tcp.queue.bytes > hub->options.send_queue_bytes / 2 ||
	    is_queue_long(hub, client))
		return;
	client_clear(client, CLIENT_PAUSED);
	if (client_has_any(client, CLIENT_DRAINED_DUE)) {
		client_clear(client, CLIENT_DRAINED_DUE);
		if (client->state == CLIENT_OPEN)
			hub_drained(hub, client);
	}
}

void output_ended(struct tcp *tcp, struct client *client)
{
	client->in_flight &= ~IN_FLIGHT_SEND & IN_FLIGHT_ALL;
	client_clear(client, CLIENT_POLLING);
	if (client->gather == GATHER_NONE)
		return;
	slab_give(&tcp->gathers, slab_at(&tcp->gathers, client->gather));
	client->gather = GATHER_NONE;
}

void output_polled(struct tcp *tcp, struct client *client, int result)
{
	if (result >= 0 && result & POLLRDHUP)
		client->fin_polled = true;
	/* Anything but the FIN alone: an error of the socket shows in the send. */
	if (result < 0 || result & ~POLLRDHUP)
		client->sending = 0;
	if (result < 0 && result != -ECANCELED)
		wait_for_memory(tcp, client);
}

int output_sent(struct tcp *tcp, struct client *client, int result)
{
	struct queue_memory *memory = &tcp->hub->memory;

	if (result == -ENOMEM || result == -ENOBUFS)
		wait_for_memory(tcp, client);
	else if (result < 0 && result != -EAGAIN && result != -EINTR)
		return result;
	if (result > 0)
		queue_advance(memory, &client->tcp.queue, (size_t)result);
	if (result == (int)client->sending) {
		client_clear(client, CLIENT_SLOW);
	} else if (!client_has_any(client, CLIENT_SLOW)) {
		client_set(client, CLIENT_SLOW);
		/* What the socket did not take has to wait, and must not hold shared buffers. */
		if (!queue_own(memory, &client->tcp.queue))
			return -ENOBUFS;
	}
	return 0;
}
