/* SPDX-License-Identifier: MIT */
/*
 * sim_datagram.c - operations on sockets of datagrams, as io_uring lays them out.
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

/* So many datagrams go together (Linux before 6.9). */
#define UDP_SEGMENTS_MAX 64

/* What the control data of a send asks for. */
struct request {
	struct address from;
	size_t segment_bytes; /* 0: it is one datagram */
};

/* Where the datagram is to leave from, or else the socket's own address; and UDP_SEGMENT. */
static struct request read_request(const struct sim_file *file, const struct msghdr *message)
{
	struct request request = { .from = file->address };
	struct address *from = &request.from;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	uint16_t segment_bytes;

	/* The way to all that are here begins at the loopback address. */
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

static void send_segments(struct sim *sim, const struct request *request, const struct address *to,
			  const struct msghdr *message)
{
	static uint8_t all[UDP6_BYTES_MAX];
	size_t bytes = 0;

	for (size_t i = 0; i < message->msg_iovlen; bytes += message->msg_iov[i++].iov_len)
		memcpy(all + bytes, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
	for (size_t at = 0; at < bytes; at += request->segment_bytes) {
		struct iovec segment = { all + at, min_size(request->segment_bytes, bytes - at) };

		sim_transmit(sim, &request->from, to, &segment, 1);
	}
}

bool sim_try_send_datagram(struct sim *sim, struct sim_op *op)
{
	const struct msghdr *message = (const void *)(uintptr_t)op->sqe.addr;
	const struct request request = read_request(sim_file(sim, op->sqe.fd), message);
	struct address to = { .bytes = message->msg_namelen };
	size_t bytes;

	if (sim_digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the datagram being sent was changed");
	if (bytes > (request.from.any.sa_family == AF_INET ? UDP4_BYTES_MAX : UDP6_BYTES_MAX))
		return sim_finish(op, -EMSGSIZE);
	if (bytes > request.segment_bytes * UDP_SEGMENTS_MAX && request.segment_bytes > 0)
		sim_fail(sim, "more segments than the kernel takes");
	if (sim_chance(sim, SIM_UDP_SEND_ERROR))
		return sim_finish(op, -ENOBUFS);
	if (request.segment_bytes > 0 && sim_chance(sim, SIM_UDP_TOO_LONG_TOGETHER))
		return sim_finish(op, -EINVAL);
	if (request.segment_bytes > 0 && sim_chance(sim, SIM_UDP_NEVER_TOGETHER))
		return sim_finish(op, -EIO);
	memcpy(&to.any, message->msg_name, message->msg_namelen);
	if (request.segment_bytes > 0)
		send_segments(sim, &request, &to, message);
	else
		sim_transmit(sim, &request.from, &to, message->msg_iov, message->msg_iovlen);
	return sim_finish(op, (int)bytes);
}

/* Puts control data at the end of what is there already. */
static void put_control(uint8_t *control, size_t *used, int level, int type, const void *data,
			size_t bytes)
{
	struct cmsghdr *header = (struct cmsghdr *)(control + *used);

	*header = (struct cmsghdr){ CMSG_LEN(bytes), level, type };
	memcpy(CMSG_DATA(header), data, bytes);
	*used += CMSG_SPACE(bytes);
}

/*
 * On a wildcard address, the address that was asked; what was dropped, if anything was; and the
 * size of datagrams that come together. Returns the bytes of control data.
 */
static size_t lay_out_control(const struct sim_file *file, const struct sim_datagram *datagram,
			      uint8_t *control)
{
	const struct in6_pktinfo info6 = { .ipi6_addr = datagram->to.v6.sin6_addr };
	const struct in_pktinfo info = { .ipi_spec_dst = datagram->to.v4.sin_addr,
					 .ipi_addr = datagram->to.v4.sin_addr };
	const int segment_bytes = (int)datagram->segment_bytes;
	size_t used = 0;

	if (file->drops > 0)
		put_control(control, &used, SOL_SOCKET, SO_RXQ_OVFL, &file->drops,
			    sizeof(file->drops));
	if (segment_bytes > 0)
		put_control(control, &used, SOL_UDP, UDP_GRO, &segment_bytes,
			    sizeof(segment_bytes));
	if (!address_is_wildcard(&file->address))
		return used;
	if (file->address.any.sa_family == AF_INET)
		put_control(control, &used, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	else
		put_control(control, &used, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	return used;
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

	memset(buffer->data, 0, head);
	out->namelen = datagram->from.bytes;
	out->payloadlen = (uint32_t)datagram->bytes;
	out->flags = truncate || bytes < datagram->bytes ? MSG_TRUNC : 0;
	memcpy(at, &datagram->from.any, datagram->from.bytes);
	at += layout->msg_namelen;
	if (layout->msg_controllen > 0)
		out->controllen = (uint32_t)lay_out_control(file, datagram, at);
	memcpy(buffer->data + head, datagram->data, bytes);
	return (int)(head + bytes);
}

/* Whether the second goes on where the first ends: one sender and one size, or a shorter end. */
static bool is_continuation(const struct sim_datagram *first, const struct sim_datagram *second)
{
	const size_t segment_bytes = first->segment_bytes ? first->segment_bytes : first->bytes;

	return second && second->bytes > 0 && second->bytes <= segment_bytes &&
	       first->bytes % segment_bytes == 0 &&
	       first->bytes / segment_bytes < UDP_SEGMENTS_MAX &&
	       first->bytes + second->bytes <= UDP4_BYTES_MAX &&
	       address_equal(&first->from, &second->from) && address_equal(&first->to, &second->to);
}

/* Puts the first two that wait together (udp(7), UDP_GRO). */
static void join_two(struct sim_file *file)
{
	struct sim_datagram *first = file->datagrams, *second = first->next, *both;

	both = malloc(sizeof(*both) + first->bytes + second->bytes);
	CHECK(both);
	*both = *first;
	both->segment_bytes = first->segment_bytes ? first->segment_bytes : first->bytes;
	both->bytes = first->bytes + second->bytes;
	both->next = second->next;
	memcpy(both->data, first->data, first->bytes);
	memcpy(both->data + first->bytes, second->data, second->bytes);
	free(first);
	free(second);
	file->datagrams = both;
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
		bool last;
		int result;

		while (is_continuation(file->datagrams, file->datagrams->next) &&
		       sim_chance(sim, SIM_UDP_TOGETHER))
			join_two(file);
		first = file->datagrams;
		last = first->bytes == 0;
		if (!buffer || sim_chance(sim, SIM_NO_BUFFERS))
			return sim_finish(op, -ENOBUFS);
		if (sim_chance(sim, SIM_UDP_RECEIVE_ERROR))
			return sim_finish(op, -ENOMEM);
		result = lay_out(file, first, layout, buffer, sim_chance(sim, SIM_UDP_TRUNCATE));
		file->datagrams = first->next;
		free(first);
		if (last) {
			/* A datagram of length zero ends the multishot. */
			return sim_finish_with_buffer(op, result);
		}
		if (sim_post_shot(op, result, sim_take_buffer(op->sqe.buf_group)))
			return true;
		if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_EARLY_EAGAIN))
			return sim_finish(op, -EAGAIN);
	}
	return op->sqe.msg_flags & MSG_DONTWAIT ? sim_finish(op, -EAGAIN) : false;
}
