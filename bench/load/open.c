/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/fail.h"
#include "load/load.h"

/*
 * A source address has 28,232 ports towards a server as Linux is set up. With fewer connections for
 * each, a free port is found quickly.
 */
#define CONNECTIONS_PER_ADDRESS 4096

/* So far apart do processes begin, which may run at the same time, or soon after each other. */
#define ADDRESSES_PER_PROCESS 256

/* From 127.0.0.1 up to 127.255.255.254. */
static void bind_source(int fd, uint64_t connection)
{
	struct sockaddr_in source = { .sin_family = AF_INET };
	uint64_t number =
		(uint64_t)getpid() * ADDRESSES_PER_PROCESS + connection / CONNECTIONS_PER_ADDRESS;
	uint32_t host = (uint32_t)(number % 0xfffffe) + 1;

	source.sin_addr.s_addr = htonl(127u << 24 | host);
	socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
	must(bind(fd, (struct sockaddr *)&source, sizeof(source)), "bind");
}

int connection_socket(struct load *load, int type)
{
	const struct endpoint *server = &load->settings.server;
	int fd = must(socket(server->address.any.sa_family, type | SOCK_CLOEXEC, 0), "socket");

	if (endpoint_is_loopback_ipv4(server))
		bind_source(fd, load->opened);
	load->opened++;
	return fd;
}

int connection_open(struct load *load, int type)
{
	const struct settings *settings = &load->settings;
	struct timeval limit = { .tv_sec = (time_t)(settings->timeout_ns / 1000000000) + 1 };
	int fd = connection_socket(load, type);

	must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), "SO_SNDTIMEO");
	if (connect(fd, &settings->server.address.any, settings->server.bytes))
		fail("connection %llu: %s", (unsigned long long)load->opened,
		     errno == EINPROGRESS ? "no answer" : strerror(errno));
	must(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
	return fd;
}

void idle_open(struct load *load)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };

	load->idle_epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	for (uint64_t i = 0; i < load->settings.idle; i++) {
		event.data.u64 = i;
		must(epoll_ctl(load->idle_epoll, EPOLL_CTL_ADD, connection_open(load, SOCK_STREAM),
			       &event),
		     "epoll_ctl");
	}
}

void idle_check(struct load *load)
{
	struct epoll_event event;

	if (must(epoll_wait(load->idle_epoll, &event, 1, 0), "epoll_wait") > 0)
		fail("idle client %llu: the server %s", (unsigned long long)event.data.u64,
		     event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? "closed it"
								       : "sent to it");
}
