/* SPDX-License-Identifier: MIT */
#include "program/settings.h"
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

void settings_of_server(const struct program_options *options, struct diagnostics *diagnostics,
			struct rollcall_options *library)
{
	const size_t lines = MEMORY_LINES * (size_t)options->line_bytes_max;
	size_t hard = SEND_QUEUE_HARD_BYTES_MAX;

	if (options->send_queue_bytes < hard / SEND_QUEUE_HARD_FACTOR)
		hard = (size_t)options->send_queue_bytes * SEND_QUEUE_HARD_FACTOR;
	rollcall_options_defaults(library);
	library->tcp_clients_max = (unsigned)options->tcp_clients_max;
	library->udp_clients_max = (unsigned)options->udp_clients_max;
	library->udp_clients_per_source_max = (unsigned)options->udp_clients_per_source_max;
	library->udp_rate = (unsigned)options->udp_rate;
	library->udp_sequence = options->udp_sequence;
	library->udp_receive_buffer_bytes = (size_t)options->udp_receive_buffer_bytes;
	library->udp_send_buffer_bytes = (size_t)options->udp_send_buffer_bytes;
	library->send_queue_bytes = (size_t)options->send_queue_bytes;
	if (library->send_queue_bytes_max < hard)
		library->send_queue_bytes_max = hard;
	if (library->memory_bytes_max < hard)
		library->memory_bytes_max = hard;
	if (library->memory_bytes_max < lines)
		library->memory_bytes_max = lines;
	library->tcp_idle_timeout_ms = options->tcp_idle_timeout_ms;
	library->udp_idle_timeout_ms = options->udp_idle_timeout_ms;
	library->send_timeout_ms = options->send_timeout_ms;
	library->keepalive_ms = options->keepalive_s * 1000;
	library->drain_timeout_ms = options->drain_timeout_ms;
	library->spin_us = options->spin_us;
	library->udp_low_ports = options->udp_low_ports;
	library->log_level = options->log_level;
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
	service->message_bytes_max = (size_t)options->line_bytes_max;
	if (options->framing != OPTIONS_FRAMING_OF_SERVICE)
		service->framing = framings[options->framing];
}
