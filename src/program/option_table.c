/* SPDX-License-Identifier: MIT */
#include "program/option_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "program/budget.h"
#include "program/options.h"

/* Limits of struct rollcall_options, which the library checks too. */
#define TIMEOUT_MS_MAX INT32_MAX
#define KEEPALIVE_MS_MAX 32767000
#define CLIENTS_MAX (1 << 24)
#define BYTES_MAX (1 << 30)
#define SEND_QUEUE_BYTES_MIN 4096
#define MEMORY_BYTES_MAX ((uint64_t)1 << 40)
#define UDP_RATE_MAX 1000000
#define SPIN_US_MAX 1000000

/* For --spin without a number: with over a thousand messages a second the loop never sleeps. */
#define SPIN_US_USUAL 1000

static const char *const service_names[] = { "reply", "echo", "discard", NULL };
static const char *const framing_names[] = { "raw", "lines", "length", NULL };
static const char *const sequence_names[] = { "off", "rtp", "auto", NULL };
static const char *const engine_names[] = { "auto", "io_uring", "epoll", NULL };
static const char *const log_level_names[] = { "error", "warning", "info", "debug", NULL };

#define FIELD(name)                                                                                \
	.offset = offsetof(struct program_options, name),                                          \
	.bytes = sizeof(((struct program_options *)0)->name)
#define RANGE(from, to) .least = (from), .most = (to)

const struct option_row option_rows[] = {
	{ "tcp", 0, OPTION_ADDRESS, "ADDRESS",
	  "listen for TCP; may repeat, or none. ADDRESS is HOST:PORT, [IPv6]:PORT or *:PORT; port "
	  "0: a free one",
	  FIELD(tcp), .usual = "localhost:8080" },
	{ "udp", 0, OPTION_ADDRESS, "ADDRESS", "listen for UDP, likewise", FIELD(udp),
	  .usual = "localhost:7070" },
	{ "service", 0, OPTION_NAME, "NAME", "reply, echo or discard", FIELD(service),
	  .names = service_names },
	{ "framing", 0, OPTION_NAME, "NAME",
	  "how a TCP stream is divided into messages: raw, lines or length", FIELD(framing),
	  .names = framing_names, .usual = "reply: lines, others: raw" },
	{ "line-bytes-max", 0, OPTION_BYTES, "N", "longest TCP message in bytes",
	  FIELD(line_bytes_max), RANGE(1, BYTES_MAX), .usual = "64K" },
	{ "max-clients", 0, OPTION_WHOLE, "N", "TCP clients at once",
	  FIELD(library.tcp_clients_max), RANGE(1, CLIENTS_MAX) },
	{ "max-clients-per-source", 0, OPTION_WHOLE, "N",
	  "TCP clients of one IPv4 address, or IPv6 /64; 0: any",
	  FIELD(library.tcp_clients_per_source_max), RANGE(0, CLIENTS_MAX) },
	{ "udp-max-clients", 0, OPTION_WHOLE, "N", "UDP clients at once",
	  FIELD(library.udp_clients_max), RANGE(1, CLIENTS_MAX) },
	{ "udp-max-clients-per-source", 0, OPTION_WHOLE, "N",
	  "UDP clients of one IPv4 address, or IPv6 /64", FIELD(library.udp_clients_per_source_max),
	  RANGE(1, CLIENTS_MAX) },
	{ "udp-rate", 0, OPTION_WHOLE, "N",
	  "datagrams a second from one IPv4 address, or IPv6 /64; of a /48 eight times as many; 0: "
	  "any number",
	  FIELD(library.udp_rate), RANGE(0, UDP_RATE_MAX) },
	{ "udp-sequence", 0, OPTION_NAME, "MODE",
	  "rtp: datagrams have an RTP header; auto: those whose first byte says so; off. Reports "
	  "losses at the end",
	  FIELD(library.udp_sequence), .names = sequence_names },
	{ "udp-receive-buffer", 0, OPTION_BYTES, "N",
	  "SO_RCVBUF of UDP sockets in bytes; 0: the kernel's default",
	  FIELD(library.udp_receive_buffer_bytes), RANGE(0, BYTES_MAX - 1) },
	{ "udp-send-buffer", 0, OPTION_BYTES, "N",
	  "SO_SNDBUF of UDP sockets in bytes; 0: the kernel's default",
	  FIELD(library.udp_send_buffer_bytes), RANGE(0, BYTES_MAX - 1) },
	{ "udp-low-ports", 0, OPTION_SET, NULL, "answer UDP clients with a source port below 1024",
	  FIELD(library.udp_low_ports) },
	{ "memory", 0, OPTION_BYTES, "N",
	  "most memory in bytes, with that of sockets in the kernel: sets the limits of "
	  "clients, queues and buffers; --check shows the parts",
	  FIELD(memory_bytes), RANGE(BUDGET_BYTES_MIN, MEMORY_BYTES_MAX), .usual = "0" },
	{ "tcp-receive-buffer", 0, OPTION_BYTES, "N",
	  "SO_RCVBUF of TCP clients in bytes; 0: the kernel adapts it",
	  FIELD(library.tcp_receive_buffer_bytes), RANGE(0, BYTES_MAX - 1) },
	{ "tcp-send-buffer", 0, OPTION_BYTES, "N",
	  "SO_SNDBUF of TCP clients in bytes; 0: the kernel adapts it",
	  FIELD(library.tcp_send_buffer_bytes), RANGE(0, BYTES_MAX - 1) },
	{ "send-queue-bytes", 0, OPTION_BYTES, "N",
	  "soft limit of a TCP client's output queue in bytes", FIELD(library.send_queue_bytes),
	  RANGE(SEND_QUEUE_BYTES_MIN, BYTES_MAX) },
	{ "idle-timeout", 0, OPTION_SECONDS, "SECONDS", "idle timeout of TCP clients; 0: none",
	  FIELD(library.tcp_idle_timeout_ms), RANGE(0, TIMEOUT_MS_MAX) },
	{ "udp-idle-timeout", 0, OPTION_SECONDS, "SECONDS", "idle timeout of UDP clients",
	  FIELD(library.udp_idle_timeout_ms), RANGE(1, TIMEOUT_MS_MAX) },
	{ "message-timeout", 0, OPTION_SECONDS, "SECONDS",
	  "longest time from the first byte of a TCP message to its last; 0: any",
	  FIELD(library.message_timeout_ms), RANGE(0, TIMEOUT_MS_MAX) },
	{ "send-timeout", 0, OPTION_SECONDS, "SECONDS",
	  "reset TCP clients that take less than 1 KiB/s of queued output for this long; 0: never",
	  FIELD(library.send_timeout_ms), RANGE(0, TIMEOUT_MS_MAX) },
	{ "keepalive", 0, OPTION_SECONDS, "SECONDS",
	  "idle time before keepalive probes, rounded up to whole seconds; 0: no probes",
	  FIELD(library.keepalive_ms), RANGE(0, KEEPALIVE_MS_MAX) },
	{ "drain-timeout", 0, OPTION_SECONDS, "SECONDS", "longest wait for clients when stopping",
	  FIELD(library.drain_timeout_ms), RANGE(0, TIMEOUT_MS_MAX) },
	{ "spin", 0, OPTION_WHOLE, "MICROSECONDS",
	  "poll this long before sleeping; 1000 without a number: lower latency, uses a full core",
	  FIELD(library.spin_us), RANGE(0, SPIN_US_MAX), .without_value = SPIN_US_USUAL },
	{ "engine", 0, OPTION_NAME, "NAME",
	  "io_uring; epoll: slower, but where io_uring is missing or forbidden too; auto: "
	  "io_uring if it can be used, or else epoll",
	  FIELD(library.engine), .names = engine_names },
	{ "quiet", 'q', OPTION_SET, NULL, "no console lines on standard output", FIELD(quiet) },
	{ "verbose", 0, OPTION_CLEAR, NULL,
	  "undo an earlier --quiet, such as that of the image and the unit", FIELD(quiet) },
	{ "log-level", 0, OPTION_NAME, "LEVEL", "error, warning, info or debug",
	  FIELD(library.log_level), .names = log_level_names },
	{ "check", 0, OPTION_ACTION, NULL,
	  "show kernel features, limits and the options in force, and exit",
	  .least = OPTIONS_CHECK },
	{ "health", 0, OPTION_ACTION, "ADDRESS",
	  "query a running rollcall at tcp://HOST:PORT or udp://HOST:PORT, and exit with 0 if it "
	  "answers within a second; may repeat",
	  FIELD(health), .least = OPTIONS_HEALTH },
	{ "help", 'h', OPTION_ACTION, NULL, "show this and exit", .least = OPTIONS_HELP },
	{ "version", 'V', OPTION_ACTION, NULL, "show the version and exit",
	  .least = OPTIONS_VERSION },
	{ .name = NULL },
};

