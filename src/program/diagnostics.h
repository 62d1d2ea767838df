/* SPDX-License-Identifier: MIT */
/*
 * diagnostics.h - "rollcall: LEVEL: text" on standard error. While the server runs they go through
 * its ring, so that a stuck standard error never blocks it; before and after they are written
 * directly. All functions belong to the server's thread.
 */
#ifndef PROGRAM_DIAGNOSTICS_H
#define PROGRAM_DIAGNOSTICS_H

#include "program/console.h"

struct diagnostics {
	struct console console;
	enum rollcall_log_level level; /* the least important that is written */
};

void diagnostics_init(struct diagnostics *diagnostics, enum rollcall_log_level level);

/* Writes one diagnostic; printf(3). A text of more than 2 KiB is cut. */
void diagnostics_say(struct diagnostics *diagnostics, enum rollcall_log_level level,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same as a log callback of the library; `context` is the struct diagnostics. */
void diagnostics_log(enum rollcall_log_level level, const char *text, void *context);

#endif
