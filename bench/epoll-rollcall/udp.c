/* SPDX-License-Identifier: MIT */
/*
 * udp.c - UDP: a batch of datagrams is received with one system call, each is handed to the
 * service, and what the service answers is sent with another.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "epoll-rollcall/engine.h"
#include "udp/incoming.h"

static struct mmsghdr messages[ENGINE_BATCH];
static struct iovec vectors[ENGINE_BATCH];

/* Level-triggered: what is more than a batch is told of in the next turn. */
int udp_start(struct rollcall_server *server, struct endpoint *endpoint)
{
	return engine_watch(server, EPOLL_CTL_ADD, endpoint->fd, EPOLLIN,
			    op_pack(OP_UDP_RECEIVE, endpoint->origin.index));
}

/* ---- Receiving ---- */

/* What is before the bytes of a datagram, as udp/arrival.h expects it. */
static size_t header_bytes(const struct endpoint *endpoint)
{
	return sizeof(struct io_uring_recvmsg_out) + endpoint->layout.msg_namelen +
	       endpoint->layout.msg_controllen;
}

static void prepare_to_receive(struct endpoint *endpoint, unsigned index)
{
	struct buffers *buffers = &endpoint->hub->buffers[BUFFERS_UDP];
	uint8_t *buffer = buffers_data(buffers, (uint16_t)index);
	uint8_t *name = buffer + sizeof(struct io_uring_recvmsg_out);

	vectors[index] = (struct iovec){ buffer + header_bytes(endpoint),
					 ENGINE_UDP_BYTES - header_bytes(endpoint) };
	messages[index].msg_hdr = (struct msghdr){
		.msg_name = name,
		.msg_namelen = endpoint->layout.msg_namelen,
		.msg_iov = &vectors[index],
		.msg_iovlen = 1,
		.msg_control = name + endpoint->layout.msg_namelen,
		.msg_controllen = endpoint->layout.msg_controllen,
	};
}

static void deliver(struct rollcall_server *server, struct endpoint *endpoint, unsigned index)
{
	const struct mmsghdr *message = &messages[index];
	const size_t bytes = header_bytes(endpoint) + message->msg_len;
	struct buffers *buffers = &endpoint->hub->buffers[BUFFERS_UDP];
	struct io_uring_cqe completion;

	*(struct io_uring_recvmsg_out *)buffers_data(buffers, (uint16_t)index) =
		(struct io_uring_recvmsg_out){
			.namelen = message->msg_hdr.msg_namelen,
			.controllen = (uint32_t)message->msg_hdr.msg_controllen,
			.payloadlen = message->msg_len,
			.flags = (uint32_t)message->msg_hdr.msg_flags,
		};
	engine_received(&completion, (ssize_t)bytes, index);
	incoming_on_receive(&server->udp, endpoint, &completion);
}

void udp_ready(struct rollcall_server *server, struct endpoint *endpoint)
{
	int count;

	for (unsigned i = 0; i < ENGINE_BATCH; i++)
		prepare_to_receive(endpoint, i);
	count = recvmmsg(endpoint->fd, messages, ENGINE_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		deliver(server, endpoint, (unsigned)i);
}

/* ---- Sending ---- */

/*
 * Sends those from a place on that leave from the same socket; returns how many are dealt with. A
 * slot has its message laid out, also where the ring is not given it.
 */
static unsigned send_some(struct udp *udp, unsigned from)
{
	const struct ring *ring = udp->hub->ring;
	unsigned count = from;
	int sent, error;

	while (count < ring->count && ring->sqes[count].fd == ring->sqes[from].fd) {
		const uint32_t slot = (uint32_t)op_id(ring->sqes[count].user_data);
		const struct datagram *one = slab_at(&udp->datagrams.slots, slot);

		messages[count++].msg_hdr = one->message;
	}
	sent = sendmmsg(ring->sqes[from].fd, messages + from, count - from,
			MSG_NOSIGNAL | MSG_DONTWAIT);
	error = sent < 0 ? -errno : 0;
	count = sent > 0 ? (unsigned)sent : 1;
	for (unsigned i = from; i < from + count; i++) {
		const struct io_uring_cqe completion = {
			.res = error ? error : (int)messages[i].msg_len,
		};

		udp_on_sent(udp, op_id(ring->sqes[i].user_data), &completion);
	}
	return count;
}

void udp_send_queued(struct rollcall_server *server)
{
	struct ring *ring = server->hub.ring;

	for (unsigned done = 0; done < ring->count;)
		done += send_some(&server->udp, done);
	ring->count = 0;
}

void udp_flush(struct rollcall_server *server, struct client *client)
{
	struct ring *ring = server->hub.ring;

	ring->capacity = ENGINE_BATCH;
	if (!udp_flush_client(&server->udp, client))
		hub_flush_later(&server->hub, client);
	ring->capacity = 0;
	if (ring->count == ENGINE_BATCH)
		udp_send_queued(server);
}

void udp_flush_unlisted(struct rollcall_server *server)
{
	struct ring *ring = server->hub.ring;

	while (server->udp.datagrams.unlisted) {
		ring->capacity = ENGINE_BATCH;
		datagrams_flush_unlisted(&server->udp.datagrams);
		ring->capacity = 0;
		udp_send_queued(server);
	}
}
