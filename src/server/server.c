/* SPDX-License-Identifier: MIT */
/*
 * server.c - creates and destroys a server.
 */
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/validate.h"
#include "tcp/connection.h"
#include "tcp/shortage.h"

/* The kernel frees the memory of a ring some time after its close. */
#define HALVING_SLEEP_NS 20000000

/* Descriptors not available to clients: the standard ones, listeners, the ring. */
#define DESCRIPTORS_RESERVED 64

/* Give up on operations in flight after this many turns of at most 10 ms. */
#define SETTLE_TURNS_MAX 500
#define SETTLE_TURN_NS 10000000

static void limit_clients(struct hub *hub)
{
	uint64_t descriptors = socket_limit_raise();
	uint64_t clients = descriptors > 2 * DESCRIPTORS_RESERVED
				   ? descriptors - DESCRIPTORS_RESERVED
				   : (descriptors + 1) / 2;
	struct rollcall_options defaults;
	bool is_default;

	if (hub->options.tcp_clients_max <= clients)
		return;
	rollcall_options_defaults(&defaults);
	is_default = hub->options.tcp_clients_max == defaults.tcp_clients_max;
	/* A warning only for a limit that was set by the caller. */
	log_write(&hub->log, is_default ? ROLLCALL_LOG_INFO : ROLLCALL_LOG_WARNING,
		  "at most %llu TCP clients instead of %u: RLIMIT_NOFILE is %llu (ulimit -n)",
		  (unsigned long long)clients, hub->options.tcp_clients_max,
		  (unsigned long long)descriptors);
	hub->options.tcp_clients_max = (unsigned)clients;
}

static void log_halved(struct hub *hub, unsigned halvings, bool has_space)
{
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "the limit of %s is small: rings and buffers of 1/%u of their size (raise it: "
		  "%s)",
		  has_space ? "locked memory" : "address space", 1u << halvings,
		  has_space ? "ulimit -l 8192, for a container --ulimit memlock=8388608"
			    : "ulimit -v, ulimit -d");
}

/* Whether io_uring is not to be had. A lack of memory or of descriptors is none of that. */
static bool is_refusal(int error)
{
	return error == -EPERM || error == -EACCES || error == -ENOSYS || error == -EOPNOTSUPP ||
	       error == -EINVAL;
}

/* 0, or -errno: io_uring is not to be had, and no other is allowed. */
static int choose_engine(struct hub *hub)
{
	const enum rollcall_engine wanted = hub->options.engine;
	const int error = wanted == ROLLCALL_ENGINE_EPOLL ? 0 : ring_try_io_uring();

	if (!is_refusal(error)) {
		if (wanted == ROLLCALL_ENGINE_AUTO)
			hub->options.engine = ROLLCALL_ENGINE_IO_URING;
		return 0;
	}
	if (wanted == ROLLCALL_ENGINE_IO_URING)
		return error;
	hub->options.engine = ROLLCALL_ENGINE_EPOLL;
	hub->engine_refusal = error;
	return 0;
}

static int open_ring(struct hub *hub)
{
	unsigned halvings = 0;
	int error = hub_open_ring(hub, halvings);
	const bool has_space = error != -ENOMEM || hub_has_buffer_space();

	while (error == -ENOMEM && halvings < HUB_HALVINGS_MAX) {
		ring_sleep(HALVING_SLEEP_NS);
		error = hub_open_ring(hub, ++halvings);
	}
	if (!error && halvings > 0)
		log_halved(hub, halvings, has_space);
	return error;
}

/* Initializes what needs the hub: the transports, and the eventfd that wakes the loop. */
static int init_parts(struct rollcall_server *server)
{
	struct hub *hub = &server->hub;
	int error = log_limit(&hub->log, &hub->timers, &hub->now_ns);

	if (!error)
		error = server_drain_init(server);
	if (!error)
		error = trim_init(&server->trim, hub);
	if (!error)
		error = connections_init(&server->tcp, hub);
	if (error)
		return error;
	error = shortage_init(&server->tcp);
	if (error)
		goto destroy_tcp;
	error = udp_init(&server->udp, hub);
	if (error)
		goto destroy_tcp;
	error = posts_init(&server->posts, hub);
	if (!error)
		return 0;
	udp_destroy(&server->udp);
destroy_tcp:
	connections_destroy(&server->tcp);
	return error;
}

