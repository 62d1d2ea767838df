/* SPDX-License-Identifier: MIT */
/*
 * console.h - writes lines to standard output or standard error without ever blocking the server,
 * even if the file is a pipe that is not read.
 *
 * Lines wait in a bounded buffer and are written through the server's ring, one write at a time.
 * When the buffer is full, lines are dropped and counted; once it is half empty again, one line
 * "(N lines dropped)" takes their place. All functions belong to the server's thread; the struct
 * belongs to the caller and must outlive the server that it is attached to.
 */
#ifndef PROGRAM_CONSOLE_H
#define PROGRAM_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollcall.h"

#define CONSOLE_BYTES (64 << 10)

struct console {
	int fd;
	struct rollcall_server *server; /* NULL: not attached */
	struct rollcall_io io;
	bool writing;		      /* io is in flight */
	struct rollcall_timer *retry; /* runs after a write that returned EAGAIN */
	int error;		      /* -errno after which nothing is written any more; or 0 */

	uint64_t dropped; /* lines dropped in all */
	uint64_t untold;  /* of those, the ones not yet reported in a line */

	/* Called once, when a write has failed permanently. */
	void (*failed)(struct console *console, int error, void *context);
	void *context;

	size_t start;
	size_t count;
	char buffer[CONSOLE_BYTES];
};

/* Prepares a console for `fd`; `failed` may be NULL. */
void console_init(struct console *console, int fd,
		  void (*failed)(struct console *console, int error, void *context), void *context);

/* From now on lines are written through the ring of `server`. */
void console_attach(struct console *console, struct rollcall_server *server);

/*
 * From now on lines are only buffered; console_flush() writes them. A write may still be in flight.
 */
void console_detach(struct console *console);

/* Adds a line, `bytes` of `text` without a line ending. Never blocks. */
void console_line(struct console *console, const char *text, size_t bytes);

/*
 * Writes the buffered lines without the ring. If the file accepts no bytes for a second, drops the
 * rest and all later lines. Does nothing while attached or while a write is in flight.
 */
void console_flush(struct console *console);

#endif
