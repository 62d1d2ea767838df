/* SPDX-License-Identifier: MIT */
/*
 * sim_datagram.c - operations on sockets of datagrams, as io_uring lays them out.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* The largest datagrams of IPv4 and of IPv6. */
#define UDP4_BYTES_MAX 65507
#define UDP6_BYTES_MAX 65527

/* Where the server says the datagram leaves from; else the socket's own address. */
static struct address source_of(const struct sim_file *file, const struct msghdr *message)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct address from = file->address;

	/* The way to all that are here begins at the loopback address. */
	if (address_is_wildcard(&from) && from.any.sa_family == AF_INET)
		from.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (address_is_wildcard(&from))
		from.v6.sin6_addr = in6addr_loopback;
	if (header && header->cmsg_level == IPPROTO_IP)
		memcpy(&from.v4.sin_addr,
		       CMSG_DATA(header) + offsetof(struct in_pktinfo, ipi_spec_dst), 4);
	else if (header)
		memcpy(&from.v6.sin6_addr, CMSG_DATA(header), 16);
	return from;
}

bool sim_try_send_datagram(struct sim *sim, struct sim_op *op)
{
	const struct msghdr *message = (const void *)(uintptr_t)op->sqe.addr;
	struct address from = source_of(sim_file(sim, op->sqe.fd), message), to = { 0 };
	size_t bytes;

	if (sim_digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the datagram being sent was changed");
	if (bytes > (from.any.sa_family == AF_INET ? UDP4_BYTES_MAX : UDP6_BYTES_MAX))
		return sim_finish(op, -EMSGSIZE);
	if (sim_chance(sim, SIM_UDP_SEND_ERROR))
		return sim_finish(op, -ENOBUFS);
	memcpy(&to.any, message->msg_name, message->msg_namelen);
	to.bytes = message->msg_namelen;
	sim_transmit(sim, &from, &to, message->msg_iov, message->msg_iovlen);
	return sim_finish(op, (int)bytes);
}

/* On a wildcard address, the address that was asked; returns the bytes of control data. */
static size_t lay_out_control(const struct sim_file *file, const struct sim_datagram *datagram,
			      struct cmsghdr *header)
{
	const struct in6_pktinfo info6 = { .ipi6_addr = datagram->to.v6.sin6_addr };
	const struct in_pktinfo info = { .ipi_spec_dst = datagram->to.v4.sin_addr,
					 .ipi_addr = datagram->to.v4.sin_addr };

	if (!address_is_wildcard(&file->address))
		return 0;
	if (file->address.any.sa_family == AF_INET) {
		*header = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(info6)), IPPROTO_IPV6, IPV6_PKTINFO };
	memcpy(CMSG_DATA(header), &info6, sizeof(info6));
	return CMSG_SPACE(sizeof(info6));
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
		out->controllen = (uint32_t)lay_out_control(file, datagram, (void *)at);
	memcpy(buffer->data + head, datagram->data, bytes);
	return (int)(head + bytes);
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
		struct sim_datagram *first = file->datagrams;
		struct sim_buffer *buffer = sim_first_buffer(op->sqe.buf_group);
		bool last = first->bytes == 0;
		int result;

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
