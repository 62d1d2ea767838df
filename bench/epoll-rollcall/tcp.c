/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - TCP: receive, call the service, send what it answers.
 *
 * The states of a connection are those of client/client.h, and connection_flush() leads from one to
 * the next. What it would then start in a ring, a receive, a send or a close, is done here; when it
 * asks all the same, the submission queue is full, and it is called again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "epoll-rollcall/engine.h"
#include "tcp/connection.h"
#include "tcp/input.h"
#include "tcp/output.h"

/* In the place of operations in flight: what a client waits for. */
enum {
	WAITS_FOR_INPUT = IN_FLIGHT_CLOSE, /* always, until it closes */
	WAITS_FOR_SPACE = IN_FLIGHT_SEND,  /* the socket has not taken all */
	WAITS_FOR_TURN = IN_FLIGHT_CANCEL, /* there may be input of which no event tells again */
};

/*
 * So often one client is received from until others have their turn. To go on while all of it is in
 * the cache measured as 5% less for messages of 16 KiB, 16 of them in flight.
 */
#define RECEIVES_MAX 16

/* The client whose turn it is, if it may be received from. */
static struct turn {
	rollcall_client client; /* or ROLLCALL_NONE */
	uint32_t events;
	unsigned receives; /* that are left */
} turn;

static int watch(struct rollcall_server *server, const struct client *client, int operation)
{
	const uint32_t writable = client->in_flight & WAITS_FOR_SPACE ? EPOLLOUT : 0;

	return engine_watch(server, operation, client->fd,
			    EPOLLIN | EPOLLRDHUP | EPOLLET | writable,
			    op_pack(OP_TCP_RECEIVE, client->id));
}

/* ---- Accepting ---- */

