/* SPDX-License-Identifier: MIT */
/*
 * engine.c - making a server, and its loop.
 */
#include "epoll-rollcall/engine.h"

#include <errno.h>
#include <sys/epoll.h>

#include "server/validate.h"
#include "tcp/connection.h"
#include "tcp/wait.h"

/* So many clients are served between two calls of epoll_wait(). */
#define EVENTS_MAX 512

/* Descriptors that are not clients'. */
#define DESCRIPTORS_RESERVED 64

int engine_watch(struct rollcall_server *server, int operation, int fd, uint32_t events,
		 uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return epoll_ctl(server->hub.ring->epoll, operation, fd, &event) ? -errno : 0;
}

/*
 * All bytes are sent or copied before others are received: a buffer for TCP and one for each
 * datagram of a batch are enough.
 */
static int init_parts(struct rollcall_server *server)
{
	struct hub *hub = &server->hub;
	int error = hub_init(hub);

	if (!error)
		error = ring_create(&hub->ring, RING_EPOLL, 0, 0, 0);
	if (!error)
		error = buffers_init(&hub->buffers[BUFFERS_TCP], hub->ring, BUFFERS_TCP,
				     ENGINE_TCP_BYTES, 1, 1);
	if (!error)
		error = buffers_init(&hub->buffers[BUFFERS_UDP], hub->ring, BUFFERS_UDP,
				     ENGINE_UDP_BYTES, ENGINE_BATCH, ENGINE_BATCH);
	if (!error)
		error = connections_init(&server->tcp, hub);
	return error ? error : udp_init(&server->udp, hub);
}

/* What was made before an error stays: it ends with the program. */
int rollcall_create(struct rollcall_server **out, const struct rollcall_options *options)
{
	struct rollcall_server *server = calloc(1, sizeof(*server));
	struct hub *hub;
	int error;

	if (!server)
		return -ENOMEM;
	hub = &server->hub;
	hub->server = server;
	error = validate_options(&hub->options, options);
	if (error)
		return error;
	hub->log = (struct log){ .write = hub->options.log,
				 .context = hub->options.log_context,
				 .level = hub->options.log_level };
	hub->options.tcp_clients_max =
		(unsigned)min_u64(hub->options.tcp_clients_max,
				  socket_limit_raise() - DESCRIPTORS_RESERVED);
	server->owner = owner_create();
	if (!server->owner)
		return -ENOMEM;
	*out = server;
	return init_parts(server);
}

static int start(struct rollcall_server *server)
{
	int error = 0;

	for (unsigned i = 0; i < server->tcp.listener_count && !error; i++)
		error = tcp_start(server, server->tcp.listeners[i]);
	for (unsigned i = 0; i < server->udp.endpoint_count && !error; i++)
		error = udp_start(server, server->udp.endpoints[i]);
	return error;
}

static void dispatch(struct rollcall_server *server, const struct epoll_event *event)
{
	const uint64_t id = op_id(event->data.u64);
	struct client *client;

	switch (op_kind(event->data.u64)) {
	case OP_TCP_ACCEPT:
		tcp_accept(server, server->tcp.listeners[id]);
		break;
	case OP_UDP_RECEIVE:
		udp_ready(server, server->udp.endpoints[id]);
		break;
	default:
		/* It may have been closed after the event had come. */
		client = table_find(&server->hub.table, id);
		if (client)
			tcp_ready(server, client, event->events);
	}
}

static void flush(struct rollcall_server *server)
{
	struct client *client;

	udp_flush_unlisted(server);
	do {
		while ((client = hub_flush_next(&server->hub))) {
			if (client->transport == ROLLCALL_TCP)
				tcp_flush(server, client);
			else
				udp_flush(server, client);
		}
		udp_send_queued(server);
	} while (server->hub.flush_count > 0);
}

/* The next client is fetched from memory while the kernel is busy with this one. */
static void prefetch_client(const struct table *table, uint64_t id)
{
	const struct client *client = &table->slots[id & (table->capacity - 1)];

	__builtin_prefetch(client, 1);
	__builtin_prefetch(&client->links, 1);
}

static int wait_ms(const struct hub *hub)
{
	const uint64_t deadline_ns = timers_next(&hub->timers);

	if (deadline_ns == UINT64_MAX)
		return -1;
	if (deadline_ns <= hub->now_ns)
		return 0;
	return (int)min_u64((deadline_ns - hub->now_ns) / 1000000 + 1, INT32_MAX);
}

int rollcall_run(struct rollcall_server *server)
{
	struct epoll_event events[EVENTS_MAX];
	struct hub *hub = &server->hub;
	int error = start(server);

	if (error)
		return error;
	hub->now_ns = ring_clock_ns(hub->ring);
	for (;;) {
		int count = epoll_wait(hub->ring->epoll, events, EVENTS_MAX,
				       server->tcp.left_over.count > 0 ? 0 : wait_ms(hub));

		if (count < 0 && errno != EINTR)
			return -errno;
		hub->now_ns = ring_clock_ns(hub->ring);
		hub->turns++;
		wait_end_for_turn(&server->tcp);
		for (int i = 0; i < count; i++) {
			hub->stats.completions++;
			if (i + 1 < count)
				prefetch_client(&hub->table, op_id(events[i + 1].data.u64));
			dispatch(server, &events[i]);
			flush(server);
		}
		timers_run(&hub->timers, hub->now_ns);
		flush(server);
	}
}