uint64_t option_number(const struct option_row *row, const struct program_options *options)
{
	const char *field = (const char *)options + row->offset;
	uint64_t wide;
	uint32_t narrow;

	if (row->bytes == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, field, sizeof(wide));
	return wide;
}

void option_set_number(const struct option_row *row, struct program_options *options,
		       uint64_t value)
{
	char *field = (char *)options + row->offset;
	const uint32_t narrow = (uint32_t)value;

	if (row->bytes == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &value, sizeof(value));
}

/* With K, M or G if it is a multiple of that. */
static void write_bytes(char text[static OPTION_VALUE_BYTES], uint64_t value)
{
	static const char units[] = { 'K', 'M', 'G' };
	int unit = -1;

	while (unit < 2 && value > 0 && value % 1024 == 0) {
		value /= 1024;
		unit++;
	}
	snprintf(text, OPTION_VALUE_BYTES, "%" PRIu64 "%.*s", value, unit >= 0,
		 unit >= 0 ? &units[unit] : "");
}

const char *option_value(const struct option_row *row, const struct program_options *options,
			 char text[static OPTION_VALUE_BYTES])
{
	const char *name;

	text[0] = '\0';
	switch (row->kind) {
	case OPTION_NAME:
		name = row->names[option_number(row, options)];
		return name ? name : row->usual;
	case OPTION_WHOLE:
		snprintf(text, OPTION_VALUE_BYTES, "%" PRIu64, option_number(row, options));
		break;
	case OPTION_BYTES:
		if (row->usual && option_number(row, options) == 0)
			return row->usual;
		write_bytes(text, option_number(row, options));
		break;
	case OPTION_SECONDS:
		snprintf(text, OPTION_VALUE_BYTES, "%.10g",
			 (double)option_number(row, options) / 1000);
		break;
	case OPTION_SET:
		return *((const _Bool *)((const char *)options + row->offset)) ? "yes" : "no";
	default:
		break;
	}
	return text;
}
