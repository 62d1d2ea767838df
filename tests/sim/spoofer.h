/* SPDX-License-Identifier: MIT */
/*
 * spoofer.h - sends datagrams with forged sources: some that the server must not answer, and pairs
 * from hosts that do not take the answers. Those hosts must not become active clients.
 */
#ifndef TESTS_SIM_SPOOFER_H
#define TESTS_SIM_SPOOFER_H

#include "lib/sim.h"

struct spoofer {
	struct sim *sim;
	uint64_t next_ns, next_pair_ns;
	unsigned hosts; /* forged, without those that are not answered */
};

/* Sends from now on. */
void spoofer_make(struct spoofer *spoofer, struct sim *sim);

/* Whether it has forged datagrams of a host, which may get answers. */
bool spoofer_has_forged(const struct spoofer *spoofer, const struct address *host);

/* Acts, if it is time; returns when to act next. */
uint64_t spoofer_act(struct spoofer *spoofer);

#endif
