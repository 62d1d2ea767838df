/* SPDX-License-Identifier: MIT */
#include "udp/arrival.h"

#include <netinet/udp.h>
#include <string.h>

#include "udp/endpoint.h"
#include "client/sources.h"

/* Bytes reserved for the sender's address: the control data behind it is aligned. */
#define NAME_BYTES 32
_Static_assert(NAME_BYTES >= sizeof(struct sockaddr_in6), "both families fit");
_Static_assert((sizeof(struct io_uring_recvmsg_out) + NAME_BYTES) % _Alignof(struct cmsghdr) == 0,
	       "control data is aligned");

/* The destination address, and the segment size of a GRO batch. */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

void arrival_lay_out(struct msghdr *layout)
{
	*layout = (struct msghdr){ .msg_namelen = NAME_BYTES, .msg_controllen = CONTROL_BYTES };
}

static bool is_control(const struct cmsghdr *header, int level, int type, size_t bytes)
{
	return header->cmsg_level == level && header->cmsg_type == type &&
	       header->cmsg_len >= CMSG_LEN(bytes);
}

static void take_control(struct arrival *arrival, struct cmsghdr *header)
{
	struct in6_pktinfo info6;
	struct in_pktinfo info;
	int segment_bytes;

	if (is_control(header, IPPROTO_IP, IP_PKTINFO, sizeof(info))) {
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		/* Our address, even if the datagram was sent to a broadcast address (ip(7)). */
		memcpy(arrival->key.local, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
	} else if (is_control(header, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info6))) {
		memcpy(&info6, CMSG_DATA(header), sizeof(info6));
		/* A multicast address cannot be a source; a link-local one needs its interface. */
		if (!IN6_IS_ADDR_MULTICAST(&info6.ipi6_addr))
			memcpy(arrival->key.local, &info6.ipi6_addr, sizeof(info6.ipi6_addr));
		if (IN6_IS_ADDR_LINKLOCAL(&info6.ipi6_addr))
			arrival->key.scope = info6.ipi6_ifindex;
	} else if (is_control(header, SOL_UDP, UDP_GRO, sizeof(segment_bytes))) {
		memcpy(&segment_bytes, CMSG_DATA(header), sizeof(segment_bytes));
		arrival->segment_bytes = segment_bytes > 0 ? (size_t)segment_bytes : 0;
	}
}

bool arrival_parse(struct arrival *arrival, struct endpoint *endpoint, void *buffer, int bytes)
{
	struct msghdr *layout = &endpoint->layout;
	struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, bytes, layout);
	struct cmsghdr *header;

	if (!out || out->flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    out->namelen > sizeof(arrival->from.v6))
		return false;
	*arrival = (struct arrival){
		.endpoint = endpoint,
		.from.bytes = out->namelen,
		.key.endpoint = endpoint->origin.index,
		.data = io_uring_recvmsg_payload(out, layout),
		.bytes = io_uring_recvmsg_payload_length(out, bytes, layout),
		.client = ROLLCALL_NONE,
	};
	memcpy(&arrival->from.any, io_uring_recvmsg_name(out), out->namelen);
	arrival->key.port = address_port(&arrival->from);
	if (arrival->from.any.sa_family == AF_INET) {
		memcpy(arrival->key.peer, &arrival->from.v4.sin_addr, 4);
	} else {
		memcpy(arrival->key.peer, &arrival->from.v6.sin6_addr, 16);
		arrival->key.scope = arrival->from.v6.sin6_scope_id;
	}
	arrival->source = sources_prefix(&arrival->from);
	header = io_uring_recvmsg_cmsg_firsthdr(out, layout);
	for (; header; header = io_uring_recvmsg_cmsg_nexthdr(out, layout, header))
		take_control(arrival, header);
	return true;
}
