/* SPDX-License-Identifier: MIT */
/*
 * udp_oracle_check.c - compares the server's counters with the oracle's.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/base.h"
#include "lib/describe.h"
#include "sim/stats_field.h"
#include "sim/udp_oracle.h"

/* Idle timeout of a new client while places are short. */
#define NEW_TIMEOUT_MS 10000

/* Evidence that a client receives answers. */
#define EVIDENCE_ROUNDS 3

/* Send slots; and memory is allocated in blocks. */
#define SLOTS 4096
#define BLOCK_BYTES 4096

struct rollcall_client_info udp_oracle_client_info(const struct udp_oracle *oracle,
						   rollcall_client id)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	if (rollcall_client_get_info(oracle->server, id, &info))
		sim_fail(oracle->sim, "client %" PRIu64 " is not known", id);
	return info;
}

static void compare(const struct udp_oracle *oracle, const char *what, uint64_t server,
		    uint64_t ours)
{
	if (server != ours)
		sim_fail(oracle->sim, "%s: the server counts %" PRIu64 ", the oracle %" PRIu64,
			 what, server, ours);
}

/* The server's counters of a client. */
static void check_client(const struct udp_oracle *oracle, const struct udp_oracle_client *client,
			 const struct rollcall_client_info *info)
{
	const struct sequence_model *model = client->sequence;
	const struct rollcall_sequence *said = &info->sequence;

	compare(oracle, "messages received", info->messages_received, client->delivered);
	compare(oracle, "whether it has numbers", info->has_sequence, model != NULL);
	if (!model)
		return;
	compare(oracle, "SSRC", said->ssrc, client->key.ssrc);
	compare(oracle, "received", said->received, model->received);
	compare(oracle, "expected", said->expected, sequence_model_expected(model));
	compare(oracle, "lost", said->lost, sequence_model_lost(model));
	compare(oracle, "duplicates", said->duplicates, model->duplicates);
	compare(oracle, "reordered", said->reordered, model->reordered);
	compare(oracle, "late", said->late, model->late);
	compare(oracle, "restarts", said->restarts, model->restarts);
}

/* ---- Places ---- */

/* A client that is closing has no address any more. */
static bool is_open(const struct udp_oracle *oracle, const struct udp_oracle_client *client)
{
	return !client->gone && udp_oracle_client_info(oracle, client->id).address_bytes > 0;
}

/* Of the places, those that active clients may have: three quarters. */
static unsigned active_max(const struct udp_oracle *oracle)
{
	const unsigned places = oracle->options.udp_clients_max;

	return places - (places + 3) / 4;
}

static unsigned count_open(const struct udp_oracle *oracle)
{
	unsigned count = 0;

	for (unsigned i = 0; i < oracle->count; i++)
		count += is_open(oracle, &oracle->clients[i]);
	return count;
}

void udp_oracle_activate(const struct udp_oracle *oracle, struct udp_oracle_client *client)
{
	unsigned active = 0;

	if (client->active || client->rounds < EVIDENCE_ROUNDS)
		return;
	for (unsigned i = 0; i < oracle->count; i++)
		active += oracle->clients[i].active && is_open(oracle, &oracle->clients[i]);
	client->active = active < active_max(oracle);
}

static bool are_places_short(const struct udp_oracle *oracle)
{
	return oracle->count - oracle->gone > active_max(oracle);
}

void udp_oracle_note_change(struct udp_oracle *oracle)
{
	oracle->changed_ns = sim_now_ns(oracle->sim);
	if (are_places_short(oracle))
		oracle->short_ns = oracle->changed_ns;
}

/* The idle timeout of a client, if places are short. */
static uint64_t short_limit_of(const struct udp_oracle *oracle,
			       const struct udp_oracle_client *client)
{
	const uint64_t timeout_ms = oracle->options.udp_idle_timeout_ms;

	return client->active ? timeout_ms : min_u64(timeout_ms, NEW_TIMEOUT_MS);
}

/* The idle timeout of a client that is gone. */
static uint64_t limit_of(const struct udp_oracle *oracle, const struct udp_oracle_client *client)
{
	const uint64_t limit_ms = short_limit_of(oracle, client);

	return oracle->short_ns >= client->last_ns + limit_ms * 1000000
		       ? limit_ms
		       : oracle->options.udp_idle_timeout_ms;
}

