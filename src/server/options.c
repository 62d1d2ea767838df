/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

#define CLIENTS_MAX (1u << 24)
#define BYTES_MAX ((size_t)1 << 30)
#define TIME_MS_MAX INT32_MAX
#define UDP_RATE_MAX 1000000
#define SPIN_US_MAX 1000000

/* The most that TCP_KEEPIDLE takes, 32,767 s (tcp(7)). */
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
	.send_timeout_ms = 120000,
	.keepalive_ms = 60000,
	.drain_timeout_ms = 5000,
	.log_level = ROLLCALL_LOG_INFO,
};

void rollcall_options_init(struct rollcall_options *options, size_t size)
{
	memset(options, 0, size);
	memcpy(options, &defaults, min_size(size, sizeof(defaults)));
	options->size = size;
}

static bool is_between(uint64_t value, uint64_t least, uint64_t most)
{
	return value >= least && value <= most;
}

int options_take(struct rollcall_options *to, const struct rollcall_options *from)
{
	*to = defaults;
	if (!from)
		return 0;
	if (from->size < offsetof(struct rollcall_options, tcp_clients_max))
		return -EINVAL;
	memcpy(to, from, min_size(from->size, sizeof(*to)));
	to->size = sizeof(*to);
	if (!is_between(to->tcp_clients_max, 1, CLIENTS_MAX) ||
	    !is_between(to->udp_clients_max, 1, CLIENTS_MAX) ||
	    !is_between(to->udp_clients_per_source_max, 1, CLIENTS_MAX) ||
	    to->udp_rate > UDP_RATE_MAX || to->udp_sequence > ROLLCALL_SEQUENCE_AUTO ||
	    to->udp_receive_buffer_bytes >= BYTES_MAX || to->udp_send_buffer_bytes >= BYTES_MAX ||
	    !is_between(to->send_queue_bytes, 4096, BYTES_MAX) ||
	    !is_between(to->send_queue_bytes_max, to->send_queue_bytes, BYTES_MAX) ||
	    !is_between(to->memory_bytes_max, 1 << 20, (uint64_t)1 << 40) ||
	    !is_between(to->udp_idle_timeout_ms, 1, TIME_MS_MAX) ||
	    !is_between(to->log_level, ROLLCALL_LOG_ERROR, ROLLCALL_LOG_DEBUG) ||
	    to->tcp_idle_timeout_ms > TIME_MS_MAX || to->send_timeout_ms > TIME_MS_MAX ||
	    to->keepalive_ms > KEEPALIVE_MS_MAX || to->drain_timeout_ms > TIME_MS_MAX ||
	    to->spin_us > SPIN_US_MAX)
		return -EINVAL;
	return 0;
}
