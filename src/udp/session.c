/* SPDX-License-Identifier: MIT */
#include "udp/session.h"

#include <errno.h>
#include <string.h>

#include "udp/endpoint.h"

static void expire(struct sessions *sessions, struct idle *idle, struct client *client)
{
	const struct endpoint *endpoint = container_of(client->origin, struct endpoint, origin);

	/* The endpoint waits for a buffer or after an error: its socket may hold our datagrams. */
	if (endpoint->state != ENDPOINT_ENDED && !endpoint->receive.in_flight) {
		idle_touch(idle, client, sessions->hub->now_ns);
		return;
	}
	sessions_forget(sessions, client, -ETIME);
	hub_flush_later(sessions->hub, client);
}

static void on_new_idle(struct idle *idle, struct client *client)
{
	expire(container_of(idle, struct sessions, new_clients), idle, client);
}

static void on_active_idle(struct idle *idle, struct client *client)
{
	expire(container_of(idle, struct sessions, active_clients), idle, client);
}

/* Whether fewer places are free than active clients never take. */
static bool are_places_short(const struct sessions *sessions)
{
	const uint32_t limit = sessions->hub->options.udp_clients_max;

	return sessions->sources.clients > limit - SESSION_RESERVED(limit);
}

static uint64_t new_timeout_ms(const struct sessions *sessions, bool are_short)
{
	const uint64_t timeout_ms = sessions->hub->options.udp_idle_timeout_ms;

	return are_short ? min_u64(timeout_ms, SESSION_NEW_TIMEOUT_MS) : timeout_ms;
}

/* Called when a client was added or forgotten. */
static void set_new_timeout(struct sessions *sessions)
{
	idle_set_timeout(&sessions->new_clients,
			 new_timeout_ms(sessions, are_places_short(sessions)),
			 sessions->hub->now_ns);
}

static int init_idle(struct sessions *sessions)
{
	struct hub *hub = sessions->hub;
	const uint64_t timeout_ms = hub->options.udp_idle_timeout_ms;
	int error = idle_init(&sessions->new_clients, &hub->table, &hub->timeouts,
			      new_timeout_ms(sessions, true), on_new_idle);

	if (error)
		return error;
	set_new_timeout(sessions);
	return idle_init(&sessions->active_clients, &hub->table, &hub->timeouts, timeout_ms,
			 on_active_idle);
}

int sessions_init(struct sessions *sessions, struct hub *hub)
{
	const uint32_t limit = hub->options.udp_clients_max;
	uint8_t secret[SIPHASH_KEY_BYTES];
	int error;

	*sessions = (struct sessions){ .hub = hub };
	error = init_idle(sessions);
	if (error)
		return error;
	error = slab_init(&sessions->streams, sizeof(struct rtp_stream), limit);
	if (error)
		return error;
	ring_random(hub->ring, secret, sizeof(secret));
	error = peers_init(&sessions->peers, limit, secret);
	if (error)
		goto destroy_streams;
	ring_random(hub->ring, secret, sizeof(secret));
	error = sources_init(&sessions->sources, limit, secret);
	if (!error)
		return 0;
	peers_destroy(&sessions->peers);
destroy_streams:
	slab_destroy(&sessions->streams);
	return error;
}

void sessions_destroy(struct sessions *sessions)
{
	sources_destroy(&sessions->sources);
	peers_destroy(&sessions->peers);
	slab_destroy(&sessions->streams);
}

static struct idle *idle_of(struct sessions *sessions, const struct client *client)
{
	return client_has_any(client, CLIENT_ACTIVE) ? &sessions->active_clients
						     : &sessions->new_clients;
}

/* Counts a datagram of a client if it completes a round. */
static void count_round(struct client *client, uint64_t now_ns)
{
	const uint32_t now_ms = client_ms(now_ns);

	if (!client_has_any(client, CLIENT_ANSWERED) || client_has_any(client, CLIENT_CHALLENGED) ||
	    now_ms - client->udp.round_ms < SESSION_ROUND_MS)
		return;
	client_clear(client, CLIENT_ANSWERED);
	client->udp.round_ms = now_ms;
	if (client->udp.rounds < SESSION_ROUNDS)
		client->udp.rounds++;
}

/* Makes a new client with enough evidence active, unless too many are. */
static void activate(struct sessions *sessions, struct client *client)
{
	const uint32_t limit = sessions->hub->options.udp_clients_max;

	if (client->udp.rounds < SESSION_ROUNDS ||
	    sessions->active_count >= limit - SESSION_RESERVED(limit))
		return;
	idle_remove(&sessions->new_clients, client);
	client_set(client, CLIENT_ACTIVE);
	sessions->active_count++;
	idle_touch(&sessions->active_clients, client, sessions->hub->now_ns);
}

static void touch(struct sessions *sessions, struct client *client)
{
	if (!client_has_any(client, CLIENT_ACTIVE)) {
		count_round(client, sessions->hub->now_ns);
		activate(sessions, client);
	}
	idle_touch(idle_of(sessions, client), client, sessions->hub->now_ns);
}

