/* SPDX-License-Identifier: MIT */
/*
 * help.h - the text of --help, made from the table of options.
 */
#ifndef PROGRAM_HELP_H
#define PROGRAM_HELP_H

#define HELP_BYTES 8192

void help_write(char text[static HELP_BYTES]);

#endif
