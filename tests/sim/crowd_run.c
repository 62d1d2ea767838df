/* SPDX-License-Identifier: MIT */
#include "sim/crowd_run.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/base.h"
#include "service/services.h"
#include "sim/callback_oracle.h"
#include "sim/echo_peer.h"
#include "sim/run_settings.h"
#include "sim/witness.h"

/* One seed of this many has a crowd. */
#define EVERY 8

#define CLIENTS_MAX 128
#define WITNESSES 3
#define ECHO_PEERS 3

/* Simulated time in which witnesses send, beside that of a process that is stopped. */
#define LIFE_NS 3600000000

/* The longest that a witness may wait, which is about twice what any does. */
#define WAIT_NS_MAX 10000000
#define FLOODERS_WAIT_NS_MAX 25000000

/*
 * Squatters take all places, and there are more of one source than may be in half of the runs. When
 * they have been silent for long enough, witnesses come, each with an address of its own, and get
 * places: after a stall it takes SHORTAGE_STALL_MS until one gives way, and SHORTAGE_PLACES_MS may
 * pass until it is looked for.
 */
#define PLACES 48
#define PLACES_PER_SOURCE 30
#define PLACE_START_NS 2000000000
#define PLACE_WAIT_NS_MAX 1500000000
#define PLACE_HOST 0x0a020001

#define TCP_PORT 8080
#define UDP_PORT 7070
#define UDP_ECHO_PORT 4008

/* How many clients a crowd has, at least half of it. */
static const unsigned sizes[CROWDS] = {
	[CROWD_FLOODERS] = 64,	   [CROWD_HOARDERS] = 128,  [CROWD_SLOW_READERS] = 64,
	[CROWD_HALF_CLOSERS] = 40, [CROWD_SILENT] = 128,    [CROWD_LEAVERS] = 100,
	[CROWD_TALKERS] = 100,	   [CROWD_SQUATTERS] = 128,
};

struct crowd_run {
	struct sim *sim;
	enum crowd kind;
	struct rollcall_server *server;
	size_t memory_bytes_max;
	struct callback_oracle callbacks;
	struct places_oracle places;
	struct checked_service service;
	struct crowd_client clients[CLIENTS_MAX];
	unsigned clients_count;
	struct witness witnesses[WITNESSES];
	struct echo_peer echo_peers[ECHO_PEERS];
	uint64_t end_ns;
	bool is_begun, stopping;
};

static struct address address_of(uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.v4.sin_port = htons(port);
	return address;
}

bool crowd_run_is(uint64_t seed, enum crowd *kind)
{
	*kind = (enum crowd)(seed / EVERY % CROWDS);
	return seed % EVERY == EVERY / 2 + 1;
}

static bool is_short_of_memory(enum crowd kind)
{
	return kind == CROWD_HOARDERS || kind == CROWD_SLOW_READERS;
}

/* Queues and unfinished messages together have one limit. */
static void check_memory(const struct crowd_run *run)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };

	CHECK(rollcall_get_stats(run->server, &stats) == 0);
	if (stats.memory_bytes_now > run->memory_bytes_max)
		sim_fail(run->sim, "%llu bytes are held, and %zu are allowed",
			 (unsigned long long)stats.memory_bytes_now, run->memory_bytes_max);
}

static void stop(struct rollcall_server *server, void *context)
{
	(void)context;
	rollcall_stop(server);
}

