/* SPDX-License-Identifier: MIT */
/*
 * command_line.h - parses the command line. It prints nothing and never exits: errors are returned
 * as a message, so that tests can check them. Not thread-safe, like getopt_long(3).
 */
#ifndef PROGRAM_COMMAND_LINE_H
#define PROGRAM_COMMAND_LINE_H

#include "program/options.h"

/* Bytes of the longest message; a longer quotation is truncated. */
#define COMMAND_LINE_MESSAGE_BYTES 512

/*
 * Parses the command line into *options, on top of the defaults, and validates it. Returns 0, or
 * EX_USAGE with the error in `message`, which quotes arguments unescaped: they may hold any byte.
 * -h and -V end the parsing. May be called repeatedly. argv may be permuted, and must live as long
 * as *options.
 */
int command_line_parse(struct program_options *options, int argc, char **argv,
		       char message[static COMMAND_LINE_MESSAGE_BYTES]);

#endif
