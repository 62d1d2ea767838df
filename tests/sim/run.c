/* SPDX-License-Identifier: MIT */
#include "sim/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/describe.h"
#include "service/services.h"
#include "sim/callback_oracle.h"
#include "sim/run_settings.h"
#include "sim/spoofer.h"
#include "sim/tcp_client.h"
#include "sim/udp_client.h"
#include "sim/udp_oracle.h"

#define TCP_CLIENTS_MAX 40
#define UDP_CLIENTS_MAX 12

/*
 * Of the short run in which one operation fails, of which there are as many as it has operations
 * and errors: two TCP clients of each service, and UDP clients with few datagrams.
 */
#define FAILURE_TCP_CLIENTS (2 * SERVICES)
#define FAILURE_UDP_CLIENTS 3
#define FAILURE_DATAGRAMS 8

/* More than a server may take to find a connection that was reset. */
#define QUIET_NS 6000000000

/* Simulated time by which all clients must have been served. */
#define LONGEST_NS 7200000000000

static const char *const tcp_names[SERVICES] = {
	[SERVICE_REPLY] = "tcp://127.0.0.1:8080",
	[SERVICE_ECHO] = "tcp://127.0.0.1:7",
	[SERVICE_DISCARD] = "tcp://127.0.0.1:9",
	[SERVICE_LENGTH_ECHO] = "tcp://127.0.0.1:4000",
};

static const uint16_t tcp_ports[SERVICES] = { 8080, 7, 9, 4000 };

struct run {
	struct sim *sim;
	uint64_t seed;
	struct rollcall_server *server;
	struct callback_oracle callbacks;
	struct checked_service tcp_services[SERVICES], udp_service;
	struct rollcall_service length_echo;
	struct tcp_client tcp_clients[TCP_CLIENTS_MAX];
	unsigned tcp_clients_count;
	struct udp_client udp_clients[UDP_CLIENTS_MAX];
	unsigned udp_clients_count;
	uint64_t stop_ns; /* UINT64_MAX: when all are done, and a while later */
	uint64_t quiet_ns, done_ns;
	uint64_t stop_again_ns;
	struct spoofer spoofer;
	struct udp_oracle udp_oracle;
	bool stopping; /* a stop was requested */
	bool stopped;
	bool long_drain;  /* the drain has time enough for every client that reads */
	bool stops_twice; /* and a second stop cuts it short */
	bool lossless;	  /* no fault can lose a datagram */
	bool is_short;	  /* one operation fails */
	bool scarce;	  /* queues have as little memory as can be: answers may be refused */
	unsigned places;  /* for TCP clients: the least that the server may lower their limit to */
	unsigned resets;  /* TCP clients reset for lack of memory */
};

static struct address address_of(uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.v4.sin_port = htons(port);
	return address;
}

/* Whether the drain has the time to receive and answer everything. */
static bool has_drain_time(const struct run *run)
{
	return run->long_drain && !run->stops_twice;
}

/* Whether there is a place for each TCP client that is connected, if none of the others leaves. */
static bool has_places(const struct run *run)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };
	uint64_t count;

	CHECK(rollcall_get_stats(run->server, &stats) == 0);
	count = stats.tcp_clients_now;
	for (unsigned i = 0; i < run->tcp_clients_count; i++)
		count += !run->tcp_clients[i].done && run->tcp_clients[i].connection;
	return has_drain_time(run) && count <= run->places;
}

static void stop(struct rollcall_server *server, void *context)
{
	struct run *run = context;
	const bool places = has_places(run);

	/* A second stop ends it at once, and so does a short drain: no answer must arrive then. */
	for (unsigned i = 0; i < run->tcp_clients_count; i++)
		if (run->long_drain && !run->stopped)
			tcp_client_note_stop(&run->tcp_clients[i], places);
		else
			run->tcp_clients[i].owed = 0;
	run->stopped = run->udp_oracle.stopping = true;
	/* A server with enough time for the drain receives all that is queued. */
	if (!has_drain_time(run))
		udp_oracle_close(&run->udp_oracle);
	udp_oracle_check_idle(&run->udp_oracle);
	rollcall_stop(server);
}

/*
 * The operator: stops the server when all clients are done, or midway, sometimes twice.
 */
