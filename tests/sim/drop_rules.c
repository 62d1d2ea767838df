/* SPDX-License-Identifier: MIT */
#include "sim/drop_rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/base.h"

#define SECOND_NS 1000000000

static const char prefix_twice[] = "Received: Received: ";

static uint32_t number_of(const uint8_t *data, size_t bytes)
{
	uint32_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | data[i];
	return number;
}

struct rtp_header rtp_header_read(const uint8_t *data)
{
	return (struct rtp_header){
		.type = data[1],
		.number = (uint16_t)number_of(data + 2, 2),
		.timestamp = number_of(data + 4, 4),
		.ssrc = number_of(data + 8, 4),
	};
}

static size_t check_source(const struct address *from, const struct address *to)
{
	const uint32_t host = ntohl(from->v4.sin_addr.s_addr);
	const uint16_t port = address_port(from);

	if (host >> 28 >= 14 || host >> 24 == 0)
		return offsetof(struct rollcall_stats, udp_dropped_bad_source);
	if (port == 0)
		return offsetof(struct rollcall_stats, udp_dropped_no_port);
	if ((port == UDP_PORT && host == INADDR_LOOPBACK) ||
	    (port == UDP_WILDCARD_PORT && (host >> 24 == 127 || address_same_host(from, to))))
		return offsetof(struct rollcall_stats, udp_dropped_own_source);
	return port < 1024 ? offsetof(struct rollcall_stats, udp_dropped_low_port) : 0;
}

/* A token bucket: `rate` datagrams a second, and as many at once. */
static bool is_too_fast(struct drop_rules *rules, uint32_t source, uint64_t now_ns)
{
	const uint64_t each_ns = (SECOND_NS + rules->rate - 1) / rules->rate;
	uint64_t *full_ns;
	unsigned i = 0;

	while (i < rules->sources_count && rules->sources[i].source != source)
		i++;
	CHECK(i < DROP_RULES_SOURCES_MAX);
	if (i == rules->sources_count)
		rules->sources[rules->sources_count++].source = source;
	full_ns = &rules->sources[i].full_ns;
	if (*full_ns < now_ns)
		*full_ns = now_ns;
	if (*full_ns + each_ns > now_ns + rules->rate * each_ns)
		return true;
	*full_ns += each_ns;
	return false;
}

/* false: malformed. Else *at and *left are the payload. */
static bool read_payload(const uint8_t *data, size_t bytes, size_t *at, size_t *left)
{
	size_t padding;

	if (bytes < RTP_HEADER_BYTES || data[0] / 64 != 2 || (data[1] >= 192 && data[1] <= 223))
		return false;
	*at = RTP_HEADER_BYTES + 4 * (data[0] % 16u);
	if (data[0] & 16) {
		if (*at + 4 > bytes)
			return false;
		*at += 4 + 4 * number_of(data + *at + 2, 2);
	}
	padding = data[0] & 32 ? data[bytes - 1] : 0;
	if (*at + padding > bytes || (data[0] & 32 && padding == 0))
		return false;
	*left = bytes - *at - padding;
	return true;
}

size_t drop_rules_apply(struct drop_rules *rules, const struct address *from,
			const struct address *to, const uint8_t *data, size_t bytes,
			uint64_t now_ns, bool *numbered, size_t *payload_at, size_t *payload_bytes)
{
	size_t refused = check_source(from, to);

	*payload_at = 0;
	*payload_bytes = bytes;
	*numbered = rules->mode == ROLLCALL_SEQUENCE_RTP ||
		    (rules->mode == ROLLCALL_SEQUENCE_AUTO && bytes > 0 && data[0] >= 128 &&
		     data[0] <= 191);
	if (refused)
		return refused;
	if (rules->rate && is_too_fast(rules, from->v4.sin_addr.s_addr, now_ns))
		return offsetof(struct rollcall_stats, udp_dropped_rate);
	if (*numbered && !read_payload(data, bytes, payload_at, payload_bytes))
		return offsetof(struct rollcall_stats, udp_dropped_malformed);
	if (*payload_bytes >= strlen(prefix_twice) &&
	    memcmp(data + *payload_at, prefix_twice, strlen(prefix_twice)) == 0)
		return offsetof(struct rollcall_stats, udp_dropped_loop);
	return 0;
}
