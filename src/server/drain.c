/* SPDX-License-Identifier: MIT */
/*
 * drain.c - from rollcall_run() to its return.
 */
#include <errno.h>

#include "server/server.h"
#include "tcp/connection.h"

static struct client *next_client(struct rollcall_server *server, const struct client *client)
{
	return table_next(&server->core.table, client ? client->id : ROLLCALL_NONE);
}

static void take_no_more(struct rollcall_server *server)
{
	for (unsigned i = 0; i < server->listener_count; i++)
		listener_close(server->listeners[i]);
	for (unsigned i = 0; i < server->endpoint_count; i++)
		endpoint_close(server->endpoints[i]);
}

static void end_udp_input(struct rollcall_server *server)
{
	server->unflushed = true;
	for (unsigned i = 0; i < server->endpoint_count; i++)
		endpoint_end(server->endpoints[i]);
}

void server_abort(struct rollcall_server *server)
{
	struct client *client = NULL;

	server->state = SERVER_ABORTING;
	server->unflushed = true;
	server->core.refusing = true;
	timers_clear(&server->core.timers, &server->drain_timer);
	take_no_more(server);
	end_udp_input(server);
	while ((client = next_client(server, client))) {
		if (client->transport == ROLLCALL_TCP)
			connection_abort(&server->tcp, client, -ESHUTDOWN, true);
		else
			udp_close(&server->udp, client, -ESHUTDOWN);
	}
	files_cancel(&server->files);
}

/* Half of the time is for input, so that who never stops sending gets its answers in the other. */
static void end_input(struct rollcall_server *server)
{
	struct core *core = &server->core;
	struct client *client = NULL;

	server->input_ended = true;
	end_udp_input(server);
	while ((client = next_client(server, client)))
		if (client->transport == ROLLCALL_TCP)
			connection_close(&server->tcp, client, -ESHUTDOWN);
	timers_set(&core->timers, &server->drain_timer,
		   core->now_ns + core->options.drain_timeout_ms * 1000000 / 2);
}

static void on_drain_timer(struct timer *timer)
{
	struct rollcall_server *server = container_of(timer, struct rollcall_server, drain_timer);
	const struct rollcall_stats *stats = &server->core.stats;

	if (!server->input_ended) {
		end_input(server);
		return;
	}
	log_write(&server->core.log, ROLLCALL_LOG_WARNING,
		  "drain timeout: ending %llu clients that have not taken their answers",
		  (unsigned long long)stats->tcp_clients_now);
	server_abort(server);
}

int server_drain_init(struct rollcall_server *server)
{
	server->drain_timer.expired = on_drain_timer;
	return timers_reserve(&server->core.timers);
}

static void drain(struct rollcall_server *server)
{
	struct core *core = &server->core;
	struct client *client = NULL;

	server->state = SERVER_DRAINING;
	server->unflushed = true;
	core->draining = true;
	take_no_more(server);
	while ((client = next_client(server, client)))
		if (client->transport == ROLLCALL_TCP)
			connection_drain(&server->tcp, client);
	timers_set(&core->timers, &server->drain_timer,
		   ring_clock_ns(core->ring) + core->options.drain_timeout_ms * 1000000 / 2);
}

void rollcall_stop(struct rollcall_server *server)
{
	if (server->state == SERVER_RUNNING)
		drain(server);
	else if (server->state == SERVER_DRAINING)
		server_abort(server);
}

/* The UDP clients go when what had arrived from them is answered. */
static void end_udp_clients(struct rollcall_server *server)
{
	struct client *client = NULL;

	if (server->udp_ended)
		return;
	for (unsigned i = 0; i < server->endpoint_count; i++)
		if (endpoint_is_busy(server->endpoints[i]))
			return;
	server->udp_ended = true;
	while ((client = next_client(server, client)))
		if (client->transport == ROLLCALL_UDP)
			udp_close(&server->udp, client, -ESHUTDOWN);
}

bool server_is_busy(const struct rollcall_server *server)
{
	const struct rollcall_stats *stats = &server->core.stats;

	if (stats->tcp_clients_now || stats->udp_clients_now ||
	    datagrams_are_busy(&server->udp.datagrams) || files_are_writing(&server->files))
		return true;
	for (unsigned i = 0; i < server->listener_count; i++)
		if (listener_is_busy(server->listeners[i]))
			return true;
	for (unsigned i = 0; i < server->endpoint_count; i++)
		if (endpoint_is_busy(server->endpoints[i]))
			return true;
	return false;
}

int rollcall_run(struct rollcall_server *server)
{
	server->core.now_ns = ring_clock_ns(server->core.ring);
	for (;;) {
		int error;

		server_flush(server);
		if (server->state != SERVER_RUNNING && !server_is_busy(server))
			break;
		error = server_turn(server, UINT64_MAX);
		if (error)
			return error;
		if (server->state != SERVER_RUNNING)
			end_udp_clients(server);
	}
	timers_clear(&server->core.timers, &server->drain_timer);
	return 0;
}
