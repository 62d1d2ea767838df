/* SPDX-License-Identifier: MIT */
#include "program/losses.h"

#include <inttypes.h>

static const struct {
	size_t offset;
	const char *text;
} reasons[] = {
#define FIELD(name) offsetof(struct rollcall_stats, name)
	{ FIELD(udp_dropped_full), "the table of UDP clients is full (--udp-max-clients)" },
	{ FIELD(udp_dropped_source_full),
	  "too many clients of one address (--udp-max-clients-per-source)" },
	{ FIELD(udp_dropped_rate), "too many from one address (--udp-rate)" },
	{ FIELD(udp_dropped_no_port), "source port 0" },
	{ FIELD(udp_dropped_low_port), "source port below 1024 (--udp-low-ports)" },
	{ FIELD(udp_dropped_own_source), "an address of this server as the source" },
	{ FIELD(udp_dropped_bad_source), "a broadcast or multicast source" },
	{ FIELD(udp_dropped_loop), "answered twice before: a loop between two servers" },
	{ FIELD(udp_dropped_truncated), "larger than a receive buffer" },
	{ FIELD(udp_dropped_malformed), "no valid RTP header (--udp-sequence)" },
	{ FIELD(udp_dropped_kernel), "receive buffer of the socket full (--udp-receive-buffer)" },
	{ FIELD(udp_sends_dropped),
	  "answers: no memory, or the send buffer full (--udp-send-buffer)" },
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
