/* SPDX-License-Identifier: MIT */
/*
 * log.h - lines for people, handed to the function that the owner of the server chose.
 *
 * Warnings and errors are limited: of each kind, which is a format, LOG_BURST lines in LOG_PERIOD_S
 * are written. The others are counted, and at the end of the period one line has their number and
 * the last of them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/timers.h"
#include "rollcall.h"

/* The longest line, its NUL included; what is longer is cut. */
#define LOG_LINE_BYTES 256

#define LOG_BURST 5
#define LOG_PERIOD_S 60

/* More than the library has; all above share the last one. */
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
	struct timer period; /* set while there are lines to tell of */
	struct log_kind kinds[LOG_KINDS_MAX];
};

/* Limits the lines from here on. The timers and the time must outlive the log. -ENOMEM. */
int log_limit(struct log *log, struct timers *timers, const uint64_t *now_ns);

/* Tells of the lines that were left out, and ends the limit, if there is one. */
void log_unlimit(struct log *log);

void log_write(struct log *log, enum rollcall_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
