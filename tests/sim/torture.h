/* SPDX-License-Identifier: MIT */
/*
 * torture.h - the Nth operation of each kind fails with each error it can have, and the Nth
 * allocation fails, for every N.
 */
#ifndef TESTS_SIM_TORTURE_H
#define TESTS_SIM_TORTURE_H

#include "sim/run.h"

/*
 * Runs all; returns the number of failures. Each time the server must continue or fail cleanly;
 * otherwise the process ends.
 */
unsigned torture(struct run_totals *totals);

/* The failure of the current run, for a message; its nth is 0 before the first. */
const struct sim_failure *torture_now(void);

/* Fits the text of a failure. */
#define TORTURE_BYTES 64

/* Formats a failure as "recv,3,ECONNRESET". Returns `text`. */
const char *torture_format(const struct sim_failure *failure, char text[static TORTURE_BYTES]);

/* Parses such a text. false: malformed. */
bool torture_parse(const char *text, struct sim_failure *failure);

#endif
