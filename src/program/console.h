/* SPDX-License-Identifier: MIT */
/*
 * console.h - lines of text for a file that must never slow the server down: standard output, or
 * standard error, which may be a pipe that nobody reads.
 *
 * Lines wait in a bounded buffer and are written through the server's ring, one write at a time.
 * When the buffer is full lines are dropped and counted; as soon as it is half empty again one line
 * "(N lines dropped)" stands in their place. All functions belong to the server's thread; the
 * struct is the caller's and must outlive the server that it is attached to.
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
	struct rollcall_timer *retry; /* runs while the file had no room for a byte */
	int error;		      /* why nothing is written any more, negative; or 0 */

	uint64_t dropped; /* lines that were not written, all told */
	uint64_t untold;  /* of those, the ones that no line tells about yet */

	/* Called once, when the file has refused to be written for good. */
	void (*failed)(struct console *console, int error, void *context);
	void *context;

	size_t start;
	size_t count;
	char buffer[CONSOLE_BYTES];
};

/* Prepares a console for `fd`; `failed` may be NULL. */
void console_init(struct console *console, int fd,
		  void (*failed)(struct console *console, int error, void *context), void *context);

/* From here on lines go out through the ring of `server`. */
void console_attach(struct console *console, struct rollcall_server *server);

/*
 * From here on lines only gather, and console_flush() writes them. A write may still be in flight.
 */
void console_detach(struct console *console);

/* Adds a line, `bytes` of `text` without a line ending. Never blocks. */
void console_line(struct console *console, const char *text, size_t bytes);

/*
 * Writes what has gathered, without the ring. Waits up to a second for a file that takes nothing,
 * and then drops the rest and all lines to come. Does nothing while attached or while a write is in
 * flight.
 */
void console_flush(struct console *console);

#endif