static uint64_t operate(struct run *run, bool all_done)
{
	const uint64_t now_ns = sim_now_ns(run->sim);

	if (all_done && run->done_ns == UINT64_MAX)
		run->done_ns = now_ns + run->quiet_ns;
	if (!run->stopping && (now_ns >= run->done_ns || now_ns >= run->stop_ns)) {
		run->stopping = true;
		CHECK(rollcall_post(run->server, stop, run) == 0);
	}
	if (run->stopping && now_ns >= run->stop_again_ns) {
		run->stop_again_ns = UINT64_MAX;
		CHECK(rollcall_post(run->server, stop, run) == 0);
	}
	if (now_ns > LONGEST_NS)
		sim_fail(run->sim, "some clients were not served in time");
	if (run->stopping)
		return run->stop_again_ns;
	return run->done_ns < run->stop_ns ? run->done_ns : run->stop_ns;
}

static uint64_t run_clients(void *context)
{
	struct run *run = context;
	uint64_t next_ns = UINT64_MAX, one_ns;
	bool all_done = true;

	for (unsigned i = 0; i < run->tcp_clients_count; i++) {
		one_ns = tcp_client_act(&run->tcp_clients[i], run->stopping);
		next_ns = one_ns < next_ns ? one_ns : next_ns;
		all_done &= run->tcp_clients[i].done || run->tcp_clients[i].ending == ENDING_NEVER;
	}
	for (unsigned i = 0; i < run->udp_clients_count; i++) {
		one_ns = udp_client_act(&run->udp_clients[i]);
		next_ns = one_ns < next_ns ? one_ns : next_ns;
		all_done &= run->udp_clients[i].done;
	}
	one_ns = spoofer_act(&run->spoofer);
	next_ns = one_ns < next_ns ? one_ns : next_ns;
	one_ns = operate(run, all_done);
	return one_ns < next_ns ? one_ns : next_ns;
}

static void arrival(void *context, const struct address *from, const struct address *to,
		    const void *data, size_t bytes)
{
	struct run *run = context;

	for (unsigned i = 0; i < run->udp_clients_count; i++)
		if (address_equal(&run->udp_clients[i].own, to)) {
			udp_client_receive(&run->udp_clients[i], from, data, bytes);
			return;
		}
	if (!spoofer_has_forged(&run->spoofer, to))
		sim_fail(run->sim, "a datagram to an address without a client");
}

static void received(void *context, const struct sim_received *what)
{
	udp_oracle_received(&((struct run *)context)->udp_oracle, what);
}

static void sent(void *context, const struct address *from, const struct address *to,
		 const void *data, size_t bytes)
{
	udp_oracle_sent(&((struct run *)context)->udp_oracle, from, to, data, bytes);
}

/* Limits for datagrams, some of which make that they are dropped. */
static void set_limits(struct run *run, struct rollcall_options *options)
{
	struct sim *sim = run->sim;

	options->udp_sequence = (enum rollcall_udp_sequence)sim_random(sim, 3);
	if (sim_random(sim, 6) == 0)
		options->udp_rate = 5 + sim_random(sim, 200);
	if (sim_random(sim, 4) == 0)
		options->udp_clients_per_source_max = 1 + sim_random(sim, 3);
	if (sim_random(sim, 4) == 0)
		options->udp_receive_buffer_bytes = 2048u << sim_random(sim, 4);
	run->udp_service.service.stateless = sim_random(sim, 4);
}

static int make_server(struct run *run)
{
	struct sim *sim = run->sim;
	struct rollcall_options options;
	int error;

	rollcall_options_defaults(&options);
	options.tcp_clients_max = 1 + sim_random(sim, 2 * TCP_CLIENTS_MAX);
	options.udp_clients_max = 1 + sim_random(sim, 2 * UDP_CLIENTS_MAX);
	run->places = options.tcp_clients_max / 2;
	options.send_queue_bytes = 4096u << sim_random(sim, 6);
	if (run->scarce) {
		options.memory_bytes_max = 1 << 20;
		options.send_queue_bytes = 4096u << (sim_random(sim, 2) * 8);
		options.send_queue_bytes_max = options.send_queue_bytes + sim_random(sim, 8192);
	}
	/* No client pauses that long, but some never close, and others wait for their places. */
	options.tcp_idle_timeout_ms = 60000;
	options.send_timeout_ms = 10000 + sim_random(sim, 60000);
	options.udp_idle_timeout_ms = 100u << sim_random(sim, 10);
	set_limits(run, &options);
	run->long_drain = sim_random(sim, 4);
	options.drain_timeout_ms = run->long_drain ? 7200000 : sim_random(sim, 100);
	/* The limit of descriptors may lower that of clients, but never below half of it. */
	run->callbacks.rising_below = options.udp_clients_max;
	error = rollcall_create(&run->server, &options);
	if (!error)
		udp_oracle_begin(&run->udp_oracle, sim, run->server, &options,
				 run->udp_service.service.stateless);
	for (int service = 0; service < SERVICES && !error; service++)
		error = rollcall_listen(run->server, tcp_names[service],
					&run->tcp_services[service].service,
					&run->tcp_services[service]);
	if (!error)
		error = rollcall_listen(run->server, "udp://127.0.0.1:7070",
					&run->udp_service.service, &run->udp_service);
	if (!error)
		error = rollcall_listen(run->server, "udp://*:7071", &run->udp_service.service,
					&run->udp_service);
	return error;
}

