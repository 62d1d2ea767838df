/* SPDX-License-Identifier: MIT */
#include "udp/incoming.h"

#include <string.h>

/*
 * Ports below this belong to other services (RFC 6335, section 6): two servers that answer each
 * other would not stop.
 */
#define LOW_PORTS_END 1024

static bool has_prefix_twice(const char *prefix, const struct arrival *arrival)
{
	const size_t length = strlen(prefix);

	return arrival->bytes >= 2 * length && memcmp(arrival->data, prefix, length) == 0 &&
	       memcmp(arrival->data + length, prefix, length) == 0;
}

/* Whether the peer's port may be a server's. */
static bool has_server_port(const struct udp *udp, const struct arrival *arrival)
{
	if (arrival->key.port < UDP_EPHEMERAL_PORTS)
		return true;
	for (unsigned i = 0; i < udp->endpoint_count; i++)
		if (address_port(&udp->endpoints[i]->address) == arrival->key.port)
			return true;
	return false;
}

/* Whether identical datagrams of the peer are above the limit: they may be our own answers. */
static bool is_repeated(struct udp *udp, const struct arrival *arrival)
{
	const struct udp_key *key = &arrival->key;
	struct {
		uint8_t peer[16];
		uint64_t payload;
		uint32_t scope;
		uint16_t port, endpoint;
	} repeat = { .scope = key->scope, .port = key->port, .endpoint = key->endpoint };

	_Static_assert(sizeof(repeat) == 32, "without padding it can be hashed as it is");
	memcpy(repeat.peer, key->peer, sizeof(repeat.peer));
	repeat.payload = siphash(udp->secret, arrival->data, arrival->bytes);
	return !rate_allow(&udp->repeats, siphash(udp->secret, &repeat, sizeof(repeat)),
			   udp->hub->now_ns);
}

/* Whether a datagram has bounced between two servers that answer everything, or may have. */
static bool is_looping(struct udp *udp, const struct arrival *arrival)
{
	const char *prefix = arrival->endpoint->origin.service.loop_prefix;

	if (!prefix)
		return false;
	if (prefix[0])
		return has_prefix_twice(prefix, arrival);
	return has_server_port(udp, arrival) && is_repeated(udp, arrival);
}

