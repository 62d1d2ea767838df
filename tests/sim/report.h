/* SPDX-License-Identifier: MIT */
/*
 * report.h - what happened in the runs: which faults, and how the server took them.
 */
#ifndef TESTS_SIM_REPORT_H
#define TESTS_SIM_REPORT_H

#include "sim/run.h"

/*
 * Prints how often each fault fired, how each kind of operation ended, why clients ended, and what
 * the server counted. false: something that the runs are to show never happened.
 */
bool report_print(const struct run_totals *totals);

#endif
