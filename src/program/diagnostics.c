/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "program/diagnostics.h"

#define TEXT_BYTES 2048

static const char *const level_names[] = {
	[ROLLCALL_LOG_ERROR] = "error",
	[ROLLCALL_LOG_WARNING] = "warning",
	[ROLLCALL_LOG_INFO] = "info",
	[ROLLCALL_LOG_DEBUG] = "debug",
};

void diagnostics_init(struct diagnostics *diagnostics, enum rollcall_log_level level)
{
	console_init(&diagnostics->console, STDERR_FILENO, NULL, NULL);
	diagnostics->level = level;
}

void diagnostics_say(struct diagnostics *diagnostics, enum rollcall_log_level level,
		     const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diagnostics_log(level, text, diagnostics);
}

void diagnostics_log(enum rollcall_log_level level, const char *text, void *context)
{
	struct diagnostics *diagnostics = context;
	char line[TEXT_BYTES + 32];
	int bytes;

	if (level > diagnostics->level)
		return;
	bytes = snprintf(line, sizeof(line), "rollcall: %s: %.*s", level_names[level],
			 TEXT_BYTES - 1, text);
	console_line(&diagnostics->console, line, (size_t)bytes);
	console_flush(&diagnostics->console);
}