int tcp_start(struct rollcall_server *server, struct listener *listener)
{
	listener->accept.in_flight = true;
	if (fcntl(listener->fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return engine_watch(server, EPOLL_CTL_ADD, listener->fd, EPOLLIN | EPOLLET,
			    op_pack(OP_TCP_ACCEPT, listener->origin.index));
}

/* When there is no room, it goes on as soon as a client has gone. */
void tcp_accept(struct rollcall_server *server, struct listener *listener)
{
	struct hub *hub = &server->hub;

	while (table_count(&hub->table, ROLLCALL_TCP) < hub->options.tcp_clients_max) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			connection_open(&server->tcp, &listener->origin, fd,
					places_source(&server->tcp.places, fd));
		else if (errno == EAGAIN)
			return;
		else if (errno != ECONNABORTED && errno != EINTR)
			break;
	}
	hub->stats.accepts_suspended++;
	listener->accept.in_flight = false;
}

static void accept_again(struct rollcall_server *server)
{
	for (unsigned i = 0; i < server->tcp.listener_count; i++) {
		if (!server->tcp.listeners[i]->accept.in_flight) {
			server->tcp.listeners[i]->accept.in_flight = true;
			tcp_accept(server, server->tcp.listeners[i]);
		}
	}
}

/* ---- Receiving ---- */

static bool can_receive(const struct client *client)
{
	if (client_has_any(client, CLIENT_INPUT_ENDED | CLIENT_NO_MEMORY) || input_is_held(client))
		return false;
	return client->state == CLIENT_FINISHING || client->state == CLIENT_LINGERING ||
	       (client->state == CLIENT_OPEN && !client_has_any(client, CLIENT_PAUSED));
}

static void receive(struct rollcall_server *server, struct client *client)
{
	const struct buffers *buffers = &server->hub.buffers[BUFFERS_TCP];
	const ssize_t bytes = recv(client->fd, buffers_data(buffers, 0), ENGINE_TCP_BYTES, 0);
	struct io_uring_cqe completion;

	if (bytes < 0 && errno == EAGAIN)
		return;
	engine_received(&completion, bytes < 0 ? -errno : bytes, 0);
	connection_on_receive(&server->tcp, client, &completion);
	if (bytes < 0 || bytes == ENGINE_TCP_BYTES || turn.events & ~(uint32_t)(EPOLLIN | EPOLLOUT))
		client->in_flight |= WAITS_FOR_TURN;
	hub_flush_later(&server->hub, client);
}

void tcp_ready(struct rollcall_server *server, struct client *client, uint32_t events)
{
	turn.client = ROLLCALL_NONE;
	if (events & ~(uint32_t)(EPOLLIN | EPOLLRDHUP) && client->in_flight & WAITS_FOR_SPACE) {
		client->in_flight &= ~WAITS_FOR_SPACE & IN_FLIGHT_ALL;
		hub_flush_later(&server->hub, client);
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	if (can_receive(client)) {
		turn = (struct turn){ client->id, events, RECEIVES_MAX - 1 };
		receive(server, client);
	} else {
		client->in_flight |= WAITS_FOR_TURN;
	}
}

/* Goes on in its turn; else epoll is asked to tell again. */
static void receive_more(struct rollcall_server *server, struct client *client)
{
	client->in_flight &= ~WAITS_FOR_TURN & IN_FLIGHT_ALL;
	if (turn.client == client->id && turn.receives > 0 &&
	    buffers_free(&server->hub.buffers[BUFFERS_TCP]) > 0) {
		turn.receives--;
		receive(server, client);
	} else {
		watch(server, client, EPOLL_CTL_MOD);
	}
}

/* ---- Sending ---- */

static ssize_t send_gathered(struct client *client)
{
	struct iovec pieces[GATHER_PIECES];
	const unsigned count = queue_gather(&client->tcp.queue, pieces, GATHER_PIECES);
	const struct msghdr message = { .msg_iov = pieces, .msg_iovlen = count };

	client->sending = 0;
	for (unsigned i = 0; i < count; i++)
		client->sending += (uint32_t)pieces[i].iov_len;
	if (count == 1)
		return send(client->fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
	return sendmsg(client->fd, &message, MSG_NOSIGNAL);
}

/* Sends all that the socket takes; connection_on_sent() copies the rest. */
static void send_queue(struct rollcall_server *server, struct client *client)
{
	do {
		const ssize_t sent = send_gathered(client);
		const struct io_uring_cqe completion = { .res = (int)(sent < 0 ? -errno : sent) };

		connection_on_sent(&server->tcp, client, &completion);
	} while (output_is_due(client) && !client_has_any(client, CLIENT_SLOW));
	if (output_is_due(client)) {
		client->in_flight |= WAITS_FOR_SPACE;
		watch(server, client, EPOLL_CTL_MOD);
	}
}

/* ---- The end of a turn ---- */

static void close_client(struct rollcall_server *server, struct client *client)
{
	struct tcp *tcp = &server->tcp;

	queue_clear(&server->hub.memory, &client->tcp.queue);
	input_clear(tcp, client);
	socket_close(server->hub.ring, client->fd);
	client->fd = -1;
	client->in_flight = 0;
	client->receive = RECEIVE_NONE;
	connection_flush(tcp, client);
	accept_again(server);
}

void tcp_flush(struct rollcall_server *server, struct client *client)
{
	struct tcp *tcp = &server->tcp;

	if (client->state == CLIENT_CLOSING) {
		close_client(server, client);
		return;
	}
	if (client->in_flight == 0) {
		client->in_flight = WAITS_FOR_INPUT;
		client->receive = RECEIVE_LAST; /* which is neither started nor cancelled */
		if (watch(server, client, EPOLL_CTL_ADD))
			connection_abort(tcp, client, -ENOBUFS, true);
	}
	/* It is then marked again, for what follows from the send. */
	if (output_is_due(client)) {
		send_queue(server, client);
		return;
	}
	if (!connection_flush(tcp, client))
		hub_flush_later(&server->hub, client);
	if (client->in_flight & WAITS_FOR_TURN && can_receive(client))
		receive_more(server, client);
}
