/* SPDX-License-Identifier: MIT */
#include "udp/udp.h"

#include <errno.h>
#include <string.h>

#include "udp/endpoint.h"

int udp_init(struct udp *udp, struct hub *hub)
{
	const unsigned limit = hub->options.udp_rate;
	uint8_t secret[SIPHASH_KEY_BYTES];
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
	ring_random(hub->ring, secret, sizeof(secret));
	error = limit ? rate_init(&udp->rate, limit, UDP_RATE_BUCKETS, secret) : 0;
	if (!error)
		return 0;
	datagrams_destroy(&udp->datagrams);
destroy_sessions:
	sessions_destroy(&udp->sessions);
	return error;
}

void udp_destroy(struct udp *udp)
{
	if (udp->hub->options.udp_rate)
		rate_destroy(&udp->rate);
	datagrams_destroy(&udp->datagrams);
	sessions_destroy(&udp->sessions);
	own_destroy(&udp->own, udp->hub);
}

/* ---- Receiving ---- */

static bool has_prefix_twice(const char *prefix, const struct arrival *arrival)
{
	size_t length = prefix ? strlen(prefix) : 0;

	return length > 0 && arrival->bytes >= 2 * length &&
	       memcmp(arrival->data, prefix, length) == 0 &&
	       memcmp(arrival->data + length, prefix, length) == 0;
}

/* Parses and strips the RTP header, as the mode requires. false: it is missing or malformed. */
static bool take_header(struct arrival *arrival, enum rollcall_udp_sequence mode)
{
	size_t payload, payload_bytes;

	if (mode == ROLLCALL_SEQUENCE_OFF ||
	    (mode == ROLLCALL_SEQUENCE_AUTO && (arrival->bytes == 0 || !rtp_is(arrival->data[0]))))
		return true;
	if (rtp_parse(arrival->data, arrival->bytes, &arrival->rtp, &payload, &payload_bytes))
		return false;
	arrival->key.numbered = 1;
	arrival->key.ssrc = arrival->rtp.ssrc;
	arrival->data += payload;
	arrival->bytes = payload_bytes;
	return true;
}

/* No client can be added: a stateless service answers anyway, otherwise drop and count. */
static void receive_unlisted(struct udp *udp, const struct arrival *arrival, uint64_t *reason)
{
	const struct origin *origin = &arrival->endpoint->origin;

	if (!origin->service.stateless) {
		++*reason;
		return;
	}
	udp->hub->stats.udp_unlisted++;
	udp->unlisted = arrival;
	hub_received_unlisted(udp->hub, origin, arrival->data, arrival->bytes);
	udp->unlisted = NULL;
}

void udp_receive(struct udp *udp, struct arrival *arrival)
{
	struct hub *hub = udp->hub;
	const struct rollcall_options *options = &hub->options;
	struct client *client;
	uint64_t *no_place;

	if (options->udp_rate && !rate_allow(&udp->rate, arrival->source, hub->now_ns)) {
		hub->stats.udp_dropped_rate++;
		return;
	}
	if (!take_header(arrival, options->udp_sequence)) {
		hub->stats.udp_dropped_malformed++;
		return;
	}
	if (has_prefix_twice(arrival->endpoint->origin.service.loop_prefix, arrival)) {
		hub->stats.udp_dropped_loop++;
		return;
	}
	client = sessions_find(&udp->sessions, arrival, &no_place);
	if (!client) {
		receive_unlisted(udp, arrival, no_place);
		return;
	}
	/* The service may have closed it in connected(). */
	if (client->state != CLIENT_OPEN)
		return;
	if (client->udp.stream &&
	    !stream_take(client->udp.stream, &arrival->rtp, hub->now_ns, &hub->stats))
		return;
	hub_received(hub, client, arrival->data, arrival->bytes);
}

/* ---- Sending ---- */

static bool is_too_long(const struct endpoint *endpoint, size_t bytes)
{
	return bytes > (endpoint->address.any.sa_family == AF_INET ? DATAGRAM_IPV4_BYTES_MAX
								   : DATAGRAM_IPV6_BYTES_MAX);
}

/* Sends a message, behind the RTP header unless that is NULL. */
static bool send_behind(struct udp *udp, const struct datagram_target *target, uint8_t *header,
			const struct message *message)
{
	struct iovec parts[DATAGRAM_PARTS_MAX];
	const struct message whole = { parts, 1 + message->count,
				       RTP_HEADER_BYTES + message->bytes };

	if (!header)
		return datagrams_send(&udp->datagrams, target, message);
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
	struct stream *stream = client->udp.stream;
	uint8_t header[RTP_HEADER_BYTES];
	struct datagram_target target;

	if (client->state != CLIENT_OPEN)
		return -EPIPE;
	target = (struct datagram_target){ endpoint_of(client), &client->udp.peer->key, client };
	/* Checked first: a refused message must not use up a sequence number. */
	if (is_too_long(target.endpoint, message->bytes + (stream ? sizeof(header) : 0)))
		return -EMSGSIZE;
	if (stream)
		stream_number(stream, header);
	if (send_behind(udp, &target, stream ? header : NULL, message))
		hub_count_sent(udp->hub, client, message->bytes);
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
	bool numbered;

	if (!arrival)
		return -ENOENT;
	numbered = arrival->key.numbered;
	target = (struct datagram_target){ arrival->endpoint, &arrival->key, NULL };
	if (is_too_long(target.endpoint, message->bytes + (numbered ? sizeof(header) : 0)))
		return -EMSGSIZE;
	if (numbered)
		number_unlisted(udp, arrival, header);
	if (send_behind(udp, &target, numbered ? header : NULL, message))
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
