/* SPDX-License-Identifier: MIT */
#include "udp/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two limits: of each source, and of each site. */
static int init_rates(struct udp *udp, uint32_t limit)
{
	const uint32_t site_limit =
		(uint32_t)min_size(UDP_RATE_SITE * (size_t)limit, RATE_PER_SECOND_MAX);
	uint8_t secret[SIPHASH_KEY_BYTES];
	int error;

	ring_random(udp->hub->ring, secret, sizeof(secret));
	error = rate_init(&udp->rate, limit, UDP_RATE_BUCKETS, secret);
	if (error)
		return error;
	error = rate_init(&udp->site_rate, site_limit, UDP_RATE_BUCKETS, secret);
	if (error)
		rate_destroy(&udp->rate);
	return error;
}

int udp_init(struct udp *udp, struct hub *hub)
{
	const unsigned limit = hub->options.udp_rate;
	int error;

	*udp = (struct udp){ .hub = hub };
	own_init(&udp->own);
	error = sessions_init(&udp->sessions, hub);
	if (error)
		return error;
	error = datagrams_init(&udp->datagrams, hub);
	if (error)
		goto destroy_sessions;
	ring_random(hub->ring, udp->secret, sizeof(udp->secret));
	error = limit ? init_rates(udp, limit) : 0;
	if (!error)
		return 0;
	datagrams_destroy(&udp->datagrams);
destroy_sessions:
	sessions_destroy(&udp->sessions);
	return error;
}

void udp_destroy(struct udp *udp)
{
	if (udp->hub->options.udp_rate) {
		rate_destroy(&udp->site_rate);
		rate_destroy(&udp->rate);
	}
	if (udp->limits_repeats)
		rate_destroy(&udp->repeats);
	datagrams_destroy(&udp->datagrams);
	sessions_destroy(&udp->sessions);
	while (udp->endpoint_count > 0)
		udp_close_newest(udp);
	own_destroy(&udp->own, udp->hub);
}

/* ---- Endpoints ---- */

/* Called for a service that sends back what it receives. */
static int limit_repeats(struct udp *udp)
{
	uint8_t secret[SIPHASH_KEY_BYTES];
	int error;

	if (udp->limits_repeats)
		return 0;
	ring_random(udp->hub->ring, secret, sizeof(secret));
	error = rate_init(&udp->repeats, UDP_REPEATS_PER_SECOND, UDP_REPEATS_BUCKETS, secret);
	if (error)
		return error;
	rate_set_burst(&udp->repeats, UDP_REPEATS_BURST);
	udp->limits_repeats = true;
	return 0;
}

int udp_open(struct udp *udp, const struct origin *origin, int fd)
{
	const char *prefix = origin->service.loop_prefix;
	int error = prefix && !prefix[0] ? limit_repeats(udp) : 0;
	struct endpoint *endpoint;

	if (error)
		return error;
	endpoint = calloc(1, sizeof(*endpoint));
	if (!endpoint)
		return -ENOMEM;
	endpoint->origin = *origin;
	endpoint->origin.index = (uint16_t)udp->endpoint_count;
	error = endpoint_open(endpoint, udp->hub, fd);
	if (error) {
		free(endpoint);
		return error;
	}
	arrival_lay_out(&endpoint->layout);
	if (endpoint->wildcard) {
		own_open(&udp->own, udp->hub);
		endpoint->elsewhere = !own_is_of(&udp->own, udp->hub, fd);
	}
	udp->endpoints[udp->endpoint_count++] = endpoint;
	return 0;
}

void udp_close_newest(struct udp *udp)
{
	struct endpoint *endpoint = udp->endpoints[--udp->endpoint_count];

	endpoint_destroy(endpoint);
	free(endpoint);
}

size_t udp_receive_bytes_max(const struct udp *udp)
{
	size_t most = 0;

	for (unsigned i = 0; i < udp->endpoint_count; i++)
		if (udp->endpoints[i]->receive_bytes > most)
			most = udp->endpoints[i]->receive_bytes;
	return most;
}

void udp_report(struct udp *udp, struct rollcall_stats *stats)
{
	stats->udp_dropped_full = udp->dropped[UDP_DROP_FULL];
	stats->udp_dropped_source_full = udp->dropped[UDP_DROP_SOURCE_FULL];
	stats->udp_dropped_rate = udp->dropped[UDP_DROP_RATE];
	stats->udp_dropped_no_port = udp->dropped[UDP_DROP_NO_PORT];
	stats->udp_dropped_low_port = udp->dropped[UDP_DROP_LOW_PORT];
	stats->udp_dropped_own_source = udp->dropped[UDP_DROP_OWN_SOURCE];
	stats->udp_dropped_bad_source = udp->dropped[UDP_DROP_BAD_SOURCE];
	stats->udp_dropped_loop = udp->dropped[UDP_DROP_LOOP];
	stats->udp_dropped_truncated = udp->dropped[UDP_DROP_TRUNCATED];
	stats->udp_dropped_malformed = udp->dropped[UDP_DROP_MALFORMED];
	for (unsigned i = 0; i < udp->endpoint_count; i++) {
		endpoint_count_drops(udp->endpoints[i]);
		stats->udp_dropped_kernel += udp->endpoints[i]->dropped;
	}
}

