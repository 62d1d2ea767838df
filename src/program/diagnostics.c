/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/diagnostics.h"
#include "program/escape.h"

#define TEXT_BYTES 2048

/* The longest text after escaping. */
#define ESCAPED_BYTES (2 * TEXT_BYTES)

static const char *const level_names[] = {
	[ROLLCALL_LOG_ERROR] = "error",
	[ROLLCALL_LOG_WARNING] = "warning",
	[ROLLCALL_LOG_INFO] = "info",
	[ROLLCALL_LOG_DEBUG] = "debug",
};

void diagnostics_init(struct diagnostics *diagnostics, enum rollcall_log_level level)
{
	console_init(&diagnostics->own, STDERR_FILENO, NULL, NULL);
	diagnostics->console = &diagnostics->own;
	diagnostics->level = level;
}

static bool is_same_file(int a, int b)
{
	struct stat file_a, file_b;

	return fstat(a, &file_a) == 0 && fstat(b, &file_b) == 0 && file_a.st_dev == file_b.st_dev &&
	       file_a.st_ino == file_b.st_ino;
}

static bool is_writable(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

void diagnostics_join(struct diagnostics *diagnostics, struct console *console)
{
	if (is_same_file(console->fd, diagnostics->own.fd) && is_writable(console->fd))
		diagnostics->console = console;
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

static void write_line(struct diagnostics *diagnostics, enum rollcall_log_level level,
		       const char *text, const char *cure)
{
	char line[2 * ESCAPED_BYTES + 64];
	size_t used = (size_t)snprintf(line, 32, "rollcall: %s: ", level_names[level]);

	used += escape_text(line + used, ESCAPED_BYTES, text);
	if (cure[0]) {
		used += (size_t)snprintf(line + used, 16, "\n  cure: ");
		used += escape_text(line + used, ESCAPED_BYTES, cure);
	}
	console_line(diagnostics->console, line, used);
	console_flush(diagnostics->console);
}

void diagnostics_fail(struct diagnostics *diagnostics, const char *cause, const char *cure)
{
	write_line(diagnostics, ROLLCALL_LOG_ERROR, cause, cure);
}

void diagnostics_log(enum rollcall_log_level level, const char *text, void *context)
{
	struct diagnostics *diagnostics = context;

	if (level <= diagnostics->level)
		write_line(diagnostics, level, text, "");
}