static void make_services(struct run *run)
{
	const size_t longest = run->scarce ? 4000 : 100 + sim_random(run->sim, 4000);

	run->length_echo = echo_service;
	run->length_echo.framing = ROLLCALL_FRAMING_LENGTH;
	checked_service_make(&run->tcp_services[SERVICE_REPLY], &run->callbacks, &reply_service,
			     longest);
	checked_service_make(&run->tcp_services[SERVICE_ECHO], &run->callbacks, &echo_service,
			     longest);
	checked_service_make(&run->tcp_services[SERVICE_DISCARD], &run->callbacks, &discard_service,
			     longest);
	checked_service_make(&run->tcp_services[SERVICE_LENGTH_ECHO], &run->callbacks,
			     &run->length_echo, longest);
	checked_service_make(&run->udp_service, &run->callbacks, &reply_service, 0);
}

static void make_tcp_clients(struct run *run)
{
	struct sim *sim = run->sim;

	/* In some runs all clients act at the same times: bursts. */
	const uint32_t tick_ns = sim_random(sim, 3) ? 1 : 20000000;

	run->tcp_clients_count =
		run->is_short ? FAILURE_TCP_CLIENTS : sim_random(sim, TCP_CLIENTS_MAX + 1);
	for (unsigned i = 0; i < run->tcp_clients_count; i++) {
		const unsigned one = run->is_short ? i % SERVICES : sim_random(sim, SERVICES);
		struct address to = address_of(tcp_ports[one]);

		tcp_client_make(&run->tcp_clients[i], sim, &to, (enum tcp_client_service)one,
				run->tcp_services[one].service.message_bytes_max, tick_ns);
		if (run->scarce)
			tcp_client_read_late(&run->tcp_clients[i], &run->resets);
	}
}

static void make_udp_clients(struct run *run)
{
	struct sim *sim = run->sim;

	run->udp_clients_count =
		run->is_short ? FAILURE_UDP_CLIENTS : sim_random(sim, UDP_CLIENTS_MAX + 1);
	for (unsigned i = 0; i < run->udp_clients_count; i++) {
		struct address to = address_of(i % 2 ? 7070 : 7071);

		/* The wildcard endpoint receives at several addresses. */
		if (i % 2 == 0)
			to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
		udp_client_make(&run->udp_clients[i], sim, i, &to);
		if (run->is_short)
			run->udp_clients[i].datagrams = FAILURE_DATAGRAMS;
		if (run->udp_oracle.options.udp_sequence == ROLLCALL_SEQUENCE_RTP ||
		    (run->udp_oracle.options.udp_sequence && sim_random(sim, 2)))
			udp_client_number_datagrams(&run->udp_clients[i]);
	}
}

static void make_clients(struct run *run)
{
	struct sim *sim = run->sim;

	make_tcp_clients(run);
	make_udp_clients(run);
	spoofer_make(&run->spoofer, sim);
	run->stop_ns =
		sim_random(sim, 2) ? UINT64_MAX : sim_now_ns(sim) + sim_random(sim, 4000000000u);
	/* Until then a connection that was reset must be noticed, though nothing else happens. */
	run->quiet_ns = sim_random(sim, 2) ? QUIET_NS : 0;
	run->done_ns = run->stop_again_ns = UINT64_MAX;
	run->stops_twice = run->stop_ns != UINT64_MAX && sim_random(sim, 4) == 0;
	if (run->stops_twice)
		run->stop_again_ns = run->stop_ns + sim_random(sim, 10000000);
}

