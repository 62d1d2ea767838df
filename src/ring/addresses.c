/* SPDX-License-Identifier: MIT */
#include "ring/addresses.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "ring/sockopt.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

/* The kernel fits its messages to the size of the first read, at least 8 KiB (netlink(7)). */
#define MESSAGE_BYTES 16384

/* Filters out routes of other tables, which are not ours: a router may have a million. */
static int leave_out_other_routes(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			 NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_table)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RT_TABLE_LOCAL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

int addresses_open(struct ring *ring)
{
	const struct sockaddr_nl own = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int error;

	(void)ring;
	if (fd < 0)
		return -errno;
	/* Makes the kernel filter by the request (Linux 4.20). */
	error = sockopt_set(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
	if (!error)
		error = leave_out_other_routes(fd);
	if (!error && bind(fd, (const struct sockaddr *)&own, sizeof(own)))
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

bool addresses_changed(struct ring *ring, int monitor)
{
	bool changed = false;
	char byte;

	(void)ring;
	/* ENOBUFS: notifications were lost, as SO_RCVBUF was full. */
	while (recv(monitor, &byte, sizeof(byte), MSG_TRUNC) >= 0 || errno == ENOBUFS ||
	       errno == EINTR)
		changed = true;
	return changed;
}

/* ---- Reading them ---- */

struct request {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ifaddrmsg address;
	};
};

static int ask(int monitor, const struct request *what, uint16_t type)
{
	struct request request = *what;
	const size_t bytes = type == RTM_GETROUTE ? sizeof(request.route) : sizeof(request.address);

	request.header = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(bytes),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	return send(monitor, &request, request.header.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* The value of an attribute; NULL: it is missing, or shorter than `bytes`. */
static const void *find(struct rtattr *attribute, size_t left, uint16_t type, size_t bytes)
{
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == type && RTA_PAYLOAD(attribute) >= bytes)
			return RTA_DATA(attribute);
	return NULL;
}

static int add(struct ranges *to, uint8_t family, const void *bytes, unsigned bits,
	       uint32_t interface)
{
	struct address address = { .any.sa_family = family };

	/* The default route has no destination attribute. */
	if (family == AF_INET && bytes)
		memcpy(&address.v4.sin_addr, bytes, sizeof(address.v4.sin_addr));
	else if (family == AF_INET6 && bytes)
		memcpy(&address.v6.sin6_addr, bytes, sizeof(address.v6.sin6_addr));
	if (family == AF_INET6)
		address.v6.sin6_scope_id = interface;
	return ranges_add(to, &address, bits);
}

static size_t address_bytes(uint8_t family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static int take_route(struct nlmsghdr *header, struct ranges *to)
{
	const struct rtmsg *route = NLMSG_DATA(header);
	struct rtattr *attributes = RTM_RTA(route);
	const size_t left = RTM_PAYLOAD(header);
	const void *interface;
	uint32_t index = 0;

	/* Anycast addresses of ours are delivered to us too. */
	if (route->rtm_table != RT_TABLE_LOCAL ||
	    (route->rtm_type != RTN_LOCAL && route->rtm_type != RTN_ANYCAST))
		return 0;
	interface = find(attributes, left, RTA_OIF, sizeof(index));
	if (interface)
		memcpy(&index, interface, sizeof(index));
	return add(to, route->rtm_family,
		   find(attributes, left, RTA_DST, address_bytes(route->rtm_family)),
		   route->rtm_dst_len, index);
}

/* Addresses of interfaces, as those in a VRF have their routes in another table. */
static int take_address(struct nlmsghdr *header, struct ranges *to)
{
	const struct ifaddrmsg *address = NLMSG_DATA(header);
	struct rtattr *attributes = IFA_RTA(address);
	const size_t left = IFA_PAYLOAD(header);
	const size_t bytes = address_bytes(address->ifa_family);
	const void *own;

	if (address->ifa_family != AF_INET && address->ifa_family != AF_INET6)
		return 0;
	/* With IFA_LOCAL, IFA_ADDRESS is the peer's address (rtnetlink(7)). */
	own = find(attributes, left, IFA_LOCAL, bytes);
	if (!own)
		own = find(attributes, left, IFA_ADDRESS, bytes);
	return own ? add(to, address->ifa_family, own, (unsigned)(8 * bytes), address->ifa_index)
		   : 0;
}

/* The end of an answer: 1, or an error. Without IPv6, or without addresses, a table is missing. */
static int take_end(const struct nlmsghdr *header)
{
	int error = 0;

	if (NLMSG_PAYLOAD(header, 0) >= sizeof(error))
		memcpy(&error, NLMSG_DATA(header), sizeof(error));
	return error == 0 || error == -ENOENT || error == -EOPNOTSUPP ? 1 : error;
}

/* Takes one message. 1: it was the last of an answer. */
static int take(struct nlmsghdr *header, struct ranges *to)
{
	if (header->nlmsg_type == NLMSG_ERROR)
		return take_end(header);
	/* A notification, or an answer made inconsistent by a change. */
	if (!(header->nlmsg_flags & NLM_F_MULTI) || header->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EAGAIN;
	switch (header->nlmsg_type) {
	case NLMSG_DONE:
		return take_end(header);
	case RTM_NEWROUTE:
		return take_route(header, to);
	case RTM_NEWADDR:
		return take_address(header, to);
	default:
		return 0;
	}
}

/* Takes all messages of an answer. */
static int take_answer(int monitor, struct ranges *to)
{
	union {
		struct nlmsghdr header;
		uint8_t bytes[MESSAGE_BYTES];
	} message;
	int result = 0;

	while (result == 0) {
		const ssize_t bytes = recv(monitor, &message, sizeof(message), MSG_TRUNC);
		struct nlmsghdr *header = &message.header;
		size_t left = (size_t)bytes;

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -errno;
		if (left > sizeof(message))
			return -EMSGSIZE;
		for (; result == 0 && NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
			result = take(header, to);
	}
	return result < 0 ? result : 0;
}

int addresses_read(struct ring *ring, int monitor, struct ranges *to)
{
	static const struct {
		uint16_t type;
		struct request what;
	} requests[] = {
		{ RTM_GETROUTE,
		  { .route = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_LOCAL } } },
		{ RTM_GETROUTE,
		  { .route = { .rtm_family = AF_INET6, .rtm_table = RT_TABLE_LOCAL } } },
		{ RTM_GETADDR, { .address = { .ifa_family = AF_UNSPEC } } },
	};
	int error = 0;

	/*
	 * Discards the rest of an earlier answer that was not read to its end, and old
	 * notifications.
	 */
	addresses_changed(ring, monitor);
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests) && !error; i++) {
		error = ask(monitor, &requests[i].what, requests[i].type);
		if (!error)
			error = take_answer(monitor, to);
	}
	return error;
}

static bool network_of(int fd, uint64_t *cookie)
{
	socklen_t bytes = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &bytes) == 0;
}

bool addresses_are_of(struct ring *ring, int monitor, int fd)
{
	uint64_t one, other;

	(void)ring;
	return network_of(monitor, &one) && network_of(fd, &other) && one == other;
}
