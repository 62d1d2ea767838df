/* SPDX-License-Identifier: MIT */
#include "program/settings.h"

#include <sys/socket.h>
#include <unistd.h>

#include "program/budget.h"
#include "service/services.h"

/* Incomplete lines are held in the memory shared by all clients, which must fit at least two. */
#define MEMORY_LINES 2

/* Ratio of a queue's hard limit to its soft one, as in the library's defaults, and its maximum. */
#define SEND_QUEUE_HARD_FACTOR 4
#define SEND_QUEUE_HARD_BYTES_MAX ((size_t)1 << 30)

/* Errors become debug lines: the program reports them from the return value (failures.h). */
static void log_library(enum rollcall_log_level level, const char *text, void *diagnostics)
{
	diagnostics_log(level == ROLLCALL_LOG_ERROR ? ROLLCALL_LOG_DEBUG : level, text,
			diagnostics);
}

static size_t buffer_bytes(int fd, int name)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	getsockopt(fd, SOL_SOCKET, name, &bytes, &size);
	return (size_t)bytes / 2;
}

/*
 * Asks a new UDP socket what the kernel gives it, as /proc/sys/net/core does not have the defaults
 * in a network namespace. 0: there is no such socket.
 */
static void read_udp_buffers(struct budget_buffers *buffers)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	buffers->receive_bytes = buffer_bytes(fd, SO_RCVBUF);
	buffers->send_bytes = buffer_bytes(fd, SO_SNDBUF);
	if (fd >= 0)
		close(fd);
}

void settings_of_server(const struct program_options *options, struct diagnostics *diagnostics,
			struct rollcall_options *library)
{
	const size_t lines = MEMORY_LINES * options->line_bytes_max;
	size_t hard = SEND_QUEUE_HARD_BYTES_MAX;
	struct budget_buffers udp;

	*library = options->library;
	read_udp_buffers(&udp);
	budget_divide(options, &udp, library);
	if (library->send_queue_bytes < hard / SEND_QUEUE_HARD_FACTOR)
		hard = library->send_queue_bytes * SEND_QUEUE_HARD_FACTOR;
	if (library->send_queue_bytes_max < hard)
		library->send_queue_bytes_max = hard;
	if (library->memory_bytes_max < hard)
		library->memory_bytes_max = hard;
	if (library->memory_bytes_max < lines)
		library->memory_bytes_max = lines;
	library->log = log_library;
	library->log_context = diagnostics;
}

void settings_of_service(const struct program_options *options, struct rollcall_service *service)
{
	static const struct rollcall_service *const services[] = {
		[OPTIONS_REPLY] = &reply_service,
		[OPTIONS_ECHO] = &echo_service,
		[OPTIONS_DISCARD] = &discard_service,
	};
	static const enum rollcall_framing framings[] = {
		[OPTIONS_RAW] = ROLLCALL_FRAMING_RAW,
		[OPTIONS_LINES] = ROLLCALL_FRAMING_LINES,
		[OPTIONS_LENGTH] = ROLLCALL_FRAMING_LENGTH,
	};

	*service = *services[options->service];
	service->message_bytes_max = options->line_bytes_max;
	if (options->framing != OPTIONS_FRAMING_OF_SERVICE)
		service->framing = framings[options->framing];
}
