/* SPDX-License-Identifier: MIT */
/*
 * check.h - `rollcall --check`: kernel features, limits, which features are used, and whether a
 * server can run here. Called from the main thread while no server exists.
 */
#ifndef PROGRAM_CHECK_H
#define PROGRAM_CHECK_H

#include "program/options.h"

/*
 * Prints the tables on standard output: kernel features, limits, and the options in force. The last
 * line is the verdict, found by creating a server with the library's options. Returns 0, or
 * EX_UNAVAILABLE if the server cannot run.
 */
int check_run(const struct program_options *options, const struct rollcall_options *library);

#endif
