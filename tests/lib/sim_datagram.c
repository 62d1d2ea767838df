/* SPDX-License-Identifier: MIT */
/*
 * sim_datagram.c - operations on UDP sockets, with io_uring's layout of received datagrams.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* The largest datagrams of IPv4 and of IPv6. */
#define UDP4_BYTES_MAX 65507
#define UDP6_BYTES_MAX 65527

/* Segments of a GSO batch (Linux before 6.9). */
#define UDP_SEGMENTS_MAX 64

/* What the control data of a send requests. */
struct request {
	struct address from;
	size_t segment_bytes; /* 0: no GSO */
};

/* The source address, by default the socket's own; and UDP_SEGMENT. */
static struct request read_request(const struct sim_file *file, const struct msghdr *message)
{
	struct request request = { .from = file->address };
	struct address *from = &request.from;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	uint16_t segment_bytes;

	/* All destinations are local: the default source is the loopback address. */
	if (address_is_wildcard(from) && from->any.sa_family == AF_INET)
		from->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (address_is_wildcard(from))
		from->v6.sin6_addr = in6addr_loopback;
	for (; header; header = CMSG_NXTHDR((struct msghdr *)message, header)) {
		if (header->cmsg_level == IPPROTO_IP) {
			memcpy(&from->v4.sin_addr,
			       CMSG_DATA(header) + offsetof(struct in_pktinfo, ipi_spec_dst), 4);
		} else if (header->cmsg_level == IPPROTO_IPV6) {
			memcpy(&from->v6.sin6_addr, CMSG_DATA(header), 16);
		} else {
			memcpy(&segment_bytes, CMSG_DATA(header), sizeof(segment_bytes));
			request.segment_bytes = segment_bytes;
		}
	}
	return request;
}

/* Sends one datagram, or the segments of a batch. */
static void send_all(struct sim *sim, const struct request *request, const struct msghdr *message)
{
	static uint8_t all[UDP6_BYTES_MAX];
	struct address to = { .bytes = message->msg_namelen };
	size_t bytes = 0, at = 0;

	memcpy(&to.any, message->msg_name, message->msg_namelen);
	for (size_t i = 0; i < message->msg_iovlen; bytes += message->msg_iov[i++].iov_len)
		memcpy(all + bytes, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
	do {
		struct iovec one = { all + at, bytes - at };

		if (request->segment_bytes > 0)
			one.iov_len = min_size(request->segment_bytes, one.iov_len);
		at += one.iov_len;
		if (sim->tap.sent)
			sim->tap.sent(sim->context, &request->from, &to, one.iov_base, one.iov_len);
		sim_transmit(sim, &request->from, &to, &one, 1);
	} while (at < bytes);
}

size_t sim_segment_bytes(struct sim *sim, const struct io_uring_sqe *sqe)
{
	struct iovec one;
	const struct msghdr message = sqe_message(sqe, &one);

	return read_request(sim_file(sim, sqe->fd), &message).segment_bytes;
}

bool sim_refuse_datagram(struct sim *sim, struct sim_op *op)
{
	struct iovec one;
	const struct msghdr message = sqe_message(&op->sqe, &one);
	const struct request request = read_request(sim_file(sim, op->sqe.fd), &message);
	size_t bytes;

	sim_digest(&op->sqe, &bytes);
	sim->refused += request.segment_bytes > 0
				? (bytes + request.segment_bytes - 1) / request.segment_bytes
				: 1;
	return sim_finish(op, -EAGAIN);
}

bool sim_try_send_datagram(struct sim *sim, struct sim_op *op)
{
	struct iovec one;
	const struct msghdr message = sqe_message(&op->sqe, &one);
	const struct request request = read_request(sim_file(sim, op->sqe.fd), &message);
	size_t bytes;

	if (sim_digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the datagram being sent was changed");
	if (!message.msg_name)
		return sim_finish(op, -EDESTADDRREQ);
	if (bytes > (request.from.any.sa_family == AF_INET ? UDP4_BYTES_MAX : UDP6_BYTES_MAX))
		return sim_finish(op, -EMSGSIZE);
	if (bytes > request.segment_bytes * UDP_SEGMENTS_MAX && request.segment_bytes > 0) {
		if (!sim->settings.tolerant)
			sim_fail(sim, "a GSO batch has more segments than the kernel takes");
		return sim_finish(op, -EINVAL);
	}
	if (sim_chance(sim, SIM_UDP_SEND_ERROR))
		return sim_finish(op, -ENOBUFS);
	if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_UDP_SEND_FULL))
		return sim_refuse_datagram(sim, op);
	if (request.segment_bytes > 0 && sim_chance(sim, SIM_UDP_GSO_EINVAL))
		return sim_finish(op, -EINVAL);
	if (request.segment_bytes > 0 && sim_chance(sim, SIM_UDP_GSO_EIO))
		return sim_finish(op, -EIO);
	send_all(sim, &request, &message);
	sim_spend_bytes(sim, bytes);
	return sim_finish(op, (int)bytes);
}