/* Initializes all but the options and the log. *step names the last step tried. */
static int init(struct rollcall_server *server, const char **step)
{
	struct hub *hub = &server->hub;
	int error;

	*step = "memory for the clients";
	server->owner = owner_create();
	if (!server->owner)
		return -ENOMEM;
	error = hub_init(hub);
	if (error)
		goto destroy_owner;
	*step = "io_uring";
	error = choose_engine(hub);
	if (error)
		goto destroy_core;
	if (hub->options.engine == ROLLCALL_ENGINE_EPOLL)
		*step = "epoll";
	error = open_ring(hub);
	if (error)
		goto destroy_core;
	*step = "transports and eventfd";
	error = init_parts(server);
	if (!error)
		return 0;
	/* Timers are freed with the hub. */
	log_unlimit(&hub->log);
	hub_close_ring(hub);
destroy_core:
	hub_destroy(hub);
destroy_owner:
	owner_destroy(server->owner);
	return error;
}

int rollcall_create(struct rollcall_server **out, const struct rollcall_options *options)
{
	struct rollcall_server *server = calloc(1, sizeof(*server));
	const char *step;
	struct hub *hub;
	int error;

	if (!server)
		return -ENOMEM;
	hub = &server->hub;
	hub->server = server;
	error = validate_options(&hub->options, options);
	if (error)
		goto free_server;
	hub->log = (struct log){ .write = hub->options.log,
				 .context = hub->options.log_context,
				 .level = hub->options.log_level };
	limit_clients(hub);
	error = init(server, &step);
	if (error) {
		log_write(&hub->log, ROLLCALL_LOG_ERROR, "cannot create a server: %s: %s", step,
			  strerror(-error));
		goto free_server;
	}
	hub->now_ns = ring_clock_ns(hub->ring);
	ring_random(hub->ring, server->cookie_secret, sizeof(server->cookie_secret));
	*out = server;
	return 0;

free_server:
	free(server);
	return error;
}

enum rollcall_engine rollcall_get_engine(const struct rollcall_server *server, int *refusal)
{
	if (refusal)
		*refusal = server->hub.engine_refusal;
	return server->hub.options.engine;
}

/* Ends all operations in flight. false: the ring has failed, or it takes too long. */
static bool settle(struct rollcall_server *server)
{
	server_abort(server);
	posts_close(&server->posts);
	for (unsigned turns = 0; turns < SETTLE_TURNS_MAX; turns++) {
		server_flush(server);
		if (!server_is_busy(server) && !files_are_busy(&server->files) &&
		    !posts_are_busy(&server->posts))
			return true;
		if (server_turn(server, SETTLE_TURN_NS))
			break;
	}
	return false;
}

static void destroy(struct rollcall_server *server)
{
	struct hub *hub = &server->hub;

	log_unlimit(&hub->log);
	posts_destroy(&server->posts, server, hub->ring);
	for (unsigned i = 0; i < server->tcp.listener_count; i++) {
		listener_destroy(server->tcp.listeners[i]);
		free(server->tcp.listeners[i]);
	}
	server_destroy_timers(server);
	udp_destroy(&server->udp);
	connections_destroy(&server->tcp);
	hub_close_ring(hub);
	hub_destroy(hub);
	owner_destroy(server->owner);
	free(server);
}

int rollcall_destroy(struct rollcall_server *server)
{
	if (!server)
		return 0;
	if (!server_is_callers(server))
		return -EPERM;
	if (server->busy)
		return -EBUSY;
	server->busy = true;
	/* If operations are still in flight, leak the memory: the kernel may still write to it. */
	if (settle(server))
		destroy(server);
	return 0;
}
