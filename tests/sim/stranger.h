/* SPDX-License-Identifier: MIT */
/*
 * stranger.h - somebody outside who sends datagrams that must not be answered.
 */
#ifndef TESTS_SIM_STRANGER_H
#define TESTS_SIM_STRANGER_H

#include "lib/sim.h"

struct stranger {
	struct sim *sim;
	uint64_t next_ns;
};

/* From now on. */
void stranger_make(struct stranger *who, struct sim *sim);

/* Acts, if it is time; returns when to act next. */
uint64_t stranger_act(struct stranger *who);

#endif
