/* SPDX-License-Identifier: MIT */
/*
 * TCP: receive and send at once, in the same turn. Edge-triggered, because level-triggered
 * epoll_wait() asks each socket again in the turn after it was ready: that measured as 4% more for
 * one client, and as nothing for fifty.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "epoll-bare/bare.h"
#include "lib/endpoint.h"
#include "lib/fail.h"

#define BUFFER_BYTES (64 << 10)

/* So often more is received at once after what filled the buffer: cheaper than another turn. */
#define RECEIVES_MAX 16

#define READABLE (EPOLLIN | EPOLLRDHUP | EPOLLET)

/* While there is something `unsent` that the socket does not take, nothing is received. */
struct connection {
	struct source source;
	char *unsent;
	size_t unsent_bytes, unsent_from;
};

static struct source listener;

/* There were no files or memory left: the next client that goes makes room. */
static bool accept_later;

static void accept_all(struct source *source, uint32_t events);

static void connection_close(struct connection *connection)
{
	close(connection->source.fd);
	free(connection->unsent);
	free(connection);
	if (accept_later)
		accept_all(&listener, EPOLLIN);
}

/* Sends what it can; returns how many bytes that is, or -1 if the connection is broken. */
static ssize_t send_some(int fd, const char *data, size_t bytes)
{
	ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void keep_unsent(struct connection *connection, const char *data, size_t bytes)
{
	connection->unsent = malloc(bytes);
	if (!connection->unsent)
		fail("no memory for what a client has not taken");
	memcpy(connection->unsent, data, bytes);
	connection->unsent_bytes = bytes;
	connection->unsent_from = 0;
	source_watch(&connection->source, EPOLL_CTL_MOD, EPOLLOUT | EPOLLET);
}

/* When all is sent, asks for what may have come meanwhile. */
static void send_unsent(struct connection *connection)
{
	ssize_t sent =
		send_some(connection->source.fd, connection->unsent + connection->unsent_from,
			  connection->unsent_bytes - connection->unsent_from);

	if (sent < 0) {
		connection_close(connection);
		return;
	}
	connection->unsent_from += (size_t)sent;
	if (connection->unsent_from < connection->unsent_bytes)
		return;
	free(connection->unsent);
	connection->unsent = NULL;
	source_watch(&connection->source, EPOLL_CTL_MOD, READABLE);
}

static void connection_ready(struct source *source, uint32_t events)
{
	static char buffer[BUFFER_BYTES];
	struct connection *connection = (struct connection *)source;
	ssize_t received, sent;

	if (connection->unsent) {
		send_unsent(connection);
		return;
	}
	for (unsigned i = 0; i < RECEIVES_MAX; i++) {
		received = recv(source->fd, buffer, sizeof(buffer), 0);
		if (received < 0 && errno == EAGAIN)
			return;
		sent = received > 0 ? send_some(source->fd, buffer, (size_t)received) : -1;
		if (sent < 0) {
			connection_close(connection);
			return;
		}
		if (sent < received) {
			keep_unsent(connection, buffer + sent, (size_t)(received - sent));
			return;
		}
		if (received < (ssize_t)sizeof(buffer) && !(events & ~(uint32_t)EPOLLIN))
			return;
	}
	/* There may be more, and there is no other edge for it: after others' turns. */
	source_watch(source, EPOLL_CTL_MOD, READABLE);
}

static void accept_all(struct source *source, uint32_t events)
{
	int fd;

	(void)events;
	while ((fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));

		if (!connection)
			fail("no memory for a client");
		connection->source = (struct source){ .ready = connection_ready, .fd = fd };
		source_watch(&connection->source, EPOLL_CTL_ADD, READABLE);
	}
	accept_later = errno != EAGAIN && errno != ECONNABORTED;
	if (errno == ECONNABORTED)
		source_watch(source, EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
}

void tcp_listen(int fd)
{
	/* Connections inherit it. */
	socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	listener = (struct source){ .ready = accept_all, .fd = fd };
	source_watch(&listener, EPOLL_CTL_ADD, EPOLLIN | EPOLLET);
}
