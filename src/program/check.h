/* SPDX-License-Identifier: MIT */
/*
 * check.h - `rollcall --check`: what the kernel offers, what the limits are, what of it is used,
 * and whether a server can run here. Called from the main thread, with no server alive.
 */
#ifndef PROGRAM_CHECK_H
#define PROGRAM_CHECK_H

#include "rollcall.h"

/*
 * Prints the tables on standard output; the last line is the verdict, found by making a server with
 * these options. Returns 0, or EX_UNAVAILABLE if it cannot run.
 */
int check_run(const struct rollcall_options *options);

#endif
