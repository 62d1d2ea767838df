/* SPDX-License-Identifier: MIT */
/*
 * drain.c - the end of a server: draining, aborting, and when it is over.
 */
#include <errno.h>

#include "server/server.h"
#include "tcp/connection.h"

static struct client *next_client(struct rollcall_server *server, const struct client *client)
{
	return table_next(&server->hub.table, client ? client->id : ROLLCALL_NONE);
}

static void take_the_last(struct rollcall_server *server)
{
	for (unsigned i = 0; i < server->tcp.listener_count; i++)
		listener_close(server->tcp.listeners[i]);
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		endpoint_close(server->udp.endpoints[i]);
}

static void end_input(struct rollcall_server *server)
{
	server->unflushed = true;
	for (unsigned i = 0; i < server->tcp.listener_count; i++)
		listener_end(server->tcp.listeners[i]);
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		endpoint_end(server->udp.endpoints[i]);
}

void server_abort(struct rollcall_server *server)
{
	struct client *client = NULL;

	server->state = SERVER_ABORTING;
	server->unflushed = true;
	server->hub.refusing = true;
	timers_clear(&server->hub.timers, &server->drain_timer);
	end_input(server);
	while ((client = next_client(server, client))) {
		if (client->transport == ROLLCALL_TCP)
			connection_abort(&server->tcp, client, -ESHUTDOWN, true);
		else
			udp_close(&server->udp, client, -ESHUTDOWN);
	}
	files_close(&server->files);
}

static uint64_t half_of_drain_ns(const struct rollcall_server *server)
{
	return server->hub.options.drain_timeout_ms * 1000000 / 2;
}

static void drain_clients(struct rollcall_server *server,
			  void (*drain)(struct tcp *tcp, struct client *client))
{
	struct client *client = NULL;

	while ((client = next_client(server, client)))
		if (client->transport == ROLLCALL_TCP)
			drain(&server->tcp, client);
}

/* Begins a stage, which ends before_end_ns before the end of the drain. */
static void begin_stage(struct rollcall_server *server, enum drain_stage stage,
			uint64_t before_end_ns)
{
	server->drain_stage = stage;
	timers_set(&server->hub.timers, &server->drain_timer, server->drain_end_ns - before_end_ns);
}

static void on_drain_timer(struct timer *timer)
{
	struct rollcall_server *server = container_of(timer, struct rollcall_server, drain_timer);

	switch (server->drain_stage) {
	case DRAIN_GRACE:
		drain_clients(server, connection_drain);
		begin_stage(server, DRAIN_INPUT, half_of_drain_ns(server));
		return;
	case DRAIN_INPUT:
		end_input(server);
		drain_clients(server, connection_end_input);
		begin_stage(server, DRAIN_OUTPUT, 0);
		return;
	case DRAIN_OUTPUT:
		break;
	}
	log_write(&server->hub.log, ROLLCALL_LOG_WARNING,
		  "drain timeout: aborting %llu TCP clients that have not acknowledged all answers",
		  (unsigned long long)table_count(&server->hub.table, ROLLCALL_TCP));
	server_abort(server);
}

int server_drain_init(struct rollcall_server *server)
{
	server->drain_timer.expired = on_drain_timer;
	return timers_reserve(&server->hub.timers);
}

static void drain(struct rollcall_server *server)
{
	const uint64_t now_ns = ring_clock_ns(server->hub.ring), half_ns = half_of_drain_ns(server);
	const uint64_t grace_ns = min_u64(HUB_GRACE_MS * (uint64_t)1000000, half_ns / 2);

	server->state = SERVER_DRAINING;
	server->unflushed = true;
	server->hub.draining = true;
	server->hub.grace_end_ns = now_ns + grace_ns;
	server->drain_end_ns = now_ns + 2 * half_ns;
	take_the_last(server);
	drain_clients(server, connection_drain);
	begin_stage(server, DRAIN_GRACE, 2 * half_ns - grace_ns);
}

int rollcall_stop(struct rollcall_server *server)
{
	if (!server_is_callers(server))
		return -EPERM;
	if (server->state == SERVER_RUNNING)
		drain(server);
	else if (server->state == SERVER_DRAINING)
		server_abort(server);
	return 0;
}

void server_end_udp_clients(struct rollcall_server *server)
{
	struct client *client = NULL;

	if (server->udp_ended)
		return;
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		if (endpoint_is_busy(server->udp.endpoints[i]))
			return;
	server->udp_ended = true;
	while ((client = next_client(server, client)))
		if (client->transport == ROLLCALL_UDP)
			udp_close(&server->udp, client, -ESHUTDOWN);
}

bool server_is_busy(const struct rollcall_server *server)
{
	const struct table *table = &server->hub.table;

	if (table_count(table, ROLLCALL_TCP) || table_count(table, ROLLCALL_UDP) ||
	    datagrams_are_busy(&server->udp.datagrams) || files_are_writing(&server->files))
		return true;
	for (unsigned i = 0; i < server->tcp.listener_count; i++)
		if (listener_is_busy(server->tcp.listeners[i]))
			return true;
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		if (endpoint_is_busy(server->udp.endpoints[i]))
			return true;
	return false;
}
