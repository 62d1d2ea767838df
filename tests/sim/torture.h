/* SPDX-License-Identifier: MIT */
/*
 * torture.h - the Nth operation of each kind fails with each error it can have, and the Nth
 * allocation fails, for every N.
 */
#ifndef TESTS_SIM_TORTURE_H
#define TESTS_SIM_TORTURE_H

#include "sim/run.h"

/*
 * Runs all; returns how many failures there were. Each time the server lives on or fails cleanly,
 * or else the process ends.
 */
unsigned torture(struct run_totals *totals);

/* What is tried at the moment, for the message if it fails. */
const struct sim_failure *torture_now(void);

#endif