/* ---- Sending ---- */

static bool is_too_long(const struct endpoint *endpoint, size_t bytes)
{
	return bytes > (endpoint->address.any.sa_family == AF_INET ? DATAGRAM_IPV4_BYTES_MAX
								   : DATAGRAM_IPV6_BYTES_MAX);
}

/* Sends a message behind an RTP header. */
static bool send_behind(struct udp *udp, const struct datagram_target *target, uint8_t *header,
			const struct message *message)
{
	struct iovec parts[DATAGRAM_PARTS_MAX];
	const struct message whole = { parts, 1 + message->count,
				       RTP_HEADER_BYTES + message->bytes };

	parts[0] = (struct iovec){ header, RTP_HEADER_BYTES };
	memcpy(parts + 1, message->parts, message->count * sizeof(*parts));
	return datagrams_send(&udp->datagrams, target, &whole);
}

static struct endpoint *endpoint_of(const struct client *client)
{
	return container_of((struct origin *)client->origin, struct endpoint, origin);
}

int udp_send(struct udp *udp, struct client *client, const struct message *message)
{
	struct rtp_stream *stream = client->udp.stream;
	uint8_t header[RTP_HEADER_BYTES];
	struct datagram_target target;
	bool sent;

	if (client->state != CLIENT_OPEN)
		return -EPIPE;
	target = (struct datagram_target){ endpoint_of(client), &client->udp.peer->key, client };
	/* Checked first: a refused message must not use up a sequence number. */
	if (is_too_long(target.endpoint, message->bytes + (stream ? sizeof(header) : 0)))
		return -EMSGSIZE;
	if (stream) {
		rtp_stream_number(stream, header);
		sent = send_behind(udp, &target, header, message);
	} else {
		sent = datagrams_send(&udp->datagrams, &target, message);
	}
	if (sent) {
		client_set(client, CLIENT_ANSWERED);
		hub_count_sent(udp->hub, client, message->bytes);
	}
	return 0;
}

/*
 * There is no state for this client: its own sequence number is returned. The SSRC is ours, derived
 * from the key, so that it is the same for each of its datagrams.
 */
static void number_unlisted(const struct udp *udp, const struct arrival *arrival,
			    uint8_t header[static RTP_HEADER_BYTES])
{
	const uint64_t hash = siphash(udp->secret, &arrival->key, sizeof(arrival->key));
	struct rtp rtp = arrival->rtp;

	rtp.ssrc = rtp_other_ssrc(&rtp, (uint32_t)hash);
	rtp_write(header, &rtp);
}

int udp_answer(struct udp *udp, const struct message *message)
{
	const struct arrival *arrival = udp->unlisted;
	uint8_t header[RTP_HEADER_BYTES];
	struct datagram_target target;
	bool numbered, sent;

	if (!arrival)
		return -ENOENT;
	numbered = arrival->key.numbered;
	target = (struct datagram_target){ arrival->endpoint, &arrival->key, NULL };
	if (is_too_long(target.endpoint, message->bytes + (numbered ? sizeof(header) : 0)))
		return -EMSGSIZE;
	if (numbered) {
		number_unlisted(udp, arrival, header);
		sent = send_behind(udp, &target, header, message);
	} else {
		sent = datagrams_send(&udp->datagrams, &target, message);
	}
	if (sent)
		hub_count_sent(udp->hub, NULL, message->bytes);
	return 0;
}

void udp_on_sent(struct udp *udp, uint64_t id, const struct io_uring_cqe *cqe)
{
	struct client *client = datagrams_on_sent(&udp->datagrams, id, cqe);

	if (client && client->state == CLIENT_CLOSING)
		hub_flush_later(udp->hub, client);
}

void udp_address(const struct client *client, struct address *to)
{
	*to = (struct address){ 0 };
	if (client->udp.peer)
		datagram_address(&client->udp.peer->key, &endpoint_of(client)->address, to);
}

/* ---- Ending ---- */

void udp_close(struct udp *udp, struct client *client, int reason)
{
	if (client->state != CLIENT_OPEN)
		return;
	sessions_forget(&udp->sessions, client, reason);
	hub_flush_later(udp->hub, client);
}

bool udp_flush_client(struct udp *udp, struct client *client)
{
	if (!datagrams_flush(&udp->datagrams, client))
		return false;
	if (client->state == CLIENT_CLOSING && client->udp.sends == 0)
		sessions_free(&udp->sessions, client);
	return true;
}