/* Parses and strips the RTP header, as the mode requires. false: it is missing or malformed. */
static bool take_header(struct arrival *arrival, enum rollcall_udp_sequence mode)
{
	size_t payload, payload_bytes;

	arrival->key.numbered = arrival->key.ssrc = 0;
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
static void receive_unlisted(struct udp *udp, const struct arrival *arrival, enum udp_drop reason)
{
	const struct origin *origin = &arrival->endpoint->origin;

	if (!origin->service.stateless) {
		udp->dropped[reason]++;
		return;
	}
	udp->hub->stats.udp_unlisted++;
	udp->unlisted = arrival;
	hub_received_unlisted(udp->hub, origin, arrival->data, arrival->bytes);
	udp->unlisted = NULL;
}

/* The limit of the site is asked last: what one source sends too much takes nothing of it. */
static bool is_too_fast(struct udp *udp, const struct arrival *arrival)
{
	const uint64_t now_ns = udp->hub->now_ns;

	if (!rate_allow(&udp->rate, arrival->source, now_ns))
		return true;
	return !sources_is_ipv4(arrival->source) &&
	       !rate_allow(&udp->site_rate, sources_site(arrival->source), now_ns);
}

/* Why a datagram is dropped, whichever client sent it. Strips the RTP header. */
static enum udp_drop screen(struct udp *udp, struct arrival *arrival)
{
	const struct rollcall_options *options = &udp->hub->options;

	if (options->udp_rate && is_too_fast(udp, arrival))
		return UDP_DROP_RATE;
	if (!take_header(arrival, options->udp_sequence))
		return UDP_DROP_MALFORMED;
	if (is_looping(udp, arrival))
		return UDP_DROP_LOOP;
	return UDP_DROP_NONE;
}

/* The client that the datagrams before in the batch had, if this one has it too; else NULL. */
static struct client *find_again(struct udp *udp, const struct arrival *arrival)
{
	struct client *client = table_find(&udp->hub->table, arrival->client);

	/* With an RTP header each may have another one; and the service may have closed it. */
	return client && client->state == CLIENT_OPEN && !arrival->key.numbered ? client : NULL;
}

/* Delivers a datagram to its client, or drops and counts it. */
static void receive(struct udp *udp, struct arrival *arrival)
{
	struct hub *hub = udp->hub;
	enum udp_drop drop = screen(udp, arrival);
	struct client *client;

	if (drop) {
		udp->dropped[drop]++;
		return;
	}
	client = find_again(udp, arrival);
	if (!client)
		client = sessions_find(&udp->sessions, arrival, &drop);
	if (!client) {
		receive_unlisted(udp, arrival, drop);
		return;
	}
	arrival->client = arrival->key.numbered ? ROLLCALL_NONE : client->id;
	/* The service may have closed it in connected(). */
	if (client->state != CLIENT_OPEN)
		return;
	if (client->udp.stream &&
	    !rtp_stream_take(client->udp.stream, &arrival->rtp, hub->now_ns, &hub->stats))
		return;
	hub_received(hub, client, arrival->data, arrival->bytes);
}

/* A wildcard endpoint has every address of this machine. */
static bool has_address(struct udp *udp, const struct endpoint *endpoint,
			const struct address *address)
{
	if (!endpoint->wildcard)
		return address_same_host(&endpoint->address, address);
	return endpoint->elsewhere || own_has(&udp->own, udp->hub, address);
}

/* Whether the source is one of our own sockets, genuine or forged. */
static bool is_from_ourselves(struct udp *udp, const struct arrival *arrival)
{
	for (unsigned i = 0; i < udp->endpoint_count; i++) {
		const struct endpoint *own = udp->endpoints[i];

		if (own->address.any.sa_family == arrival->from.any.sa_family &&
		    address_port(&own->address) == arrival->key.port &&
		    has_address(udp, own, &arrival->from))
			return true;
	}
	return false;
}

enum udp_drop incoming_refuse(struct udp *udp, const struct arrival *arrival)
{
	if (!address_is_unicast(&arrival->from))
		return UDP_DROP_BAD_SOURCE;
	if (arrival->key.port == 0)
		return UDP_DROP_NO_PORT;
	if (is_from_ourselves(udp, arrival))
		return UDP_DROP_OWN_SOURCE;
	if (arrival->key.port < LOW_PORTS_END && !udp->hub->options.udp_low_ports)
		return UDP_DROP_LOW_PORT;
	return UDP_DROP_NONE;
}

/* Receives a datagram, or each datagram of a GRO batch: the arrival is made one after the other. */
static void receive_each(struct udp *udp, struct arrival *arrival)
{
	const enum udp_drop refused = incoming_refuse(udp, arrival);
	const uint8_t *data = arrival->data, *end = data + arrival->bytes;
	const size_t segment_bytes =
		arrival->segment_bytes > 0 ? arrival->segment_bytes : arrival->bytes;

	udp->hub->stats.udp_batches_received += segment_bytes < arrival->bytes;
	do {
		arrival->data = data;
		arrival->bytes = min_size((size_t)(end - data), segment_bytes);
		data += arrival->bytes;
		if (refused)
			udp->dropped[refused]++;
		else
			receive(udp, arrival);
	} while (data < end && !udp->hub->refusing);
}

static void receive_buffer(struct udp *udp, struct endpoint *endpoint, void *buffer, int bytes)
{
	struct arrival arrival;

	if (!arrival_parse(&arrival, endpoint, buffer, bytes)) {
		udp->dropped[UDP_DROP_TRUNCATED]++;
		return;
	}
	endpoint_count_receive(endpoint);
	receive_each(udp, &arrival);
}

void incoming_on_receive(struct udp *udp, struct endpoint *endpoint, const struct io_uring_cqe *cqe)
{
	struct buffers *buffers = &udp->hub->buffers[BUFFERS_UDP];

	endpoint_completed(endpoint, cqe);
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t buffer = buffers_take(buffers, cqe->flags);

		/* Before Linux 6.8 EAGAIN may carry a buffer too. */
		if (cqe->res > 0 && !udp->hub->refusing)
			receive_buffer(udp, endpoint, buffers_data(buffers, buffer), cqe->res);
		buffers_release(buffers, buffer);
	}
	if (cqe->res < 0)
		endpoint_failed(endpoint, cqe->res);
}
