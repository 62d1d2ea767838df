/* SPDX-License-Identifier: MIT */
/*
 * diagnostics.h - "rollcall: LEVEL: text" on standard error. While the server runs they go through
 * its ring, so that a stuck standard error never blocks it; before and after they are written
 * directly. All functions belong to the server's thread.
 *
 * A text may quote what others choose: host names, options, the environment. So every text is
 * escaped here (escape.h), and is one line.
 */
#ifndef PROGRAM_DIAGNOSTICS_H
#define PROGRAM_DIAGNOSTICS_H

#include "program/console.h"

struct diagnostics {
	struct console own;
	struct console *console;       /* its own, or that of standard output */
	enum rollcall_log_level level; /* the least important that is written */
};

void diagnostics_init(struct diagnostics *diagnostics, enum rollcall_log_level level);

/*
 * Writes to `console` from here on if both are the same file (2>&1): two writes to one file at a
 * time would tear or overwrite each other's lines. Nothing may have been written yet. The console
 * must live as long.
 */
void diagnostics_join(struct diagnostics *diagnostics, struct console *console);

/* Writes one diagnostic; printf(3). A text of more than 2 KiB is cut. */
void diagnostics_say(struct diagnostics *diagnostics, enum rollcall_log_level level,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes an error and, in a line of its own, what to do about it, unless that is empty. */
void diagnostics_fail(struct diagnostics *diagnostics, const char *cause, const char *cure);

/* The same as a log callback of the library; `context` is the struct diagnostics. */
void diagnostics_log(enum rollcall_log_level level, const char *text, void *context);

#endif
