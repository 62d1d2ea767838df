/* SPDX-License-Identifier: MIT */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/endpoint.h"
#include "lib/fail.h"

#define HOST_BYTES 256

void endpoint_parse(struct endpoint *endpoint, const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	const char *colon = strrchr(text, ':');
	const char *port = colon ? colon + 1 : text;
	char host[HOST_BYTES] = "127.0.0.1";
	int error;

	if (colon && text[0] == '[' && colon > text + 1 && colon[-1] == ']')
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - 2, text + 1);
	else if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	error = getaddrinfo(host, port, &hints, &found);
	if (error)
		fail_usage("address '%s': %s", text, gai_strerror(error));
	memcpy(&endpoint->address, found->ai_addr, found->ai_addrlen);
	endpoint->bytes = found->ai_addrlen;
	freeaddrinfo(found);
}

bool endpoint_is_loopback_ipv4(const struct endpoint *endpoint)
{
	return endpoint->address.any.sa_family == AF_INET &&
	       ntohl(endpoint->address.ipv4.sin_addr.s_addr) >> 24 == 127;
}

void socket_set(int fd, int level, int option, int value, const char *what)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)), what);
}

void socket_receive_buffer(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		socket_set(fd, SOL_SOCKET, SO_RCVBUF, bytes, "SO_RCVBUF");
}

/* As rollcall announces it, so that one parser reads both. */
static void announce(int fd, const char *name)
{
	struct endpoint bound = { .bytes = sizeof(bound.address) };
	char host[HOST_BYTES], port[sizeof("65535")];
	bool ipv6;

	must(getsockname(fd, &bound.address.any, &bound.bytes), "getsockname");
	ipv6 = bound.address.any.sa_family == AF_INET6;
	if (getnameinfo(&bound.address.any, bound.bytes, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		fail("getnameinfo: the bound address cannot be written");
	fprintf(stderr, "listening on %s %s%s%s:%s\n", name, ipv6 ? "[" : "", host, ipv6 ? "]" : "",
		port);
}

int endpoint_bind(const struct endpoint *endpoint, int type, const char *name)
{
	int flags = type == SOCK_STREAM ? SOCK_NONBLOCK | SOCK_CLOEXEC : SOCK_CLOEXEC;
	int fd = must(socket(endpoint->address.any.sa_family, type | flags, 0), "socket");

	if (type == SOCK_STREAM)
		socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	must(bind(fd, &endpoint->address.any, endpoint->bytes), "bind");
	if (type == SOCK_STREAM)
		must(listen(fd, SOMAXCONN), "listen");
	announce(fd, name);
	return fd;
}

unsigned long files_limit_raise(void)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	return limit.rlim_cur;
}
