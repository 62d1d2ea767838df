/* SPDX-License-Identifier: MIT */
#include "ring/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ring/sockopt.h"

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
	 * localhost is always both loopback addresses, whatever the hosts file says (RFC 6761,
	 * 6.3).
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

static int open_bound(const struct address *address, int type,
		      int (*prepare)(int, const struct address *, const void *),
		      const void *argument)
{
	int fd = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	/* IPv4 gets a separate socket, so that addresses are never IPv4-mapped. */
	if (address->any.sa_family == AF_INET6)
		error = sockopt_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (!error)
		error = prepare(fd, address, argument);
	if (!error && bind(fd, &address->any, address->bytes))
		error = -errno;
	if (!error && type == SOCK_STREAM && listen(fd, SOCKET_BACKLOG))
		error = -errno;
	if (!error)
		return fd;
	close(fd);
	return error;
}

/* Sets a buffer size: beyond the system's limit with CAP_NET_ADMIN, otherwise up to it. */
static void set_buffer_size(int fd, int name_force, int name, size_t bytes)
{
	if (bytes > 0 && sockopt_set(fd, SOL_SOCKET, name_force, (int)bytes))
		sockopt_set(fd, SOL_SOCKET, name, (int)bytes);
}

static void set_buffer_sizes(int fd, const struct socket_buffers *buffers)
{
	set_buffer_size(fd, SO_RCVBUFFORCE, SO_RCVBUF, buffers->receive_bytes);
	set_buffer_size(fd, SO_SNDBUFFORCE, SO_SNDBUF, buffers->send_bytes);
}

struct tcp_options {
	uint64_t keepalive_ms;
	const struct socket_buffers *buffers;
};

static int prepare_tcp(int fd, const struct address *address, const void *argument)
{
	const struct tcp_options *options = argument;

	set_buffer_sizes(fd, options->buffers);
	return sockopt_prepare_tcp(fd, address->any.sa_family,
				   (options->keepalive_ms + 999) / 1000);
}

int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms,
		  const struct socket_buffers *buffers)
{
	const struct tcp_options options = { keepalive_ms, buffers };

	(void)ring;
	return open_bound(address, SOCK_STREAM, prepare_tcp, &options);
}

static int prepare_udp(int fd, const struct address *address, const void *argument)
{
	const struct socket_buffers *buffers = argument;

	set_buffer_sizes(fd, buffers);
	return sockopt_prepare_udp(fd, address);
}

int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_buffers *buffers)
{
	(void)ring;
	return open_bound(address, SOCK_DGRAM, prepare_udp, buffers);
}

/* Whether an IPv6 socket accepts IPv4 too: its addresses would be IPv4-mapped. */
static bool takes_both(int fd, const struct address *address)
{
	if (address->any.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr) ||
	       (address_is_wildcard(address) && sockopt_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1);
}

int socket_transport(struct ring *ring, int fd)
{
	const int family = sockopt_get(fd, SOL_SOCKET, SO_DOMAIN);
	const int protocol = sockopt_get(fd, SOL_SOCKET, SO_PROTOCOL);
	const int type = sockopt_get(fd, SOL_SOCKET, SO_TYPE);
	struct address address;
	int error;

	if (family < 0)
		return family;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	/* Raw sockets may have these protocol numbers too. */
	if (!(protocol == IPPROTO_TCP && type == SOCK_STREAM) &&
	    !(protocol == IPPROTO_UDP && type == SOCK_DGRAM))
		return -EPROTONOSUPPORT;
	error = socket_local_address(ring, fd, &address);
	if (error)
		return error;
	if (address_port(&address) == 0 ||
	    (protocol == IPPROTO_TCP && sockopt_get(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1))
		return -EINVAL;
	if (takes_both(fd, &address))
		return -EOPNOTSUPP;
	return protocol == IPPROTO_TCP ? ROLLCALL_TCP : ROLLCALL_UDP;
}

static int adopt(struct ring *ring, int fd,
		 int (*prepare)(int, const struct address *, const void *), const void *argument)
{
	struct address address;
	int error = socket_local_address(ring, fd, &address);

	if (error)
		return error;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return -errno;
	return prepare(fd, &address, argument);
}

int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms,
		     const struct socket_buffers *buffers)
{
	const struct tcp_options options = { keepalive_ms, buffers };

	return adopt(ring, fd, prepare_tcp, &options);
}

int socket_adopt_udp(struct ring *ring, int fd, const struct socket_buffers *buffers)
{
	return adopt(ring, fd, prepare_udp, buffers);
}

/* The kernel returns twice the size that was set (socket(7), SO_RCVBUF). */
static size_t get_buffer_size(int fd, int name)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	getsockopt(fd, SOL_SOCKET, name, &bytes, &size);
	return (size_t)bytes / 2;
}

void socket_buffer_sizes(struct ring *ring, int fd, struct socket_buffers *buffers)
{
	(void)ring;
	buffers->receive_bytes = get_buffer_size(fd, SO_RCVBUF);
	buffers->send_bytes = get_buffer_size(fd, SO_SNDBUF);
}

uint32_t socket_drops(struct ring *ring, int fd)
{
	uint32_t values[SK_MEMINFO_VARS] = { 0 };
	socklen_t bytes = sizeof(values);

	(void)ring;
	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &bytes);
	return values[SK_MEMINFO_DROPS];
}

bool socket_sends_batches(struct ring *ring, int fd)
{
	(void)ring;
	return sockopt_get(fd, SOL_UDP, UDP_SEGMENT) >= 0;
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
	/* Fails only if the connection is already gone, which is noticed elsewhere. */
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
	ring_close(ring, fd);
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

	/* The counter stays far from its maximum, so this neither blocks nor fails. */
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
