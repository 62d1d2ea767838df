/* SPDX-License-Identifier: MIT */
/*
 * run_settings.h - the simulated kernel's faults and sizes in a run.
 */
#ifndef TESTS_SIM_RUN_SETTINGS_H
#define TESTS_SIM_RUN_SETTINGS_H

#include "lib/sim.h"

/* Some seeds have no faults, some a few kinds, some all; queues and buffers are small or large. */
struct sim_settings run_settings_of_seed(uint64_t seed, bool trace);

/* No fault but this one. */
struct sim_settings run_settings_of_failure(const struct sim_failure *failure, bool trace);

/* Of a crowd: faults that delay answers by little; and the process may be stopped. */
struct sim_settings run_settings_of_crowd(uint64_t seed, bool trace);

/* Whether no fault can lose a datagram. */
bool run_settings_are_lossless(const struct sim_settings *settings);

#endif
