/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fail.h"
#include "load/load.h"
#include "load/wrong.h"

#define BUFFER_BYTES (64 << 10)
#define PIECES_MAX 64

static void tcp_open(struct load *load, struct client *client)
{
	client->fd = connection_open(load, SOCK_STREAM);
	socket_set(client->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	client_watch(load, client, EPOLL_CTL_ADD, false);
}

/* Lists what a client has to send, as much as fits; returns how many pieces and bytes that is. */
static int gather(const struct load *load, const struct client *client,
		  struct iovec pieces[static PIECES_MAX], size_t *total_bytes)
{
	const struct format *question = &load->settings.question;
	uint64_t left = client->begun * question->message_bytes - client->sent;
	uint64_t position = client->sent;
	int count = 0;

	while (left && count < PIECES_MAX) {
		size_t bytes;
		const char *piece = format_piece(question, client->index, position, &bytes);

		bytes = bytes < left ? bytes : (size_t)left;
		pieces[count++] = (struct iovec){ (void *)piece, bytes };
		position += bytes;
		left -= bytes;
	}
	*total_bytes = (size_t)(position - client->sent);
	return count;
}

static void tcp_send(struct load *load, struct client *client)
{
	struct iovec pieces[PIECES_MAX];
	struct msghdr message = { .msg_iov = pieces };
	size_t bytes;
	int count;

	while ((count = gather(load, client, pieces, &bytes)) > 0) {
		ssize_t sent;

		message.msg_iovlen = (size_t)count;
		if (count == 1)
			sent = send(client->fd, pieces[0].iov_base, bytes, MSG_NOSIGNAL);
		else
			sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			fail("client %u: send: %s", client->index, strerror(errno));
		client->sent += sent > 0 ? (uint64_t)sent : 0;
		if (sent < (ssize_t)bytes) {
			if (!client->waits_to_send)
				client_watch(load, client, EPOLL_CTL_MOD, true);
			return;
		}
	}
	if (client->waits_to_send)
		client_watch(load, client, EPOLL_CTL_MOD, false);
}

static void check_bytes(const struct load *load, struct client *client, const char *data,
			size_t bytes)
{
	while (bytes) {
		size_t piece_bytes;
		const char *expected = format_piece(&load->settings.answer, client->index,
						    client->received, &piece_bytes);

		piece_bytes = piece_bytes < bytes ? piece_bytes : bytes;
		if (memcmp(data, expected, piece_bytes) != 0)
			wrong_bytes(client->index, client->received, expected, data, piece_bytes);
		client->received += piece_bytes;
		data += piece_bytes;
		bytes -= piece_bytes;
	}
}

/* Compares what has come with what should, and counts the answers that are complete with it. */
static void check(struct load *load, struct client *client, const char *data, size_t bytes)
{
	const size_t answer_bytes = load->settings.answer.message_bytes;
	uint64_t message = client->received / answer_bytes;
	uint64_t missing_bytes = client->begun * answer_bytes - client->received;

	check_bytes(load, client, data, bytes < missing_bytes ? bytes : (size_t)missing_bytes);
	if (bytes > missing_bytes)
		fail("client %u: %llu bytes after its last answer, from position %llu on",
		     client->index, (unsigned long long)(bytes - missing_bytes),
		     (unsigned long long)client->received);
	for (uint64_t end = client->received / answer_bytes; message < end; message++)
		client_answered(load, client, message);
}

/* A buffer that is not full has taken all there was, but for the end. */
static void tcp_receive(struct load *load, struct client *client, uint32_t events)
{
	static char buffer[BUFFER_BYTES];
	bool ended = events & ~(uint32_t)(EPOLLIN | EPOLLOUT);
	ssize_t received;

	do {
		received = recv(client->fd, buffer, sizeof(buffer), 0);
		if (received < 0 && errno == EAGAIN)
			return;
		if (received < 0)
			fail("client %u: recv: %s", client->index, strerror(errno));
		if (received == 0)
			fail("client %u: the server closed the connection, with %u messages in "
			     "flight",
			     client->index, client->in_flight);
		load->now_ns = clock_ns();
		check(load, client, buffer, (size_t)received);
	} while (received == sizeof(buffer) || ended);
}

/* After the last answer comes the end, as the server has read ours. */
static void tcp_finish(struct load *load, struct client *client)
{
	struct pollfd end = { .fd = client->fd, .events = POLLIN };
	ssize_t received;
	char byte;

	must(shutdown(client->fd, SHUT_WR), "shutdown");
	if (must(poll(&end, 1, (int)(load->settings.timeout_ns / 1000000)), "poll") == 0)
		fail("client %u: the server does not close a connection that has ended",
		     client->index);
	received = recv(client->fd, &byte, 1, 0);
	if (received > 0)
		fail("client %u: bytes after its last answer", client->index);
	if (received < 0)
		fail("client %u: recv: %s", client->index, strerror(errno));
	close(client->fd);
}

static void connect_open(struct load *load, struct client *client)
{
	(void)load;
	(void)client;
}

/* Connects first. Until that has come about the socket takes nothing, and the message waits. */
static void connect_send(struct load *load, struct client *client)
{
	const struct endpoint *server = &load->settings.server;

	if (client->fd < 0) {
		client->fd = connection_socket(load, SOCK_STREAM | SOCK_NONBLOCK);
		if (connect(client->fd, &server->address.any, server->bytes) &&
		    errno != EINPROGRESS)
			fail("client %u: connect: %s", client->index, strerror(errno));
		client_watch(load, client, EPOLL_CTL_ADD, false);
		load->slice.connections++;
	}
	tcp_send(load, client);
}

static void connect_receive(struct load *load, struct client *client, uint32_t events)
{
	tcp_receive(load, client, events);
	if (!client->in_flight) {
		close(client->fd);
		client->fd = -1;
	}
}

const struct traffic tcp_traffic = { .open = tcp_open,
				     .send = tcp_send,
				     .receive = tcp_receive,
				     .finish = tcp_finish,
				     .memory = 1 };

const struct traffic connect_traffic = { .open = connect_open,
					 .send = connect_send,
					 .receive = connect_receive,
					 .memory = 1 };
