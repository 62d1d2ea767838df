/* SPDX-License-Identifier: MIT */
/*
 * check.h - `rollcall --check`: kernel features, limits, which features are used, and whether a
 * server can run here. Called from the main thread while no server exists.
 */
#ifndef PROGRAM_CHECK_H
#define PROGRAM_CHECK_H

#include "rollcall.h"

/*
 * Prints the tables on standard output; the last line is the verdict, found by creating a server
 * with these options. Returns 0, or EX_UNAVAILABLE if the server cannot run.
 */
int check_run(const struct rollcall_options *options);

#endif
