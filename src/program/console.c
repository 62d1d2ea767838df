/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "program/console.h"

/* Retry after EAGAIN: for a file with O_NONBLOCK the ring does not wait until it is writable. */
#define RETRY_MS 10

/* How long a flush waits for a file to become writable. */
#define FLUSH_WAIT_MS 1000

/* "(N lines dropped)" with 20 digits, an ending and a NUL. */
#define NOTICE_BYTES_MAX 64

_Static_assert(NOTICE_BYTES_MAX <= CONSOLE_BYTES / 2, "a notice fits into a half-empty buffer");

static void start_write(struct console *console);

void console_init(struct console *console, int fd,
		  void (*failed)(struct console *console, int error, void *context), void *context)
{
	memset(console, 0, offsetof(struct console, buffer));
	console->fd = fd;
	console->failed = failed;
	console->context = context;
}

void console_attach(struct console *console, struct rollcall_server *server)
{
	console->server = server;
	start_write(console);
}

void console_detach(struct console *console)
{
	if (console->retry)
		rollcall_timer_stop(console->server, console->retry);
	console->retry = NULL;
	console->server = NULL;
}

static void append(struct console *console, const char *text, size_t bytes)
{
	size_t end = (console->start + console->count) % CONSOLE_BYTES;
	size_t first = CONSOLE_BYTES - end < bytes ? CONSOLE_BYTES - end : bytes;

	memcpy(console->buffer + end, text, first);
	memcpy(console->buffer, text + first, bytes - first);
	console->count += bytes;
}

/* Reports dropped lines once the buffer is half empty, so that a slow reader gets few notices. */
static void tell_dropped(struct console *console)
{
	char notice[NOTICE_BYTES_MAX];
	int bytes;

	if (!console->untold || console->error || console->count > CONSOLE_BYTES / 2)
		return;
	bytes = snprintf(notice, sizeof(notice), "(%" PRIu64 " lines dropped)\n", console->untold);
	append(console, notice, (size_t)bytes);
	console->untold = 0;
}

void console_line(struct console *console, const char *text, size_t bytes)
{
	tell_dropped(console);
	if (console->error || console->untold || bytes >= CONSOLE_BYTES - console->count) {
		console->dropped++;
		console->untold++;
		return;
	}
	append(console, text, bytes);
	append(console, "\n", 1);
	start_write(console);
}

/* Drops the buffered lines and all later ones. */
static void give_up(struct console *console, int error)
{
	for (; console->count; console->count--) {
		console->dropped += console->buffer[console->start] == '\n';
		console->start = (console->start + 1) % CONSOLE_BYTES;
	}
	console->error = error;
	if (console->failed && error != -ETIMEDOUT)
		console->failed(console, error, console->context);
}

static void written(struct console *console, size_t bytes)
{
	console->start = (console->start + bytes) % CONSOLE_BYTES;
	console->count -= bytes;
	tell_dropped(console);
}

/* The number of bytes that one write can take: up to the end of the circular buffer. */
static size_t contiguous_bytes(const struct console *console)
{
	size_t to_end = CONSOLE_BYTES - console->start;

	return console->count < to_end ? console->count : to_end;
}

static void retry_expired(struct rollcall_server *server, void *context)
{
	struct console *console = context;

	(void)server;
	console->retry = NULL;
	start_write(console);
}

static void write_done(struct rollcall_server *server, struct rollcall_io *io, int result)
{
	struct console *console = io->context;

	(void)server;
	console->writing = false;
	if (result == -ECANCELED)
		return;
	if (result == -EAGAIN || result == 0) {
		/* If no timer can be allocated, the next line retries. */
		if (console->server &&
		    rollcall_timer_start(console->server, &console->retry, RETRY_MS, 0,
					 retry_expired, console) < 0)
			console->retry = NULL;
		return;
	}
	if (result < 0 && result != -EINTR) {
		give_up(console, result);
		return;
	}
	if (result > 0)
		written(console, (size_t)result);
	start_write(console);
}

static void start_write(struct console *console)
{
	if (!console->server || console->writing || console->retry || !console->count)
		return;
	console->io = (struct rollcall_io){
		.size = sizeof(struct rollcall_io),
		.fd = console->fd,
		.data = console->buffer + console->start,
		.bytes = contiguous_bytes(console),
		.done = write_done,
		.context = console,
	};
	/* Set before the call, which may log and so add a line to this console. */
	console->writing = true;
	if (rollcall_write(console->server, &console->io) < 0)
		console->writing = false;
}

/*
 * Writes some bytes without blocking for longer than FLUSH_WAIT_MS. RWF_NOWAIT comes first: the
 * last page of a pipe may have space that poll(2) does not report. If it writes nothing or is not
 * supported, the file is polled: a writable pipe then has space for PIPE_BUF bytes (pipe(7)).
 */
static ssize_t write_directly(int fd, char *data, size_t bytes)
{
	const struct iovec part = { data, bytes };
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	ssize_t result = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
	int ready;

	if (result > 0)
		return result;
	ready = poll(&poll_fd, 1, FLUSH_WAIT_MS);
	if (ready == 0)
		return -ETIMEDOUT;
	if (ready < 0)
		return -errno;
	result = write(fd, data, bytes < PIPE_BUF ? bytes : PIPE_BUF);
	return result < 0 ? -errno : result;
}

void console_flush(struct console *console)
{
	if (console->server || console->writing)
		return;
	while (console->count) {
		ssize_t result = write_directly(console->fd, console->buffer + console->start,
						contiguous_bytes(console));

		if (result >= 0) {
			written(console, (size_t)result);
		} else if (result != -EINTR && result != -EAGAIN) {
			give_up(console, (int)result);
			return;
		}
	}
}
