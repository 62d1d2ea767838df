/* SPDX-License-Identifier: MIT */
/*
 * diagnostics.h - lines "rollcall: LEVEL: text" on standard error. While the server runs they are
 * written through its ring, so that a blocked standard error never blocks it; before and after,
 * directly. All functions belong to the server's thread.
 *
 * A text may quote untrusted data: host names, options, the environment. So every text is escaped
 * (escape.h) and written as one line.
 */
#ifndef PROGRAM_DIAGNOSTICS_H
#define PROGRAM_DIAGNOSTICS_H

#include "program/console.h"

struct diagnostics {
	struct console own;
	struct console *console;       /* &own, or the console of standard output */
	enum rollcall_log_level level; /* less important lines are not written */
};

void diagnostics_init(struct diagnostics *diagnostics, enum rollcall_log_level level);

/*
 * Uses `console` from now on if both write to the same file (2>&1): two concurrent writes could
 * interleave or overwrite each other's lines. Nothing may have been written yet. `console` must
 * live as long as `diagnostics`.
 */
void diagnostics_join(struct diagnostics *diagnostics, struct console *console);

/* Writes one line, formatted as by printf(3). A text of more than 2 KiB is truncated. */
void diagnostics_say(struct diagnostics *diagnostics, enum rollcall_log_level level,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes an error and, on a second line, what to do about it, unless that is empty. */
void diagnostics_fail(struct diagnostics *diagnostics, const char *cause, const char *cure);

/* The log callback for the library's options; `context` is the struct diagnostics. */
void diagnostics_log(enum rollcall_log_level level, const char *text, void *context);

#endif
