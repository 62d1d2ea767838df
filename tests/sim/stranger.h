/* SPDX-License-Identifier: MIT */
/*
 * stranger.h - somebody outside who sends datagrams that must not be answered, or very many.
 */
#ifndef TESTS_SIM_STRANGER_H
#define TESTS_SIM_STRANGER_H

#include "lib/sim.h"

struct stranger {
	struct sim *sim;
	uint64_t next_ns;
	uint64_t flood_ns;
	unsigned flood; /* datagrams still to come of it */
};

/* From soon on; `floods`: with more answers owed at a time than can be under way. */
void stranger_make(struct stranger *who, struct sim *sim, bool floods);

/* Acts, if it is time; returns when to act next. */
uint64_t stranger_act(struct stranger *who);

/* Whether the address is one that the flood came from. */
bool stranger_is_at(const struct address *address);

#endif