/* A buffer for control data. */
struct control {
	uint8_t *at;
	size_t capacity, used;
	bool cut;
};

/* Appends control data; what does not fit is cut off (Linux, put_cmsg()). */
static void put_control(struct control *control, int level, int type, const void *data,
			size_t bytes)
{
	struct cmsghdr *header = (struct cmsghdr *)(control->at + control->used);
	const size_t left = control->capacity - control->used;

	control->cut |= left < CMSG_LEN(bytes);
	if (left < sizeof(*header))
		return;
	*header = (struct cmsghdr){ min_size(CMSG_LEN(bytes), left), level, type };
	memcpy(CMSG_DATA(header), data, header->cmsg_len - sizeof(*header));
	control->used += min_size(CMSG_SPACE(bytes), left);
}

/* UDP_GRO of a batch, and on a wildcard address the destination address. */
static void lay_out_control(const struct sim_file *file, const struct sim_datagram *datagram,
			    struct control *control)
{
	const struct in6_pktinfo info6 = { .ipi6_addr = datagram->to.v6.sin6_addr };
	const struct in_pktinfo info = { .ipi_spec_dst = datagram->to.v4.sin_addr,
					 .ipi_addr = datagram->to.v4.sin_addr };
	const int segment_bytes = (int)datagram->segment_bytes;

