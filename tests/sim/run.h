/* SPDX-License-Identifier: MIT */
/*
 * run.h - one simulated life of a server, from its seed.
 */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "lib/sim.h"
#include "rollcall.h"
#include "sim/crowd_run.h"

/* What happened, added up over runs. */
struct run_totals {
	uint64_t fired[SIM_FAULTS];
	sim_results ended;
	uint64_t reasons[SIM_ERRORS];
	unsigned longest_wait; /* in turns */
	uint64_t longest_wait_seed;
	uint64_t simulated_ns;
	uint64_t returned; /* addresses that came back as those of new clients */
	struct rollcall_stats stats;
	struct crowd_totals crowds;
};

/* Runs; a failure ends the process, with a message. */
void run_seed(uint64_t seed, bool trace, struct run_totals *totals);

/*
 * A short run in which one operation or allocation fails, and nothing else goes wrong; returns
 * whether it came so far.
 */
bool run_with_failure(const struct sim_failure *failure, bool trace, struct run_totals *totals);

#endif
