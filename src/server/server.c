/* SPDX-License-Identifier: MIT */
/*
 * server.c - making a server, and taking it apart.
 */
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>

#include "server/options.h"

/* Sizes of the rings, when memory may be locked as it takes; each try after ENOMEM halves them. */
#define SQ_ENTRIES 4096
#define CQ_ENTRIES 16384
#define BUFFERS_MAX 8192
#define HALVINGS_MAX 7

/* The kernel gives back the memory of a ring some time after it was closed. */
#define HALVING_PAUSE_NS 20000000

/* Descriptors that are not clients': the standard ones, listeners, the ring. */
#define DESCRIPTORS_RESERVED 64

/* How many turns a server takes at most to end what is in flight, each of 10 ms at most. */
#define SETTLE_TURNS_MAX 500
#define SETTLE_TURN_NS 10000000

static void limit_clients(struct core *core)
{
	uint64_t descriptors = socket_limit_raise(core->ring);
	uint64_t clients = descriptors > 2 * DESCRIPTORS_RESERVED
				   ? descriptors - DESCRIPTORS_RESERVED
				   : (descriptors + 1) / 2;

	if (core->options.tcp_clients_max <= clients)
		return;
	log_write(&core->log, ROLLCALL_LOG_WARNING,
		  "at most %llu TCP clients at once instead of %u: the limit of open files is %llu",
		  (unsigned long long)clients, core->options.tcp_clients_max,
		  (unsigned long long)descriptors);
	core->options.tcp_clients_max = (unsigned)clients;
}

/* The ring and all that the kernel shares with us, in one size. */
static int init_core(struct rollcall_server *server, unsigned halvings)
{
	struct core *core = &server->core;
	int error = ring_create(&core->ring, SQ_ENTRIES >> halvings, CQ_ENTRIES >> halvings);

	if (error)
		return error;
	limit_clients(core);
	error = core_init(core, BUFFERS_MAX >> halvings);
	if (error)
		ring_destroy(core->ring);
	return error;
}

static int init_core_halving(struct rollcall_server *server)
{
	unsigned halvings = 0;
	int error = init_core(server, halvings);

	while (error == -ENOMEM && halvings < HALVINGS_MAX) {
		ring_pause(HALVING_PAUSE_NS);
		error = init_core(server, ++halvings);
	}
	if (!error && halvings > 0)
		log_write(&server->core.log, ROLLCALL_LOG_WARNING,
			  "the limit of locked memory is small: rings of %u and %u entries instead "
			  "of %u and %u (raise it with ulimit -l)",
			  SQ_ENTRIES >> halvings, CQ_ENTRIES >> halvings, SQ_ENTRIES, CQ_ENTRIES);
	return error;
}

int rollcall_create(struct rollcall_server **out, const struct rollcall_options *options)
{
	struct rollcall_server *server = calloc(1, sizeof(*server));
	struct core *core;
	int error;

	if (!server)
		return -ENOMEM;
	core = &server->core;
	core->server = server;
	error = options_take(&core->options, options);
	if (error)
		goto free_server;
	core->log = (struct log){ core->options.log, core->options.log_context,
				  core->options.log_level };
	error = init_core_halving(server);
	if (error)
		goto free_server;
	error = server_drain_init(server);
	if (!error)
		error = tcp_init(&server->tcp, core);
	if (error)
		goto destroy_core;
	error = udp_init(&server->udp, core);
	if (error)
		goto destroy_tcp;
	error = posts_init(&server->posts, core->ring);
	if (error)
		goto destroy_udp;
	core->now_ns = ring_clock_ns(core->ring);
	*out = server;
	return 0;

destroy_udp:
	udp_destroy(&server->udp);
destroy_tcp:
	tcp_destroy(&server->tcp);
destroy_core:
	core_destroy(core);
	ring_destroy(core->ring);
free_server:
	free(server);
	return error;
}

/* Ends everything that is in flight. false: the ring has failed, or it takes too long. */
static bool settle(struct rollcall_server *server)
{
	server_abort(server);
	posts_close(&server->posts);
	for (unsigned turns = 0; turns < SETTLE_TURNS_MAX; turns++) {
		if (!server_is_busy(server) && !files_are_busy(&server->files) &&
		    !server->posts.armed)
			return true;
		if (server_turn(server, SETTLE_TURN_NS))
			break;
	}
	return false;
}

void rollcall_destroy(struct rollcall_server *server)
{
	struct core *core;

	/* Where the kernel may still write to our memory, it is better lost than used by others. */
	if (!server || !settle(server))
		return;
	core = &server->core;
	posts_destroy(&server->posts, server, core->ring);
	for (unsigned i = 0; i < server->listener_count; i++) {
		listener_destroy(server->listeners[i]);
		free(server->listeners[i]);
	}
	for (unsigned i = 0; i < server->endpoint_count; i++) {
		endpoint_destroy(server->endpoints[i]);
		free(server->endpoints[i]);
	}
	server_destroy_timers(server);
	udp_destroy(&server->udp);
	tcp_destroy(&server->tcp);
	core_destroy(core);
	ring_destroy(core->ring);
	free(server);
}