	if (segment_bytes > 0)
		put_control(control, SOL_UDP, UDP_GRO, &segment_bytes, sizeof(segment_bytes));
	if (!address_is_wildcard(&file->address))
		return;
	if (file->address.any.sa_family == AF_INET)
		put_control(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	else
		put_control(control, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
}

static size_t head_bytes(const struct msghdr *layout)
{
	return sizeof(struct io_uring_recvmsg_out) + layout->msg_namelen + layout->msg_controllen;
}

/* Lays a datagram out as io_uring does (Linux 6.0); returns the result of the completion. */
static int lay_out(const struct sim_file *file, const struct sim_datagram *datagram,
		   const struct msghdr *layout, struct sim_buffer *buffer, bool truncate)
{
	const size_t head = head_bytes(layout);
	const size_t bytes = min_size(datagram->bytes, buffer->bytes - head);
	struct io_uring_recvmsg_out *out = (void *)buffer->data;
	uint8_t *at = buffer->data + sizeof(*out);
	struct control control = { at + layout->msg_namelen, layout->msg_controllen, 0, false };

	memset(buffer->data, 0, head);
	out->namelen = datagram->from.bytes;
	out->payloadlen = (uint32_t)datagram->bytes;
	memcpy(at, &datagram->from.any, datagram->from.bytes);
	lay_out_control(file, datagram, &control);
	out->controllen = (uint32_t)control.used;
	out->flags = truncate || bytes < datagram->bytes ? MSG_TRUNC : 0;
	out->flags |= control.cut ? MSG_CTRUNC : 0;
	memcpy(buffer->data + head, datagram->data, bytes);
	return (int)(head + bytes);
}

/* Whether GRO may append the second: same addresses and size, or a shorter last one. */
static bool is_continuation(const struct sim_datagram *first, const struct sim_datagram *second)
{
	const size_t segment_bytes = first->segment_bytes ? first->segment_bytes : first->bytes;

	return second && second->bytes > 0 && second->bytes <= segment_bytes &&
	       first->bytes % segment_bytes == 0 &&
	       first->bytes / segment_bytes < UDP_SEGMENTS_MAX &&
	       first->bytes + second->bytes <= UDP4_BYTES_MAX &&
	       address_equal(&first->from, &second->from) && address_equal(&first->to, &second->to);
}

/* Joins the first two of the queue (udp(7), UDP_GRO). */
static void join_two(struct sim_file *file)
{
	struct sim_datagram *first = file->datagrams, *second = first->next, *both;

	both = malloc(sizeof(*both) + first->bytes + second->bytes);
	CHECK(both);
	*both = *first;
	both->segment_bytes = first->segment_bytes ? first->segment_bytes : first->bytes;
	both->bytes = first->bytes + second->bytes;
	both->truesize = first->truesize + second->truesize;
	both->next = second->next;
	memcpy(both->data, first->data, first->bytes);
	memcpy(both->data + first->bytes, second->data, second->bytes);
	free(first);
	free(second);
	file->datagrams = both;
}

/* Keeps what a completion reports, until the server takes it. */
static void note_received(struct sim *sim, const struct sim_op *op,
			  const struct sim_datagram *first, const uint8_t *buffer, size_t head)
{
	const struct io_uring_recvmsg_out *out = (const void *)buffer;
	struct sim_unreported *unreported, **last = &sim->unreported;

	if (!sim->tap.received)
		return;
	while (*last)
		last = &(*last)->next;
	unreported = calloc(1, sizeof(*unreported));
	CHECK(unreported);
	*last = unreported;
	unreported->user_data = op->sqe.user_data;
	unreported->received = (struct sim_received){
		.from = first->from,
		.to = first->to,
		.data = buffer + head,
		.bytes = first->bytes,
		.segment_bytes = first->segment_bytes,
		.truncated = out->flags & (MSG_TRUNC | MSG_CTRUNC),
	};
}

void sim_report_received(struct sim *sim, const struct io_uring_cqe *cqe)
{
	struct sim_unreported *first = sim->unreported;

	/* Completions are taken in the order in which they were posted. */
	if (!first || first->user_data != cqe->user_data || !(cqe->flags & IORING_CQE_F_BUFFER))
		return;
	sim->unreported = first->next;
	sim_leave_server(sim);
	sim->tap.received(sim->context, &first->received);
	free(first);
	sim_enter_server(sim);
}

bool sim_try_receive_datagrams(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	const struct msghdr *layout = (const void *)(uintptr_t)op->sqe.addr;
	const struct sim_buffer *next = sim_first_buffer(op->sqe.buf_group);

	if (!next && op->fresh)
		return sim_finish(op, -ENOBUFS);
	if (next && next->bytes < head_bytes(layout))
		return sim_finish(op, -EFAULT);
	op->fresh = false;
	while (file->datagrams) {
		struct sim_buffer *buffer = sim_first_buffer(op->sqe.buf_group);
		struct sim_datagram *first;
		bool last, ended;
		int result;

		while (is_continuation(file->datagrams, file->datagrams->next) &&
		       sim_chance(sim, SIM_UDP_GRO))
			join_two(file);
		first = file->datagrams;
		last = first->bytes == 0;
		if (!buffer || sim_chance(sim, SIM_NO_BUFFERS))
			return sim_finish(op, -ENOBUFS);
		if (sim_chance(sim, SIM_UDP_RECEIVE_ERROR))
			return sim_finish(op, -ENOMEM);
		result = lay_out(file, first, layout, buffer, sim_chance(sim, SIM_UDP_TRUNCATE));
		sim_spend_bytes(sim, first->bytes);
		note_received(sim, op, first, buffer->data, head_bytes(layout));
		op->received = sim_take_datagram(file);
		/* A datagram of length zero ends the multishot. */
		ended = last ? sim_finish_with_buffer(op, result)
			     : sim_post_shot(op, result, sim_take_buffer(op->sqe.buf_group));
		op->received = NULL;
		free(first);
		if (ended)
			return true;
		if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_EARLY_EAGAIN))
			return sim_finish(op, -EAGAIN);
	}
	return op->sqe.msg_flags & MSG_DONTWAIT ? sim_finish(op, -EAGAIN) : false;
}