/* By when a client must be forgotten. */
static uint64_t due_ns_of(const struct udp_oracle *oracle, const struct udp_oracle_client *client)
{
	const uint64_t limit_ms = oracle->options.udp_idle_timeout_ms;
	const uint64_t short_ms = short_limit_of(oracle, client);
	const uint64_t since_ns =
		client->last_ns > oracle->changed_ns ? client->last_ns : oracle->changed_ns;
	const uint64_t due_ns = client->last_ns + (limit_ms + limit_ms / 16) * 1000000;

	if (client->active || count_open(oracle) <= active_max(oracle))
		return due_ns;
	return min_u64(due_ns, since_ns + (short_ms + short_ms / 16) * 1000000);
}

void udp_oracle_check_idle(const struct udp_oracle *oracle)
{
	/* A client's time begins again when its endpoint cannot receive. */
	if (sim_fired(oracle->sim)[SIM_UDP_RECEIVE_ERROR] > 0)
		return;
	for (unsigned i = 0; i < oracle->count; i++) {
		const struct udp_oracle_client *client = &oracle->clients[i];
		uint64_t due_ns = due_ns_of(oracle, client);

		/* A sixteenth late, plus the time of late turns or a stopped process. */
		if (due_ns < sim_resumed_ns(oracle->sim))
			due_ns = sim_resumed_ns(oracle->sim);
		if (is_open(oracle, client) && sim_now_ns(oracle->sim) > due_ns + 100000000)
			sim_fail(oracle->sim, "UDP client %" PRIu64 " was not forgotten",
				 client->id);
	}
}

/* Why a client disconnected, and its counters at that time. */
void udp_oracle_check_gone(const struct udp_oracle *oracle, const struct udp_oracle_client *client)
{
	const uint64_t limit_ms = limit_of(oracle, client);

	if (oracle->closed)
		return;
	check_client(oracle, client, &client->info);
	if (client->reason == -ENOSPC && client->active)
		sim_fail(oracle->sim, "client %" PRIu64 " was active, but was evicted", client->id);
	if (client->reason == -ETIME && client->gone_ns - client->last_ns < limit_ms * 1000000)
		sim_fail(oracle->sim,
			 "client %" PRIu64 " was forgotten after %" PRIu64 " us, not %" PRIu64
			 " ms",
			 client->id, (client->gone_ns - client->last_ns) / 1000, limit_ms);
	/* With a rate limit a datagram in the socket might be dropped. */
	if (client->reason == -ETIME && !client->sequence && oracle->options.udp_rate == 0 &&
	    !oracle->stopping &&
	    sim_waiting_since_ns(oracle->sim, &client->key.from, &client->key.to) <
		    client->last_ns + limit_ms * 1000000)
		sim_fail(oracle->sim, "client %" PRIu64 " was forgotten, but had sent in time",
			 client->id);
	if (client->reason != -ENOSPC && client->reason != -ETIME && client->reason != -ESHUTDOWN)
		sim_fail(oracle->sim, "client %" PRIu64 " has disconnected: %s", client->id,
			 describe_error(-client->reason));
}

static void add_up(const struct udp_oracle *oracle, struct rollcall_stats *stats)
{
	stats->udp_clients = oracle->count;
	stats->udp_clients_now = oracle->count - oracle->gone;
	stats->udp_dropped_kernel = sim_dropped(oracle->sim);
	for (unsigned i = 0; i < oracle->count; i++) {
		const struct sequence_model *model = oracle->clients[i].sequence;

		if (!model)
			continue;
		stats->sequence_received += model->received;
		stats->sequence_expected += sequence_model_expected(model);
		stats->sequence_lost += sequence_model_lost(model);
		stats->sequence_duplicates += model->duplicates;
		stats->sequence_reordered += model->reordered;
		stats->sequence_late += model->late;
		stats->sequence_restarts += model->restarts;
	}
}