/* The operator: stops the server when all that it owes are answered. */
static uint64_t operate(struct crowd_run *run, bool all_done)
{
	if (run->stopping || (!all_done && sim_now_ns(run->sim) >= run->end_ns))
		return UINT64_MAX;
	if (!all_done)
		return run->end_ns;
	run->stopping = true;
	CHECK(rollcall_post(run->server, stop, NULL) == 0);
	return UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t wait_ns_max(enum crowd kind)
{
	switch (kind) {
	case CROWD_FLOODERS:
		return FLOODERS_WAIT_NS_MAX;
	case CROWD_SQUATTERS:
		return PLACE_WAIT_NS_MAX;
	default:
		return WAIT_NS_MAX;
	}
}

static uint64_t run_clients(void *context)
{
	struct crowd_run *run = context;
	/* The process may be stopped, but its clients' time is not over. */
	const bool leaving = sim_now_ns(run->sim) >= run->end_ns &&
			     sim_now_ns(run->sim) >= sim_resumed_ns(run->sim);
	const uint64_t most_ns = wait_ns_max(run->kind);
	uint64_t next_ns = UINT64_MAX;
	bool all_done = true;

	if (!run->is_begun)
		return UINT64_MAX;
	for (unsigned i = 0; i < run->clients_count; i++) {
		struct crowd_client *client = &run->clients[i];

		next_ns = earlier(next_ns, crowd_client_act(client, run->stopping));
		all_done &= client->done || !client->is_innocent;
	}
	for (unsigned i = 0; i < WITNESSES; i++) {
		next_ns = earlier(next_ns, witness_act(&run->witnesses[i], most_ns, leaving));
		all_done &= run->witnesses[i].done;
	}
	for (unsigned i = 0; i < ECHO_PEERS; i++)
		next_ns = earlier(next_ns, echo_peer_act(&run->echo_peers[i]));
	check_memory(run);
	return earlier(next_ns, operate(run, all_done));
}

static void arrival(void *context, const struct address *from, const struct address *to,
		    const void *data, size_t bytes)
{
	struct crowd_run *run = context;

	for (unsigned i = 0; i < ECHO_PEERS; i++)
		if (address_equal(&run->echo_peers[i].own, to))
			echo_peer_receive(&run->echo_peers[i], from, data, bytes);
}

static void limit_places(struct crowd_run *run, struct rollcall_options *options)
{
	options->tcp_clients_max = PLACES;
	options->tcp_idle_timeout_ms = 0;
	if (sim_random(run->sim, 2))
		options->tcp_clients_per_source_max = PLACES_PER_SOURCE;
	run->places.sim = run->sim;
	run->places.most = options->tcp_clients_per_source_max;
	run->callbacks.places = &run->places;
}

static int make_server(struct crowd_run *run)
{
	struct rollcall_options options;
	int error;

	rollcall_options_defaults(&options);
	options.tcp_clients_max = 500;
	options.udp_clients_max = 16;
	options.tcp_idle_timeout_ms = 1000;
	options.send_timeout_ms = 2000;
	options.drain_timeout_ms = 100;
	if (is_short_of_memory(run->kind))
		options.memory_bytes_max = 1 << 20;
	run->memory_bytes_max = options.memory_bytes_max;
	if (run->kind == CROWD_SQUATTERS)
		limit_places(run, &options);
	error = rollcall_create(&run->server, &options);
	if (!error)
		error = rollcall_listen(run->server, "tcp://127.0.0.1:8080", &run->service.service,
					&run->service);
	if (!error)
		error = rollcall_listen(run->server, "udp://127.0.0.1:7070", &reply_service, NULL);
	if (!error)
		error = rollcall_listen(run->server, "udp://127.0.0.1:4008", &echo_service, NULL);
	return error;
}

static void make_witness(struct crowd_run *run, unsigned index, const struct address *to)
{
	struct witness *witness = &run->witnesses[index];
	const uint64_t now_ns = sim_now_ns(run->sim);

	if (run->kind == CROWD_SQUATTERS)
		witness_make(witness, run->sim, to, PLACE_HOST + index, now_ns + PLACE_START_NS);
	else
		witness_make(witness, run->sim, to, INADDR_LOOPBACK, now_ns);
}

static void make_clients(struct crowd_run *run)
{
	struct sim *sim = run->sim;
	const struct address to = address_of(TCP_PORT), replies = address_of(UDP_PORT),
			     echoes = address_of(UDP_ECHO_PORT);

	run->clients_count = sizes[run->kind] / 2 + sim_random(sim, sizes[run->kind] / 2 + 1);
	for (unsigned i = 0; i < run->clients_count; i++)
		crowd_client_make(&run->clients[i], sim, run->kind, &to);
	for (unsigned i = 0; i < WITNESSES; i++)
		make_witness(run, i, &to);
	echo_peer_make(&run->echo_peers[0], sim, 0, &echoes, "");
	echo_peer_make(&run->echo_peers[1], sim, 1, &replies, "");
	echo_peer_make(&run->echo_peers[2], sim, 2, &replies, "Received: ");
	run->end_ns = sim_now_ns(sim) + LIFE_NS;
	run->is_begun = true;
}

static void add_up(const struct crowd_run *run, uint64_t seed, struct crowd_totals *totals)
{
	totals->runs[run->kind]++;
	for (unsigned i = 0; i < WITNESSES; i++) {
		if (run->witnesses[i].waited_ns <= totals->waited_ns[run->kind])
			continue;
		totals->waited_ns[run->kind] = run->witnesses[i].waited_ns;
		totals->seed[run->kind] = seed;
	}
}

void crowd_run_seed(uint64_t seed, bool trace, struct crowd_totals *totals)
{
	const struct sim_settings settings = run_settings_of_crowd(seed, trace);
	struct crowd_run *run = calloc(1, sizeof(*run));

	CHECK(run && crowd_run_is(seed, &run->kind));
	run->sim = sim_begin(&settings, run_clients, run);
	run->callbacks.sim = run->sim;
	sim_on_datagram(run->sim, arrival);
	sim_trace(run->sim, "a crowd of %s", crowd_names[run->kind]);
	checked_service_make(&run->service, &run->callbacks, &reply_service, 65536);
	CHECK(make_server(run) == 0);
	make_clients(run);
	CHECK(rollcall_run(run->server) == 0);
	callback_oracle_end(&run->callbacks);
	add_up(run, seed, totals);
	rollcall_destroy(run->server);
	for (unsigned i = 0; i < run->clients_count; i++)
		crowd_client_free(&run->clients[i]);
	for (unsigned i = 0; i < WITNESSES; i++)
		witness_free(&run->witnesses[i]);
	sim_end(run->sim);
	free(run);
}
