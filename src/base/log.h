/* SPDX-License-Identifier: MIT */
/*
 * log.h - lines for people, handed to the function that the owner of the server chose.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "rollcall.h"

struct log {
	void (*write)(enum rollcall_log_level level, const char *text, void *context);
	void *context;
	enum rollcall_log_level level;
};

/* The longest line, its NUL included; what is longer is cut. */
#define LOG_LINE_BYTES 256

void log_write(const struct log *log, enum rollcall_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