void udp_oracle_check_counters(const struct udp_oracle *oracle)
{
	static const struct stats_field counters[] = {
		STATS_FIELD(udp_clients),
		STATS_FIELD(udp_clients_now),
		STATS_FIELD(udp_dropped_kernel),
		STATS_FIELD(udp_batches_received),
		STATS_FIELD(udp_dropped_rate),
		STATS_FIELD(udp_dropped_no_port),
		STATS_FIELD(udp_dropped_low_port),
		STATS_FIELD(udp_dropped_own_source),
		STATS_FIELD(udp_dropped_bad_source),
		STATS_FIELD(udp_dropped_loop),
		STATS_FIELD(udp_dropped_truncated),
		STATS_FIELD(udp_dropped_malformed),
		STATS_FIELD(udp_unlisted),
		STATS_FIELD(udp_evictions),
		STATS_FIELD(sequence_received),
		STATS_FIELD(sequence_expected),
		STATS_FIELD(sequence_lost),
		STATS_FIELD(sequence_duplicates),
		STATS_FIELD(sequence_reordered),
		STATS_FIELD(sequence_late),
		STATS_FIELD(sequence_restarts),
	};
	struct rollcall_stats said = { .size = sizeof(said) }, truth = oracle->expected;

	for (unsigned i = 0; i < oracle->count; i++)
		if (!oracle->clients[i].gone) {
			const struct rollcall_client_info info =
				udp_oracle_client_info(oracle, oracle->clients[i].id);

			check_client(oracle, &oracle->clients[i], &info);
		}
	CHECK(rollcall_get_stats(oracle->server, &said) == 0);
	add_up(oracle, &truth);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		compare(oracle, counters[i].name, stats_field_value(&counters[i], &said),
			stats_field_value(&counters[i], &truth));
	compare(oracle, "datagrams dropped by a full table",
		said.udp_dropped_full + said.udp_dropped_source_full, oracle->dropped_full);
}

/* The clients of a source, without those that are closing. */
static unsigned count_clients(const struct udp_oracle *oracle, const struct address *source)
{
	unsigned count = 0;

	for (unsigned i = 0; i < oracle->count; i++) {
		const struct udp_oracle_client *client = &oracle->clients[i];

		count += address_same_host(&client->key.from, source) && is_open(oracle, client);
	}
	return count;
}

bool udp_oracle_has_space(const struct udp_oracle *oracle, const struct address *source)
{
	return oracle->count - oracle->gone < oracle->options.udp_clients_max &&
	       count_clients(oracle, source) < oracle->options.udp_clients_per_source_max;
}

void udp_oracle_check_limits(const struct udp_oracle *oracle, const struct address *source)
{
	if (oracle->count - oracle->gone > oracle->options.udp_clients_max)
		sim_fail(oracle->sim, "there are too many clients");
	if (count_clients(oracle, source) > oracle->options.udp_clients_per_source_max)
		sim_fail(oracle->sim, "there are too many clients of one source");
}

void udp_oracle_check_drops(struct udp_oracle *oracle)
{
	struct rollcall_stats said = { .size = sizeof(said) };
	uint64_t in_flight;

	CHECK(rollcall_get_stats(oracle->server, &said) == 0);
	/* A full socket is a reason. */
	if (said.udp_sends_dropped <= oracle->answers_dropped + sim_refused(oracle->sim))
		return;
	oracle->answers_dropped = said.udp_sends_dropped - sim_refused(oracle->sim);
	in_flight = oracle->answers_expected - oracle->answers_sent - said.udp_send_errors -
		    said.udp_sends_dropped;
	/* Sends without a completion yet still have their slots. */
	if (in_flight < SLOTS / 2 &&
	    said.memory_bytes_now + 2 * BLOCK_BYTES < oracle->options.memory_bytes_max)
		sim_fail(oracle->sim, "an answer was dropped, with %" PRIu64 " in flight",
			 in_flight);
}

void udp_oracle_check_answers(const struct udp_oracle *oracle)
{
	struct rollcall_stats said = { .size = sizeof(said) };

	CHECK(rollcall_get_stats(oracle->server, &said) == 0);
	if (oracle->answers_expected !=
	    oracle->answers_sent + said.udp_send_errors + said.udp_sends_dropped)
		sim_fail(oracle->sim,
			 "%" PRIu64 " answers are expected, %" PRIu64 " were sent, %" PRIu64
			 " failed, "
			 "%" PRIu64 " were dropped",
			 oracle->answers_expected, oracle->answers_sent, said.udp_send_errors,
			 said.udp_sends_dropped);
}
