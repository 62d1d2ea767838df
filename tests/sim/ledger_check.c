/* SPDX-License-Identifier: MIT */
/*
 * ledger_check.c - the server's counters against the ledger.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/base.h"
#include "sim/counter.h"
#include "sim/ledger.h"

/* One that has sent little is forgotten after so long. */
#define NEW_TIMEOUT_MS 10000

/* So many sends may be under way; and memory is taken in blocks. */
#define SLOTS 4096
#define BLOCK_BYTES 4096

struct rollcall_client_info ledger_ask(const struct ledger *ledger, rollcall_client id)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	if (rollcall_client_get_info(ledger->server, id, &info))
		sim_fail(ledger->sim, "client %" PRIu64 " is not known", id);
	return info;
}

static void compare(const struct ledger *ledger, const char *what, uint64_t server, uint64_t ours)
{
	if (server != ours)
		sim_fail(ledger->sim, "%s: %" PRIu64 " for the server, but %" PRIu64 " in truth",
			 what, server, ours);
}

/* The server's counters of a client. */
static void check_client(const struct ledger *ledger, const struct ledger_client *client,
			 const struct rollcall_client_info *info)
{
	const struct numbers *numbers = client->numbers;
	const struct rollcall_sequence *said = &info->sequence;

	compare(ledger, "messages received", info->messages_received, client->delivered);
	compare(ledger, "whether it has numbers", info->has_sequence, numbers != NULL);
	if (!numbers)
		return;
	compare(ledger, "SSRC", said->ssrc, client->key.ssrc);
	compare(ledger, "received", said->received, numbers->received);
	compare(ledger, "expected", said->expected, numbers_expected(numbers));
	compare(ledger, "lost", said->lost, numbers_lost(numbers));
	compare(ledger, "duplicates", said->duplicates, numbers->duplicates);
	compare(ledger, "reordered", said->reordered, numbers->reordered);
	compare(ledger, "late", said->late, numbers->late);
	compare(ledger, "restarts", said->restarts, numbers->restarts);
}

static uint64_t limit_of(const struct ledger *ledger, const struct ledger_client *client)
{
	const uint64_t timeout_ms = ledger->options.udp_idle_timeout_ms;

	return client->active ? timeout_ms : min_u64(timeout_ms, NEW_TIMEOUT_MS);
}

void ledger_check_idle(const struct ledger *ledger)
{
	/* A client's time begins again when its endpoint cannot receive. */
	if (sim_fired(ledger->sim)[SIM_UDP_RECEIVE_ERROR] > 0)
		return;
	for (unsigned i = 0; i < ledger->count; i++) {
		const struct ledger_client *client = &ledger->clients[i];
		const uint64_t limit_ms = limit_of(ledger, client);
		uint64_t due_ns = client->last_ns + (limit_ms + limit_ms / 16) * 1000000;

		/* A sixteenth late, and turns may be late too, or the process. */
		if (due_ns < sim_resumed_ns(ledger->sim))
			due_ns = sim_resumed_ns(ledger->sim);
		if (!client->gone && ledger_ask(ledger, client->id).address_bytes &&
		    sim_now_ns(ledger->sim) > due_ns + 100000000)
			sim_fail(ledger->sim, "UDP client %" PRIu64 " was not forgotten",
				 client->id);
	}
}

/* Why a client went, and what was said of it then. */
void ledger_check_gone(const struct ledger *ledger, const struct ledger_client *client)
{
	const uint64_t limit_ms = limit_of(ledger, client);

	if (ledger->closed)
		return;
	check_client(ledger, client, &client->info);
	if (client->reason == -ENOSPC && client->active)
		sim_fail(ledger->sim, "client %" PRIu64 " was active, but made room for another",
			 client->id);
	if (client->reason == -ETIME && client->gone_ns - client->last_ns < limit_ms * 1000000)
		sim_fail(ledger->sim,
			 "client %" PRIu64 " was forgotten after %" PRIu64 " us, not %" PRIu64
			 " ms",
			 client->id, (client->gone_ns - client->last_ns) / 1000, limit_ms);
	/* With limits of rates some of what waits would be dropped. */
	if (client->reason == -ETIME && !client->numbers && ledger->options.udp_rate == 0 &&
	    !ledger->stopping &&
	    sim_waiting_since_ns(ledger->sim, &client->key.from, &client->key.to) <
		    client->last_ns + limit_ms * 1000000)
		sim_fail(ledger->sim, "client %" PRIu64 " was forgotten, but had sent in time",
			 client->id);
	if (client->reason != -ENOSPC && client->reason != -ETIME && client->reason != -ESHUTDOWN)
		sim_fail(ledger->sim, "client %" PRIu64 " is gone: %d", client->id, client->reason);
}

