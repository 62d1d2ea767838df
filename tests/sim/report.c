/* SPDX-License-Identifier: MIT */
#include "sim/report.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>

#include "sim/counter.h"

/*
 * What each operation must have ended with in many runs: each is a branch of the server's error
 * handling.
 */
static const struct {
	const char *name;
	int opcode;
	int errors[12];
} operations[] = {
	{ "accept",
	  IORING_OP_ACCEPT,
	  { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, ECANCELED } },
	{ "recv", IORING_OP_RECV, { ENOBUFS, ENOMEM, ECONNRESET, EAGAIN, ECANCELED } },
	{ "send", IORING_OP_SEND, { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EAGAIN, ECANCELED } },
	{ "sendmsg", IORING_OP_SENDMSG, { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EAGAIN, ECANCELED } },
	{ "recvmsg", IORING_OP_RECVMSG, { ENOBUFS, ENOMEM, EAGAIN, ECANCELED } },
	{ "read", IORING_OP_READ, { 0 } },
	{ "cancel", IORING_OP_ASYNC_CANCEL, { ENOENT, EALREADY } },
	{ "close", IORING_OP_CLOSE, { 0 } },
};

/* Counters of the server that must have moved. */
static const struct counter counters[] = {
	COUNTER(turns),
	COUNTER(completions),
	COUNTER(tcp_clients),
	COUNTER(udp_clients),
	COUNTER(messages_received),
	COUNTER(messages_sent),
	COUNTER(bytes_received),
	COUNTER(bytes_sent),
	COUNTER(bytes_copied),
	COUNTER(accepts_suspended),
	COUNTER(receive_pauses),
	COUNTER(sends_refused),
	COUNTER(buffers_exhausted),
	COUNTER(udp_unlisted),
	COUNTER(udp_evictions),
	COUNTER(udp_dropped_kernel),
	COUNTER(udp_batches_received),
	COUNTER(udp_batches_sent),
	COUNTER(udp_dropped_own_source),
	COUNTER(udp_dropped_loop),
	COUNTER(udp_dropped_low_port),
	COUNTER(udp_dropped_bad_source),
	COUNTER(udp_dropped_truncated),
	COUNTER(udp_send_errors),
	COUNTER(udp_sends_dropped),
	COUNTER(udp_dropped_full),
	COUNTER(udp_dropped_source_full),
	COUNTER(udp_dropped_rate),
	COUNTER(udp_dropped_no_port),
	COUNTER(udp_dropped_malformed),
	COUNTER(sequence_received),
	COUNTER(sequence_expected),
	COUNTER(sequence_lost),
	COUNTER(sequence_duplicates),
	COUNTER(sequence_reordered),
	COUNTER(sequence_late),
	COUNTER(sequence_restarts),
	COUNTER(tcp_resets_found),
};

static bool print_count(const char *name, uint64_t count)
{
	printf("  %-40s %12" PRIu64 "%s\n", name, count, count ? "" : "  NEVER");
	return count > 0;
}

static bool print_operation(size_t index, const uint64_t ended[SIM_ERRORS])
{
	const int *errors = operations[index].errors;
	bool complete = ended[0] > 0;

	printf("  %-8s %" PRIu64 " good", operations[index].name, ended[0]);
	for (int error = 1; error < SIM_ERRORS; error++)
		if (ended[error])
			printf(", %s %" PRIu64, strerrorname_np(error), ended[error]);
	for (int i = 0; errors[i]; i++) {
		if (ended[errors[i]] == 0)
			printf(", %s NEVER", strerrorname_np(errors[i]));
		complete &= ended[errors[i]] > 0;
	}
	printf("\n");
	return complete;
}

bool report_print(const struct run_totals *totals)
{
	bool complete = true;

	printf("faults fired:\n");
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		complete &= print_count(sim_fault_names[fault], totals->fired[fault]);
	printf("operations ended:\n");
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		complete &= print_operation(i, totals->ended[operations[i].opcode]);
	printf("clients ended:\n");
	for (int reason = 0; reason < SIM_ERRORS; reason++)
		if (totals->reasons[reason])
			print_count(rollcall_reason_text(-reason), totals->reasons[reason]);
	complete &= print_count("addresses that came back", totals->returned);
	printf("counted by the server:\n");
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		complete &=
			print_count(counters[i].name, counter_value(&counters[i], &totals->stats));
	printf("the longest that anybody waited: %u turns, with seed %" PRIu64 "\n",
	       totals->longest_wait, totals->longest_wait_seed);
	return complete;
}
