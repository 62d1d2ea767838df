/* SPDX-License-Identifier: MIT */
/*
 * libevent.c - a TCP echo server on libevent's bufferevents. It moves what has come from the input
 * to the output without a copy, and stops reading from a client that lets its output grow.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "lib/endpoint.h"
#include "lib/fail.h"
#include "peers/peer.h"

#define OUTPUT_BYTES_MAX (1 << 20)

static void on_read(struct bufferevent *client, void *context)
{
	struct evbuffer *output = bufferevent_get_output(client);

	(void)context;
	evbuffer_add_buffer(output, bufferevent_get_input(client));
	if (evbuffer_get_length(output) > OUTPUT_BYTES_MAX)
		bufferevent_disable(client, EV_READ);
}

/* The output is empty. */
static void on_written(struct bufferevent *client, void *context)
{
	(void)context;
	bufferevent_enable(client, EV_READ);
}

static void on_last_written(struct bufferevent *client, void *context)
{
	(void)context;
	bufferevent_free(client);
}

static void on_event(struct bufferevent *client, short events, void *context)
{
	(void)context;
	if (events & BEV_EVENT_EOF && evbuffer_get_length(bufferevent_get_output(client)) > 0)
		bufferevent_setcb(client, NULL, on_last_written, on_event, NULL);
	else if (events & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(client);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *from, int from_bytes, void *context)
{
	struct event_base *base = evconnlistener_get_base(listener);
	struct bufferevent *client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)from;
	(void)from_bytes;
	(void)context;
	if (!client)
		fail("no memory for a client");
	socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	bufferevent_setcb(client, on_read, on_written, on_event, NULL);
	bufferevent_enable(client, EV_READ | EV_WRITE);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();

	/* Of a backlog of 0: it listens already. */
	if (!base || !evconnlistener_new(base, on_connection, NULL,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
					 peer_listen(argc, argv)))
		fail("libevent cannot start");
	return event_base_dispatch(base);
}