static void add_up(const struct ledger *ledger, struct rollcall_stats *stats)
{
	stats->udp_clients = ledger->count;
	stats->udp_clients_now = ledger->count - ledger->gone;
	stats->udp_dropped_kernel = sim_dropped(ledger->sim);
	for (unsigned i = 0; i < ledger->count; i++) {
		const struct numbers *numbers = ledger->clients[i].numbers;

		if (!numbers)
			continue;
		stats->sequence_received += numbers->received;
		stats->sequence_expected += numbers_expected(numbers);
		stats->sequence_lost += numbers_lost(numbers);
		stats->sequence_duplicates += numbers->duplicates;
		stats->sequence_reordered += numbers->reordered;
		stats->sequence_late += numbers->late;
		stats->sequence_restarts += numbers->restarts;
	}
}

void ledger_check_counters(const struct ledger *ledger)
{
	static const struct counter counters[] = {
		COUNTER(udp_clients),
		COUNTER(udp_clients_now),
		COUNTER(udp_dropped_kernel),
		COUNTER(udp_batches_received),
		COUNTER(udp_dropped_rate),
		COUNTER(udp_dropped_no_port),
		COUNTER(udp_dropped_low_port),
		COUNTER(udp_dropped_own_source),
		COUNTER(udp_dropped_bad_source),
		COUNTER(udp_dropped_loop),
		COUNTER(udp_dropped_truncated),
		COUNTER(udp_dropped_malformed),
		COUNTER(udp_unlisted),
		COUNTER(udp_evictions),
		COUNTER(sequence_received),
		COUNTER(sequence_expected),
		COUNTER(sequence_lost),
		COUNTER(sequence_duplicates),
		COUNTER(sequence_reordered),
		COUNTER(sequence_late),
		COUNTER(sequence_restarts),
	};
	struct rollcall_stats said = { .size = sizeof(said) }, truth = ledger->expected;

	for (unsigned i = 0; i < ledger->count; i++)
		if (!ledger->clients[i].gone) {
			const struct rollcall_client_info info =
				ledger_ask(ledger, ledger->clients[i].id);

			check_client(ledger, &ledger->clients[i], &info);
		}
	CHECK(rollcall_get_stats(ledger->server, &said) == 0);
	add_up(ledger, &truth);
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		compare(ledger, counters[i].name, counter_value(&counters[i], &said),
			counter_value(&counters[i], &truth));
	compare(ledger, "datagrams without a place",
		said.udp_dropped_full + said.udp_dropped_source_full, ledger->no_place);
}

/* The clients of a source; those that are closing make room for others of it. */
static unsigned count_clients(const struct ledger *ledger, const struct address *source)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ledger->count; i++) {
		const struct ledger_client *client = &ledger->clients[i];

		count += !client->gone && address_same_host(&client->key.from, source) &&
			 ledger_ask(ledger, client->id).address_bytes > 0;
	}
	return count;
}

bool ledger_has_room(const struct ledger *ledger, const struct address *source)
{
	return ledger->count - ledger->gone < ledger->options.udp_clients_max &&
	       count_clients(ledger, source) < ledger->options.udp_clients_per_source_max;
}

void ledger_check_limits(const struct ledger *ledger, const struct address *source)
{
	if (ledger->count - ledger->gone > ledger->options.udp_clients_max)
		sim_fail(ledger->sim, "there are too many clients");
	if (count_clients(ledger, source) > ledger->options.udp_clients_per_source_max)
		sim_fail(ledger->sim, "there are too many clients of one source");
}

void ledger_check_drops(struct ledger *ledger)
{
	struct rollcall_stats said = { .size = sizeof(said) };
	uint64_t under_way;

	CHECK(rollcall_get_stats(ledger->server, &said) == 0);
	/* Those for which a socket had no room need no other reason. */
	if (said.udp_sends_dropped <= ledger->dropped + sim_refused(ledger->sim))
		return;
	ledger->dropped = said.udp_sends_dropped - sim_refused(ledger->sim);
	under_way = ledger->asked - ledger->left - said.udp_send_errors - said.udp_sends_dropped;
	/* Those whose completions were not taken yet have left, but have their slots still. */
	if (under_way < SLOTS / 2 &&
	    said.memory_bytes_now + 2 * BLOCK_BYTES < ledger->options.memory_bytes_max)
		sim_fail(ledger->sim, "an answer was dropped, with %" PRIu64 " under way",
			 under_way);
}

void ledger_check_answers(const struct ledger *ledger)
{
	struct rollcall_stats said = { .size = sizeof(said) };

	CHECK(rollcall_get_stats(ledger->server, &said) == 0);
	if (ledger->asked != ledger->left + said.udp_send_errors + said.udp_sends_dropped)
		sim_fail(ledger->sim,
			 "%" PRIu64 " answers are owed, %" PRIu64 " left, %" PRIu64 " failed, "
			 "%" PRIu64 " were dropped",
			 ledger->asked, ledger->left, said.udp_send_errors, said.udp_sends_dropped);
}
