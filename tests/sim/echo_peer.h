/* SPDX-License-Identifier: MIT */
/*
 * echo_peer.h - another server that answers every datagram by itself. One with a forged source
 * makes it and ours answer each other, until one of them stops.
 */
#ifndef TESTS_SIM_ECHO_PEER_H
#define TESTS_SIM_ECHO_PEER_H

#include "lib/sim.h"

struct echo_peer {
	struct sim *sim;
	struct address own, to;
	const char *prefix; /* of its answers */
	uint64_t start_ns, next_ns;
	unsigned forged, received;
};

/* `number` makes its address; `to` is one of our endpoints. */
void echo_peer_make(struct echo_peer *peer, struct sim *sim, unsigned number,
		    const struct address *to, const char *prefix);

/* From time to time a datagram with its source is forged. Returns when to act next. */
uint64_t echo_peer_act(struct echo_peer *peer);

/* Answers a datagram of ours. Too many fail the run. */
void echo_peer_receive(struct echo_peer *peer, const struct address *from, const void *data,
		       size_t bytes);

#endif
