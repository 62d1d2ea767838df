/* SPDX-License-Identifier: MIT */
#include "sim/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/describe.h"
#include "sim/results.h"
#include "sim/stats_field.h"

/* Counters of the server that must have moved. */
static const struct stats_field counters[] = {
	STATS_FIELD(turns),
	STATS_FIELD(completions),
	STATS_FIELD(tcp_clients),
	STATS_FIELD(udp_clients),
	STATS_FIELD(messages_received),
	STATS_FIELD(messages_sent),
	STATS_FIELD(bytes_received),
	STATS_FIELD(bytes_sent),
	STATS_FIELD(bytes_copied),
	STATS_FIELD(accepts_suspended),
	STATS_FIELD(receive_pauses),
	STATS_FIELD(sends_refused),
	STATS_FIELD(buffers_exhausted),
	STATS_FIELD(udp_unlisted),
	STATS_FIELD(udp_evictions),
	STATS_FIELD(udp_dropped_kernel),
	STATS_FIELD(udp_batches_received),
	STATS_FIELD(udp_batches_sent),
	STATS_FIELD(udp_dropped_own_source),
	STATS_FIELD(udp_dropped_loop),
	STATS_FIELD(udp_dropped_low_port),
	STATS_FIELD(udp_dropped_bad_source),
	STATS_FIELD(udp_dropped_truncated),
	STATS_FIELD(udp_send_errors),
	STATS_FIELD(udp_sends_dropped),
	STATS_FIELD(udp_dropped_full),
	STATS_FIELD(udp_dropped_source_full),
	STATS_FIELD(udp_dropped_rate),
	STATS_FIELD(udp_dropped_no_port),
	STATS_FIELD(udp_dropped_malformed),
	STATS_FIELD(sequence_received),
	STATS_FIELD(sequence_expected),
	STATS_FIELD(sequence_lost),
	STATS_FIELD(sequence_duplicates),
	STATS_FIELD(sequence_reordered),
	STATS_FIELD(sequence_late),
	STATS_FIELD(sequence_restarts),
	STATS_FIELD(tcp_resets_found),
};

static bool print_count(const char *name, uint64_t count)
{
	printf("  %-40s %12" PRIu64 "%s\n", name, count, count ? "" : "  NEVER");
	return count > 0;
}

static bool print_operation(size_t index, const uint64_t ended[SIM_ERRORS])
{
	const int *errors = results[index].expected;
	bool complete = ended[0] > 0;

	printf("  %-8s %" PRIu64 " good", describe_opcode(results[index].opcode), ended[0]);
	for (int error = 1; error < SIM_ERRORS; error++)
		if (ended[error])
			printf(", %s %" PRIu64, describe_error(error), ended[error]);
	for (int i = 0; errors[i]; i++) {
		if (ended[errors[i]] == 0)
			printf(", %s NEVER", describe_error(errors[i]));
		complete &= ended[errors[i]] > 0;
	}
	printf("\n");
	return complete;
}

static bool print_crowds(const struct crowd_totals *crowds)
{
	bool complete = true;

	for (int kind = 0; kind < CROWDS; kind++) {
		complete &= print_count(crowd_names[kind], crowds->runs[kind]);
		printf("    longest wait of a client beside them: %" PRIu64
		       " us, with seed %" PRIu64 "\n",
		       crowds->waited_ns[kind] / 1000, crowds->seed[kind]);
	}
	return complete;
}

bool report_print(const struct run_totals *totals)
{
	bool complete = true;

	printf("faults fired:\n");
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		complete &= print_count(sim_fault_names[fault], totals->fired[fault]);
	printf("operations ended:\n");
	for (size_t i = 0; i < RESULTS_COUNT; i++)
		if (results[i].opcode != SIM_ALLOCATION)
			complete &= print_operation(i, totals->ended[results[i].opcode]);
	printf("clients ended:\n");
	for (int reason = 0; reason < SIM_ERRORS; reason++)
		if (totals->reasons[reason])
			print_count(rollcall_reason_text(-reason), totals->reasons[reason]);
	complete &= print_count("addresses that came back", totals->returned);
	printf("counted by the server:\n");
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		complete &= print_count(counters[i].name,
					stats_field_value(&counters[i], &totals->stats));
	printf("runs with crowds:\n");
	complete &= print_crowds(&totals->crowds);
	printf("longest wait of a TCP client: %u turns, with seed %" PRIu64 "\n",
	       totals->longest_wait, totals->longest_wait_seed);
	return complete;
}
