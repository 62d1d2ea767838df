/* SPDX-License-Identifier: MIT */
#include "program/losses.h"

#include <inttypes.h>

static const struct {
	size_t offset;
	const char *text;
} reasons[] = {
#define FIELD(name) offsetof(struct rollcall_stats, name)
	{ FIELD(udp_full), "no place for one more client (--udp-max-clients)" },
	{ FIELD(udp_source_full),
	  "too many clients of one address (--udp-max-clients-per-source)" },
	{ FIELD(udp_rate), "too many from one address (--udp-rate)" },
	{ FIELD(udp_no_ports), "source port 0" },
	{ FIELD(udp_low_ports), "source port below 1024 (--udp-low-ports)" },
	{ FIELD(udp_own_sources), "an address of this server as the source" },
	{ FIELD(udp_bad_sources), "a broadcast or multicast source" },
	{ FIELD(udp_loops), "answers to answers" },
	{ FIELD(udp_truncated), "too large" },
	{ FIELD(udp_malformed), "no valid header of RTP (--udp-sequence)" },
	{ FIELD(udp_kernel_drops), "receive buffer of the socket full (--udp-receive-buffer)" },
	{ FIELD(udp_sends_dropped), "answers without room (--udp-send-buffer)" },
	{ FIELD(udp_send_errors), "answers that the kernel refused" },
#undef FIELD
};

void losses_say(struct diagnostics *diagnostics, const struct rollcall_stats *stats)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		const uint64_t count = *(const uint64_t *)((const char *)stats + reasons[i].offset);

		if (count > 0)
			diagnostics_say(diagnostics, ROLLCALL_LOG_INFO,
					"UDP: %" PRIu64 " dropped: %s", count, reasons[i].text);
	}
}
