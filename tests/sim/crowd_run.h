/* SPDX-License-Identifier: MIT */
/*
 * crowd_run.h - the life of a server that a crowd uses, from its seed. Some clients that do nothing
 * wrong are witnesses: none may wait long for an answer, or be ended. Other servers answer its
 * datagrams.
 *
 * No fault happens that delays answers much, so that only the crowd can.
 */
#ifndef TESTS_SIM_CROWD_RUN_H
#define TESTS_SIM_CROWD_RUN_H

#include "sim/crowd.h"

/* What happened, added up over runs. */
struct crowd_totals {
	unsigned runs[CROWDS];
	uint64_t waited_ns[CROWDS]; /* at most, by a witness */
	uint64_t seed[CROWDS];	    /* of that run */
};

/* Whether the run of this seed is one with a crowd; which, if so. */
bool crowd_run_is(uint64_t seed, enum crowd *kind);

/* Runs; a failure ends the process, with a message. */
void crowd_run_seed(uint64_t seed, bool trace, struct crowd_totals *totals);

#endif
