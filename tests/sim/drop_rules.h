/* SPDX-License-Identifier: MIT */
/*
 * drop_rules.h - which datagrams the server must drop before it looks up the client, and under
 * which counter. Its only state are the rates of sources.
 */
#ifndef TESTS_SIM_DROP_RULES_H
#define TESTS_SIM_DROP_RULES_H

#include "lib/sim.h"
#include "rollcall.h"

/* The endpoints of the simulated server: 127.0.0.1, and any address. */
#define UDP_PORT 7070
#define UDP_WILDCARD_PORT 7071

#define DROP_RULES_SOURCES_MAX 64

/* The fixed part of an RTP header (RFC 3550, section 5.1). */
struct rtp_header {
	uint8_t type; /* with the marker bit */
	uint16_t number;
	uint32_t timestamp, ssrc;
};

#define RTP_HEADER_BYTES 12

struct drop_rules {
	enum rollcall_udp_sequence mode;
	unsigned rate;
	struct {
		uint32_t source;
		uint64_t full_ns; /* from then on a second's datagrams may arrive at once again */
	} sources[DROP_RULES_SOURCES_MAX];
	unsigned sources_count;
};

/* Reads the RTP_HEADER_BYTES of the fixed part. */
struct rtp_header rtp_header_read(const uint8_t *data);

/*
 * Returns the offset of the drop counter in struct rollcall_stats; 0: the datagram is not dropped.
 * *numbered: whether it has an RTP header; *payload_at, *payload_bytes: what follows the header.
 */
size_t drop_rules_apply(struct drop_rules *rules, const struct address *from,
			const struct address *to, const uint8_t *data, size_t bytes,
			uint64_t now_ns, bool *numbered, size_t *payload_at, size_t *payload_bytes);

#endif
