/* SPDX-License-Identifier: MIT */
/*
 * log.h - log lines, passed to the callback of the server's options.
 *
 * Warnings and errors are rate limited: of each kind, which is a format string, LOG_BURST lines are
 * written in LOG_PERIOD_S seconds. The others are counted; at the end of the period one line gives
 * their number and the text of the last.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/timers.h"
#include "rollcall.h"

/* The longest line, its NUL included; a longer one is truncated. */
#define LOG_LINE_BYTES 256

#define LOG_BURST 5
#define LOG_PERIOD_S 60

/* More kinds than the library has; any beyond share the last entry. */
#define LOG_KINDS_MAX 16

struct log_kind {
	const char *format;
	enum rollcall_log_level level;
	uint64_t count; /* in this period */
	char last[LOG_LINE_BYTES];
};

struct log {
	void (*write)(enum rollcall_log_level level, const char *text, void *context);
	void *context;
	enum rollcall_log_level level;

	struct timers *timers; /* NULL: not limited yet */
	const uint64_t *now_ns;
	uint64_t period_end_ns;
	struct timer period; /* set while there are left-out lines to report */
	struct log_kind kinds[LOG_KINDS_MAX];
};

/* Starts the rate limit. `timers` and `now_ns` must outlive the log. -ENOMEM */
int log_limit(struct log *log, struct timers *timers, const uint64_t *now_ns);

/* Reports the lines that were left out, and ends the rate limit, if it was started. */
void log_unlimit(struct log *log);

void log_write(struct log *log, enum rollcall_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