static void add_up(struct run_totals *totals, struct run *run)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };
	uint64_t *to = (uint64_t *)&totals->stats, *from = (uint64_t *)&stats;
	uint64_t aborted;

	CHECK(rollcall_get_stats(run->server, &stats) == 0);
	for (size_t i = 1; i < sizeof(stats) / sizeof(*to); i++)
		to[i] += from[i];
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		totals->fired[fault] += sim_fired(run->sim)[fault];
	for (int opcode = 0; opcode < SIM_OPCODES; opcode++)
		for (int error = 0; error < SIM_ERRORS; error++)
			totals->ended[opcode][error] += (*sim_ended(run->sim))[opcode][error];
	for (int reason = 0; reason < SIM_ERRORS; reason++)
		totals->reasons[reason] += run->callbacks.reasons[reason];
	totals->simulated_ns += sim_now_ns(run->sim);
	totals->returned += run->udp_oracle.returned;
	if (sim_longest_wait(run->sim) > totals->longest_wait) {
		totals->longest_wait = sim_longest_wait(run->sim);
		totals->longest_wait_seed = run->seed;
	}
	/* Each reset is of a client that the service or the server closed for lack of memory. */
	aborted = run->callbacks.reasons[ECONNABORTED] + run->callbacks.reasons[ENOBUFS] +
		  run->callbacks.reasons[ENOSPC];
	if (run->resets > aborted)
		sim_fail(run->sim, "%u TCP clients were reset, but %u aborted", run->resets,
			 (unsigned)aborted);
}

/* Whether the server or a socket had to drop datagrams of the UDP clients. */
static bool has_dropped(const struct run *run)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };

	CHECK(rollcall_get_stats(run->server, &stats) == 0);
	return stats.udp_dropped_full || stats.udp_dropped_source_full || stats.udp_dropped_rate ||
	       stats.udp_sends_dropped || sim_fired(run->sim)[SIM_UDP_BUFFER_FULL];
}

/* Creates the server, runs it, and checks its end. Without memory it may fail to be created. */
static void run_server(struct run *run, struct run_totals *totals)
{
	int error;

	sim_enter_server(run->sim);
	error = make_server(run);
	sim_leave_server(run->sim);
	if (error && !(error == -ENOMEM && sim_has_failed(run->sim)))
		sim_fail(run->sim, "rollcall_create() failed: %s", describe_error(-error));
	if (!error) {
		make_clients(run);
		error = rollcall_run(run->server);
		if (error)
			sim_fail(run->sim, "rollcall_run() failed: %s", describe_error(-error));
		callback_oracle_end(&run->callbacks);
		udp_oracle_close(&run->udp_oracle);
		udp_oracle_check_answers(&run->udp_oracle);
		for (unsigned i = 0; i < run->udp_clients_count; i++)
			if (run->lossless && run->stop_ns == UINT64_MAX && !has_dropped(run))
				udp_client_check_all_answered(&run->udp_clients[i]);
		add_up(totals, run);
	}
	sim_leave_server(run->sim);
	rollcall_destroy(run->server);
}

/* Returns whether the failure that the settings ask for has happened. */
static bool run_simulation(const struct sim_settings *settings, struct run_totals *totals)
{
	struct run *run = calloc(1, sizeof(*run));
	bool failed;

	CHECK(run);
	run->sim = sim_begin(settings, run_clients, run);
	run->seed = settings->seed;
	run->is_short = settings->failure.nth > 0;
	run->callbacks.sim = run->sim;
	run->lossless = run_settings_are_lossless(settings);
	run->scarce = !run->is_short && sim_random(run->sim, 4) == 0;
	run->callbacks.udp = &run->udp_oracle;
	/* No client exists yet. */
	run->spoofer = (struct spoofer){ run->sim, UINT64_MAX, UINT64_MAX, 0 };
	sim_on_datagram(run->sim, arrival);
	sim_set_tap(run->sim, &(struct sim_tap){ received, sent });
	make_services(run);
	run_server(run, totals);
	for (unsigned i = 0; i < run->tcp_clients_count; i++)
		tcp_client_free(&run->tcp_clients[i]);
	failed = sim_has_failed(run->sim);
	udp_oracle_end(&run->udp_oracle);
	sim_end(run->sim);
	free(run);
	return failed;
}

void run_seed(uint64_t seed, bool trace, struct run_totals *totals)
{
	const struct sim_settings settings = run_settings_of_seed(seed, trace);
	enum crowd kind;

	if (crowd_run_is(seed, &kind))
		crowd_run_seed(seed, trace, &totals->crowds);
	else
		run_simulation(&settings, totals);
}

bool run_with_failure(const struct sim_failure *failure, bool trace, struct run_totals *totals)
{
	const struct sim_settings settings = run_settings_of_failure(failure, trace);

	return run_simulation(&settings, totals);
}
