/* SPDX-License-Identifier: MIT */
#include "ring/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

static int from_resolver(const char *host, const char *service, struct address *addresses,
			 unsigned max)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	unsigned count = 0;
	int error = getaddrinfo(host, service, &hints, &list);

	if (error)
		return error == EAI_MEMORY ? -ENOMEM : -ENOENT;
	for (struct addrinfo *one = list; one && count < max; one = one->ai_next) {
		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		memcpy(&addresses[count].any, one->ai_addr, one->ai_addrlen);
		addresses[count++].bytes = one->ai_addrlen;
	}
	freeaddrinfo(list);
	return count ? (int)count : -ENOENT;
}

int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max)
{
	const char *hosts[2] = { host, NULL };
	unsigned count = 0;
	char service[8];

	(void)ring;
	/*
	 * localhost is always both loopback addresses, whatever a hosts file says (RFC 6761, 6.3).
	 */
	if (strcmp(host, "localhost") == 0) {
		hosts[0] = "127.0.0.1";
		hosts[1] = "::1";
	} else if (strcmp(host, "*") == 0) {
		hosts[0] = "0.0.0.0";
		hosts[1] = "::";
	}
	snprintf(service, sizeof(service), "%u", port);
	for (int i = 0; i < 2 && hosts[i]; i++) {
		int found = from_resolver(hosts[i], service, addresses + count, max - count);

		if (found < 0)
			return found;
		count += (unsigned)found;
	}
	return (int)count;
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int open_bound(const struct address *address, int type, int (*prepare)(int, const void *),
		      const void *argument)
{
	int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	/* IPv4 has a socket of its own, so that addresses always have their plain form. */
	if (address->any.sa_family == AF_INET6)
		error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!error)
		error = prepare(fd, argument);
	if (!error && bind(fd, &address->any, address->bytes))
		error = -errno;
	if (!error && type == SOCK_STREAM && listen(fd, SOCKET_BACKLOG))
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* A silent client is probed so often, in as much time as it has been silent. */
#define KEEPALIVE_PROBES 6

static int prepare_tcp(int fd, const void *argument)
{
	const uint64_t idle_s = (*(const uint64_t *)argument + 999) / 1000;
	const uint64_t interval_s = (idle_s + KEEPALIVE_PROBES - 1) / KEEPALIVE_PROBES;
	int error = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (!error)
		error = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!error)
		error = set(fd, SOL_SOCKET, SO_KEEPALIVE, idle_s > 0);
	if (error || !idle_s)
		return error;
	if ((error = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s)) ||
	    (error = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s)))
		return error;
	/* TCP_USER_TIMEOUT would also end who is there, but has stopped reading for a while. */
	return set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms)
{
	(void)ring;
	return open_bound(address, SOCK_STREAM, prepare_tcp, &keepalive_ms);
}

struct udp_settings {
	const struct address *address;
	const struct socket_room *room;
};

/* As much as may be: without the limit for who has CAP_NET_ADMIN, else up to it. */
static void set_room(int fd, int name_force, int name, size_t bytes)
{
	if (bytes > 0 && set(fd, SOL_SOCKET, name_force, (int)bytes))
		set(fd, SOL_SOCKET, name, (int)bytes);
}

static int prepare_udp(int fd, const void *argument)
{
	const struct udp_settings *settings = argument;

	set_room(fd, SO_RCVBUFFORCE, SO_RCVBUF, settings->room->receive_bytes);
	set_room(fd, SO_SNDBUFFORCE, SO_SNDBUF, settings->room->send_bytes);
	/* Without these it works too. */
	set(fd, SOL_UDP, UDP_GRO, 1);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (!address_is_wildcard(settings->address))
		return 0;
	if (settings->address->any.sa_family == AF_INET)
		return set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	return set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_room *room)
{
	const struct udp_settings settings = { address, room };

	(void)ring;
	return open_bound(address, SOCK_DGRAM, prepare_udp, &settings);
}

/* An option that is never negative, or -errno. */
static int get(int fd, int level, int name)
{
	int value = 0;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, level, name, &value, &bytes) ? -errno : value;
}

/* Addresses of IPv4 would come inside of IPv6; here they always have their plain form. */
static bool takes_both(int fd, const struct address *address)
{
	if (address->any.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr) ||
	       (address_is_wildcard(address) && get(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1);
}

int socket_transport(struct ring *ring, int fd)
{
	const int family = get(fd, SOL_SOCKET, SO_DOMAIN);
	const int protocol = get(fd, SOL_SOCKET, SO_PROTOCOL);
	const int type = get(fd, SOL_SOCKET, SO_TYPE);
	struct address address;
	int error;

	if (family < 0)
		return family;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	/* Raw sockets may have these numbers too. */
	if (!(protocol == IPPROTO_TCP && type == SOCK_STREAM) &&
	    !(protocol == IPPROTO_UDP && type == SOCK_DGRAM))
		return -EPROTONOSUPPORT;
	error = socket_local_address(ring, fd, &address);
	if (error)
		return error;
	if (address_port(&address) == 0 ||
	    (protocol == IPPROTO_TCP && get(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1))
		return -EINVAL;
	if (takes_both(fd, &address))
		return -EOPNOTSUPP;
	return protocol == IPPROTO_TCP ? ROLLCALL_TCP : ROLLCALL_UDP;
}

int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms)
{
	(void)ring;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return prepare_tcp(fd, &keepalive_ms);
}

int socket_adopt_udp(struct ring *ring, int fd, const struct socket_room *room)
{
	struct address address;
	const struct udp_settings settings = { &address, room };
	int error = socket_local_address(ring, fd, &address);

	if (error)
		return error;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	/* systemd's Timestamping= would take the room of other control data. */
	set(fd, SOL_SOCKET, SO_TIMESTAMP, 0);
	return prepare_udp(fd, &settings);
}

/* The kernel says twice what it was asked for (socket(7), SO_RCVBUF). */
static size_t get_room(int fd, int name)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	getsockopt(fd, SOL_SOCKET, name, &bytes, &size);
	return (size_t)bytes / 2;
}

void socket_room(struct ring *ring, int fd, struct socket_room *room)
{
	(void)ring;
	room->receive_bytes = get_room(fd, SO_RCVBUF);
	room->send_bytes = get_room(fd, SO_SNDBUF);
}

bool socket_is_local(struct ring *ring, const struct address *address)
{
	struct address own = *address;
	int fd = socket(own.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_local;

	(void)ring;
	address_set_port(&own, 0);
	is_local = fd >= 0 && bind(fd, &own.any, own.bytes) == 0;
	if (fd >= 0)
		close(fd);
	return is_local;
}

int socket_local_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	address->bytes = sizeof(address->v6);
	return getsockname(fd, &address->any, &address->bytes) ? -errno : 0;
}

int socket_peer_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	address->bytes = sizeof(address->v6);
	return getpeername(fd, &address->any, &address->bytes) ? -errno : 0;
}

void socket_shutdown(struct ring *ring, int fd)
{
	(void)ring;
	/* It fails only when the connection is gone already; its receive says so. */
	shutdown(fd, SHUT_WR);
}

void socket_reset_on_close(struct ring *ring, int fd)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	(void)ring;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

void socket_close(struct ring *ring, int fd)
{
	(void)ring;
	close(fd);
}

int socket_event(struct ring *ring)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)ring;
	return fd < 0 ? -errno : fd;
}

void socket_event_raise(int fd)
{
	const uint64_t one = 1;

	/* The count stays far from its maximum, so this neither blocks nor fails. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

uint64_t socket_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		const struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			return raised.rlim_cur;
	}
	return limit.rlim_cur;
}