void sessions_challenge(struct client *client)
{
	client_set(client, CLIENT_CHALLENGED);
}

void sessions_prove(struct sessions *sessions, struct client *client)
{
	client->udp.rounds = SESSION_ROUNDS;
	if (client->state == CLIENT_OPEN && !client_has_any(client, CLIENT_ACTIVE))
		activate(sessions, client);
}

/* Evicts a new client. false: NULL, or it has a send in flight. */
static bool evict(struct sessions *sessions, struct client *client)
{
	if (!client || client->udp.sends > 0)
		return false;
	sessions->hub->stats.udp_evictions++;
	sessions_forget(sessions, client, -ENOSPC);
	sessions_free(sessions, client);
	return true;
}

static struct client *find_oldest(struct sessions *sessions)
{
	return client_list_first(&sessions->hub->table, &sessions->new_clients.list);
}

/*
 * A new client of this source that has been silent for the time of one when places are short: what
 * a flood of forged datagrams has left does not keep the source full. NULL: none of those looked
 * at.
 */
static struct client *find_silent(struct sessions *sessions, uint64_t source)
{
	const struct hub *hub = sessions->hub;
	struct client *client = find_oldest(sessions);

	for (unsigned i = 0; client && i < SESSION_LOOKED_AT; i++) {
		if (client_ms(hub->now_ns) - client->active_ms < SESSION_NEW_TIMEOUT_MS)
			return NULL;
		if (client->udp.peer->source == source)
			return client;
		client = client_list_next(&hub->table, &sessions->new_clients.list, client);
	}
	return NULL;
}

/* Why no client can be added, or UDP_DROP_NONE. */
static enum udp_drop find_no_place(struct sessions *sessions, const struct arrival *arrival)
{
	struct hub *hub = sessions->hub;
	const struct rollcall_options *options = &hub->options;

	if (sources_count(&sessions->sources, arrival->source) >=
		    options->udp_clients_per_source_max &&
	    !evict(sessions, find_silent(sessions, arrival->source)))
		return UDP_DROP_SOURCE_FULL;
	/* Closing clients count until their slots are freed. */
	if (table_count(&hub->table, ROLLCALL_UDP) >= options->udp_clients_max &&
	    !evict(sessions, find_oldest(sessions)))
		return UDP_DROP_FULL;
	return UDP_DROP_NONE;
}

static struct rtp_stream *make_stream(struct sessions *sessions, const struct rtp *first)
{
	struct rtp_stream *stream = slab_take(&sessions->streams);
	uint64_t random;

	CHECK(stream);
	ring_random(sessions->hub->ring, &random, sizeof(random));
	rtp_stream_init(stream, first, random);
	return stream;
}

static struct client *add_client(struct sessions *sessions, const struct arrival *arrival)
{
	struct hub *hub = sessions->hub;
	struct client *client = table_add(&hub->table, ROLLCALL_UDP);

	CHECK(client);
	client->udp.peer = peers_add(&sessions->peers, &arrival->key, client->id);
	CHECK(client->udp.peer);
	client->udp.peer->source = arrival->source;
	sources_add(&sessions->sources, arrival->source);
	if (arrival->key.numbered)
		client->udp.stream = make_stream(sessions, &arrival->rtp);
	client->origin = &arrival->endpoint->origin;
	client->udp.round_ms = client_ms(hub->now_ns);
	hub->stats.udp_clients++;
	set_new_timeout(sessions);
	idle_touch(&sessions->new_clients, client, hub->now_ns);
	hub_connected(hub, client);
	return client;
}

struct client *sessions_find(struct sessions *sessions, const struct arrival *arrival,
			     enum udp_drop *no_place)
{
	struct udp_peer *peer = peers_find(&sessions->peers, &arrival->key);
	struct client *client;

	if (!peer) {
		*no_place = find_no_place(sessions, arrival);
		return *no_place ? NULL : add_client(sessions, arrival);
	}
	client = table_find(&sessions->hub->table, peer->client);
	CHECK(client && client->state == CLIENT_OPEN);
	touch(sessions, client);
	return client;
}

void sessions_forget(struct sessions *sessions, struct client *client, int reason)
{
	struct udp_peer *peer = client->udp.peer;

	CHECK(client->state == CLIENT_OPEN);
	client->state = CLIENT_CLOSING;
	client->reason = (int16_t)reason;
	idle_remove(idle_of(sessions, client), client);
	sessions->active_count -= client_has_any(client, CLIENT_ACTIVE);
	sources_remove(&sessions->sources, peer->source);
	peers_remove(&sessions->peers, peer);
	client->udp.peer = NULL;
	set_new_timeout(sessions);
}

void sessions_free(struct sessions *sessions, struct client *client)
{
	struct rtp_stream *stream = client->udp.stream;

	CHECK(client->state == CLIENT_CLOSING && client->udp.sends == 0);
	hub_disconnected(sessions->hub, client);
	if (stream)
		slab_give(&sessions->streams, stream);
}
