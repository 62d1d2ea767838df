/* SPDX-License-Identifier: MIT */
#include "server/validate.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sized.h"

#define CLIENTS_MAX (1u << 24)
#define BYTES_MAX ((size_t)1 << 30)
#define TIME_MS_MAX INT32_MAX
#define UDP_RATE_MAX 1000000
#define SPIN_US_MAX 1000000

/* Size of the options in version 0.2.0. */
#define OPTIONS_BYTES_MIN SIZED_THROUGH(struct rollcall_options, log_context)

/* Maximum of TCP_KEEPIDLE: 32,767 s (tcp(7)). */
#define KEEPALIVE_MS_MAX 32767000

static const struct rollcall_options defaults = {
	.size = sizeof(struct rollcall_options),
	.tcp_clients_max = 65536,
	.udp_clients_max = 65536,
	.udp_clients_per_source_max = 32768,
	.send_queue_bytes = 1 << 20,
	.send_queue_bytes_max = 4 << 20,
	.memory_bytes_max = 256 << 20,
	.udp_idle_timeout_ms = 120000,
	.message_timeout_ms = 120000,
	.send_timeout_ms = 120000,
	.keepalive_ms = 60000,
	.drain_timeout_ms = 5000,
	.log_level = ROLLCALL_LOG_INFO,
	.engine = ROLLCALL_ENGINE_AUTO,
};

void rollcall_options_init(struct rollcall_options *options, size_t size)
{
	sized_write(options, size, &defaults, sizeof(defaults), OPTIONS_BYTES_MIN);
	options->size = size;
}

/* The limits of each setting. */
static const struct limits {
	const char *name;
	size_t offset, bytes;
	uint64_t least, most;
} limits[] = {
#define LIMITS(name, least, most)                                                                  \
	{                                                                                          \
#name, offsetof(struct rollcall_options, name),                                    \
			sizeof(((struct rollcall_options *)0)->name), least, most                  \
	}
	LIMITS(tcp_clients_max, 1, CLIENTS_MAX),
	LIMITS(tcp_clients_per_source_max, 0, CLIENTS_MAX),
	LIMITS(udp_clients_max, 1, CLIENTS_MAX),
	LIMITS(udp_clients_per_source_max, 1, CLIENTS_MAX),
	LIMITS(udp_rate, 0, UDP_RATE_MAX),
	LIMITS(udp_sequence, ROLLCALL_SEQUENCE_OFF, ROLLCALL_SEQUENCE_AUTO),
	LIMITS(tcp_receive_buffer_bytes, 0, BYTES_MAX - 1),
	LIMITS(tcp_send_buffer_bytes, 0, BYTES_MAX - 1),
	LIMITS(udp_receive_buffer_bytes, 0, BYTES_MAX - 1),
	LIMITS(udp_send_buffer_bytes, 0, BYTES_MAX - 1),
	LIMITS(send_queue_bytes, 4096, BYTES_MAX),
	LIMITS(send_queue_bytes_max, 4096, BYTES_MAX),
	LIMITS(memory_bytes_max, 1 << 20, (uint64_t)1 << 40),
	LIMITS(tcp_idle_timeout_ms, 0, TIME_MS_MAX),
	LIMITS(udp_idle_timeout_ms, 1, TIME_MS_MAX),
	LIMITS(message_timeout_ms, 0, TIME_MS_MAX),
	LIMITS(send_timeout_ms, 0, TIME_MS_MAX),
	LIMITS(keepalive_ms, 0, KEEPALIVE_MS_MAX),
	LIMITS(drain_timeout_ms, 0, TIME_MS_MAX),
	LIMITS(spin_us, 0, SPIN_US_MAX),
	LIMITS(log_level, ROLLCALL_LOG_ERROR, ROLLCALL_LOG_DEBUG),
	LIMITS(engine, ROLLCALL_ENGINE_AUTO, ROLLCALL_ENGINE_EPOLL),
#undef LIMITS
};

static uint64_t value_of(const struct rollcall_options *options, const struct limits *of)
{
	const void *value = (const char *)options + of->offset;
	uint64_t wide;
	uint32_t narrow;

	if (of->bytes == sizeof(narrow)) {
		memcpy(&narrow, value, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, value, sizeof(wide));
	return wide;
}

/* Checks all settings, and logs the one that is out of range. */
static int check(const struct rollcall_options *options)
{
	struct log log = { .write = options->log, .context = options->log_context };

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const uint64_t value = value_of(options, &limits[i]);

		if (value >= limits[i].least && value <= limits[i].most)
			continue;
		log_write(&log, ROLLCALL_LOG_ERROR,
			  "cannot create a server: %s is %llu, and must be %llu to %llu",
			  limits[i].name, (unsigned long long)value,
			  (unsigned long long)limits[i].least, (unsigned long long)limits[i].most);
		return -EINVAL;
	}
	if (options->send_queue_bytes_max >= options->send_queue_bytes)
		return 0;
	log_write(&log, ROLLCALL_LOG_ERROR,
		  "cannot create a server: send_queue_bytes_max is %zu, and must be at least "
		  "send_queue_bytes, which is %zu",
		  options->send_queue_bytes_max, options->send_queue_bytes);
	return -EINVAL;
}

/* If `size` was never set, log() is not set either. */
static void log_unknown(const struct rollcall_options *options)
{
	struct log log = { .write = options->log, .context = options->log_context };

	if (options->size <= SIZED_BYTES_MAX)
		log_write(&log, ROLLCALL_LOG_ERROR,
			  "cannot create a server: the options set a field that library "
			  "version " ROLLCALL_VERSION " does not have");
}

int validate_options(struct rollcall_options *to, const struct rollcall_options *from)
{
	int error;

	*to = defaults;
	if (!from)
		return 0;
	error = sized_read(to, sizeof(*to), from, from->size, OPTIONS_BYTES_MIN);
	if (error == -E2BIG)
		log_unknown(from);
	if (error)
		return error;
	to->size = sizeof(*to);
	return check(to);
}
