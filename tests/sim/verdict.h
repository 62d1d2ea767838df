/* SPDX-License-Identifier: MIT */
/*
 * verdict.h - what must become of a datagram before it is known whether there is a place for its
 * client. It has a memory for the rates of sources alone.
 */
#ifndef TESTS_SIM_VERDICT_H
#define TESTS_SIM_VERDICT_H

#include "lib/sim.h"
#include "rollcall.h"

/* The endpoints of the simulated server: 127.0.0.1, and any address. */
#define LETTERS_PORT 7070
#define LETTERS_PORT_ANY 7071

#define JUDGE_SOURCES_MAX 64

/* The header of a datagram that has one (RFC 3550, section 5.1). */
struct header {
	uint8_t type; /* with its marker */
	uint16_t number;
	uint32_t timestamp, ssrc;
};

#define HEADER_BYTES 12

struct judge {
	enum rollcall_udp_sequence mode;
	unsigned rate;
	struct {
		uint32_t source;
		uint64_t full_ns; /* when it may send a whole second's datagrams at once again */
	} sources[JUDGE_SOURCES_MAX];
	unsigned sources_count;
};

/* Reads the 12 bytes that each such header has. */
struct header header_read(const uint8_t *data);

/*
 * Returns where in the statistics it is counted as dropped; 0: it is not. Else it may be numbered,
 * and *payload_at and *payload_bytes are what its header leaves.
 */
size_t judge_datagram(struct judge *judge, const struct address *from, const struct address *to,
		      const uint8_t *data, size_t bytes, uint64_t now_ns, bool *numbered,
		      size_t *payload_at, size_t *payload_bytes);

#endif
