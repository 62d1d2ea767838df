/* SPDX-License-Identifier: MIT */
/*
 * spoofer.h - sends datagrams with forged sources, which the server must not answer.
 */
#ifndef TESTS_SIM_SPOOFER_H
#define TESTS_SIM_SPOOFER_H

#include "lib/sim.h"

struct spoofer {
	struct sim *sim;
	uint64_t next_ns;
};

/* Sends from now on. */
void spoofer_make(struct spoofer *spoofer, struct sim *sim);

/* Acts, if it is time; returns when to act next. */
uint64_t spoofer_act(struct spoofer *spoofer);

#endif
