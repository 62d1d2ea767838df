/* SPDX-License-Identifier: MIT */
#include "crowd/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/fail.h"

#define EVENTS_MAX 256
#define BLOCK_BYTES (64 << 10)
#define DISCARD_BYTES (1 << 20)
#define CONNECT_LIMIT_S 10

/* Of clients that do not read: the kernel takes its minimum. */
#define SMALL_RECEIVE_BUFFER 1

/* Clients come from 127.1.0.1 on, where no other program of the benchmark comes from. */
#define FIRST_ADDRESS 0x7f010001u

static void watch(const struct crowd *crowd, struct member *member, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events | EPOLLRDHUP, .data.ptr = member };

	must(epoll_ctl(crowd->epoll, operation, member->fd, &event), "epoll_ctl");
}

static uint32_t events_of(const struct crowd *crowd, const struct member *member)
{
	const struct kind *kind = crowd->kind;
	bool sends = crowd->going && kind->line && member->sent < kind->bytes_max;

	return (sends ? EPOLLOUT : 0u) | (kind->reads == READS_ALL ? EPOLLIN : 0u);
}

static void bind_source(const struct crowd *crowd, int fd, uint64_t number)
{
	struct sockaddr_in source = { .sin_family = AF_INET };

	source.sin_addr.s_addr = htonl(FIRST_ADDRESS + (uint32_t)(number % crowd->addresses));
	socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
	must(bind(fd, (struct sockaddr *)&source, sizeof(source)), "bind");
}

static int dial(const struct crowd *crowd, uint64_t number)
{
	const struct endpoint *server = &crowd->server;
	struct timeval limit = { .tv_sec = CONNECT_LIMIT_S };
	int fd = must(socket(server->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0),
		      "socket");

	if (endpoint_is_loopback_ipv4(server))
		bind_source(crowd, fd, number);
	if (crowd->kind->reads != READS_ALL)
		socket_set(fd, SOL_SOCKET, SO_RCVBUF, SMALL_RECEIVE_BUFFER, "SO_RCVBUF");
	socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), "SO_SNDTIMEO");
	if (connect(fd, &server->address.any, server->bytes))
		fail("connection %llu: %s", (unsigned long long)number,
		     errno == EINPROGRESS ? "no answer" : strerror(errno));
	must(fcntl(fd, F_SETFL, O_NONBLOCK), "fcntl");
	return fd;
}

static void fill_block(struct crowd *crowd)
{
	size_t line_bytes = crowd->kind->line ? strlen(crowd->kind->line) : 0;

	crowd->block = malloc(BLOCK_BYTES);
	if (!crowd->block)
		fail("no memory for a block");
	for (size_t i = 0; line_bytes && i < BLOCK_BYTES; i++)
		crowd->block[i] = crowd->kind->line[i % line_bytes];
}

void crowd_open(struct crowd *crowd)
{
	struct epoll_event input = { .events = EPOLLIN };

	crowd->members = calloc((size_t)crowd->clients, sizeof(*crowd->members));
	if (!crowd->members)
		fail("no memory for %llu clients", (unsigned long long)crowd->clients);
	fill_block(crowd);
	crowd->epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	must(epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input), "epoll_ctl");
	for (uint64_t i = 0; i < crowd->clients; i++) {
		struct member *member = &crowd->members[i];

		member->fd = dial(crowd, i);
		watch(crowd, member, EPOLL_CTL_ADD, events_of(crowd, member));
	}
}

static void member_close(struct member *member)
{
	close(member->fd);
	member->fd = -1;
}

static void on_end(struct crowd *crowd, struct member *member, bool is_reset)
{
	if (is_reset)
		crowd->reset++;
	else
		crowd->ended++;
	member_close(member);
}

void crowd_go(struct crowd *crowd)
{
	crowd->going = true;
	for (uint64_t i = 0; i < crowd->clients; i++) {
		struct member *member = &crowd->members[i];

		if (member->fd >= 0 && crowd->kind->closes)
			member_close(member);
		else if (member->fd >= 0)
			watch(crowd, member, EPOLL_CTL_MOD, events_of(crowd, member));
	}
}

/* At most one block, from where the line is. */
static void send_block(struct crowd *crowd, struct member *member)
{
	const struct kind *kind = crowd->kind;
	size_t begin = (size_t)(member->sent % strlen(kind->line));
	uint64_t left = kind->bytes_max - member->sent;
	size_t bytes = left < BLOCK_BYTES - begin ? (size_t)left : BLOCK_BYTES - begin;
	ssize_t sent = send(member->fd, crowd->block + begin, bytes, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN) {
		on_end(crowd, member, true);
		return;
	}
	member->sent += sent > 0 ? (uint64_t)sent : 0;
	crowd->sent += sent > 0 ? (uint64_t)sent : 0;
	if (member->sent < kind->bytes_max)
		return;
	if (kind->half_closes)
		shutdown(member->fd, SHUT_WR);
	watch(crowd, member, EPOLL_CTL_MOD, events_of(crowd, member));
}

/* The bytes are discarded in the kernel. */
static void receive(struct crowd *crowd, struct member *member, size_t bytes)
{
	ssize_t received = recv(member->fd, NULL, bytes, MSG_TRUNC);

	if (received > 0)
		crowd->received += (uint64_t)received;
	else if (received == 0 || errno != EAGAIN)
		on_end(crowd, member, received < 0);
}

/* A client that does not read learns from the event that the server has ended it. */
static void on_events(struct crowd *crowd, struct member *member, uint32_t events)
{
	if (events & EPOLLERR) {
		on_end(crowd, member, true);
		return;
	}
	if (events & EPOLLIN)
		receive(crowd, member, DISCARD_BYTES);
	else if (events & (EPOLLRDHUP | EPOLLHUP))
		on_end(crowd, member, false);
	if (member->fd >= 0 && events & EPOLLOUT)
		send_block(crowd, member);
}

static uint64_t clock_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void read_slowly(struct crowd *crowd)
{
	static uint64_t next_ms;

	if (clock_ms() < next_ms)
		return;
	next_ms = clock_ms() + TICK_MS;
	for (uint64_t i = 0; i < crowd->clients; i++) {
		if (crowd->members[i].fd >= 0)
			receive(crowd, &crowd->members[i], TICK_BYTES);
	}
}

bool crowd_turn(struct crowd *crowd)
{
	struct epoll_event events[EVENTS_MAX];
	bool is_slow = crowd->going && crowd->kind->reads == READS_SLOWLY;
	bool has_input = false;
	int count = epoll_wait(crowd->epoll, events, EVENTS_MAX, is_slow ? TICK_MS : -1);

	if (count < 0 && errno != EINTR)
		fail("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr)
			on_events(crowd, events[i].data.ptr, events[i].events);
		else
			has_input = true;
	}
	if (is_slow)
		read_slowly(crowd);
	return has_input;
}
