/* SPDX-License-Identifier: MIT */
#include "sim/udp_oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* A round is a datagram after an answer, this long after the round before. */
#define ROUND_MS 1000

void udp_oracle_begin(struct udp_oracle *oracle, struct sim *sim, struct rollcall_server *server,
		      const struct rollcall_options *options, bool stateless)
{
	oracle->sim = sim;
	oracle->server = server;
	oracle->options = *options;
	oracle->stateless = stateless;
	oracle->rules.mode = options->udp_sequence;
	oracle->rules.rate = options->udp_rate;
	oracle->pending_end = &oracle->pending;
}

void udp_oracle_end(struct udp_oracle *oracle)
{
	for (unsigned i = 0; i < oracle->count; i++)
		free(oracle->clients[i].sequence);
	while (oracle->pending) {
		struct udp_oracle_answer *first = oracle->pending;

		oracle->pending = first->next;
		free(first);
	}
}

/* ---- Clients ---- */

static struct udp_oracle_client *find(struct udp_oracle *oracle, rollcall_client id)
{
	for (unsigned i = oracle->count; i-- > 0;)
		if (oracle->clients[i].id == id)
			return &oracle->clients[i];
	return NULL;
}

bool udp_oracle_is_same(const struct udp_oracle_key *a, const struct udp_oracle_key *b)
{
	return a->numbered == b->numbered && a->ssrc == b->ssrc &&
	       address_equal(&a->from, &b->from) && address_equal(&a->to, &b->to);
}

/*
 * The client that a datagram belongs to; NULL: it would be a new one. A closing client has no
 * address any more.
 */
static struct udp_oracle_client *find_owner(struct udp_oracle *oracle,
					    const struct udp_oracle_key *key)
{
	for (unsigned i = oracle->count; i-- > 0;) {
		struct udp_oracle_client *client = &oracle->clients[i];

		if (udp_oracle_is_same(&client->key, key))
			return !client->gone && udp_oracle_client_info(oracle, client->id)
							.address_bytes
				       ? client
				       : NULL;
	}
	return NULL;
}

static bool was_known(const struct udp_oracle *oracle, const struct udp_oracle_key *key)
{
	for (unsigned i = 0; i < oracle->count; i++)
		if (udp_oracle_is_same(&oracle->clients[i].key, key))
			return true;
	return false;
}

static struct udp_oracle_client *add_client(struct udp_oracle *oracle, rollcall_client id,
					    const struct udp_oracle_key *key)
{
	struct udp_oracle_client *client;

	CHECK(oracle->count < UDP_ORACLE_CLIENTS_MAX);
	oracle->returned += was_known(oracle, key);
	client = &oracle->clients[oracle->count++];
	*client = (struct udp_oracle_client){
		.id = id,
		.key = *key,
		.round_ms = oracle->batch_ns / 1000000,
	};
	udp_oracle_note_change(oracle);
	if (!key->numbered)
		return client;
	client->sequence = malloc(sizeof(*client->sequence));
	CHECK(client->sequence);
	*client->sequence = (struct sequence_model)SEQUENCE_MODEL_INIT;
	return client;
}

/* ---- Received datagrams ---- */

static void note_round(struct udp_oracle *oracle, struct udp_oracle_client *client)
{
	const uint64_t now_ms = oracle->batch_ns / 1000000;

	if (!client->answered || now_ms - client->round_ms < ROUND_MS)
		return;
	client->answered = false;
	client->round_ms = now_ms;
	client->rounds++;
}

/* Counts a datagram of a client. */
static void take(struct udp_oracle *oracle, struct udp_oracle_client *client,
		 const struct udp_oracle_datagram *datagram)
{
	bool wanted = !client->sequence ||
		      sequence_model_take(client->sequence, datagram->header.number,
					  datagram->header.timestamp, oracle->batch_ns / 1000);

	note_round(oracle, client);
	udp_oracle_activate(oracle, client);
	client->last_ns = oracle->batch_ns;
	client->delivered += datagram->delivered;
	if (wanted != datagram->delivered && !oracle->closed)
		sim_fail(oracle->sim, "number %u of client %" PRIu64 " was %s",
			 datagram->header.number, client->id,
			 wanted ? "not delivered" : "delivered, but should not be");
}

/* Whether it was connected when the datagrams from oracle->next on were received. */
static bool was_there(const struct udp_oracle *oracle, const struct udp_oracle_client *client)
{
	return !client->gone ||
	       (client->gone_batch == oracle->batches && client->gone_next == oracle->next);
}

/* Datagrams before `end` that were not delivered yet will not be. */
static void resolve(struct udp_oracle *oracle, unsigned end)
{
	for (unsigned i = oracle->next; i < end; i++) {
		struct udp_oracle_datagram *datagram = &oracle->batch[i];

		if (!datagram->open)
			continue;
		if (datagram->owner && was_there(oracle, datagram->owner))
			take(oracle, datagram->owner, datagram);
		else if ((oracle->stateless || datagram->has_space) && !oracle->closed)
			sim_fail(oracle->sim, "a datagram was dropped that could be answered");
		else
			oracle->dropped_full++;
	}
	oracle->next = end;
}

static void resolve_all(struct udp_oracle *oracle)
{
	resolve(oracle, oracle->batch_count);
	while (oracle->unchecked_count > 0)
		udp_oracle_check_gone(oracle, oracle->unchecked[--oracle->unchecked_count]);
}

static void add_to_batch(struct udp_oracle *oracle, const struct sim_received *received, size_t at,
			 size_t bytes)
{
	struct udp_oracle_datagram *datagram = &oracle->batch[oracle->batch_count++];
	const uint8_t *data = received->data + at;
	size_t payload_at, counter;

	CHECK(oracle->batch_count <= UDP_ORACLE_BATCH_MAX);
	*datagram = (struct udp_oracle_datagram){ .key = { .from = received->from,
							   .to = received->to } };
	counter = drop_rules_apply(&oracle->rules, &received->from, &received->to, data, bytes,
				   sim_now_ns(oracle->sim), &datagram->key.numbered, &payload_at,
				   &datagram->bytes);
	if (counter) {
		++*(uint64_t *)((char *)&oracle->expected + counter);
		return;
	}
	datagram->open = true;
	datagram->payload = data + payload_at;
	if (datagram->key.numbered) {
		datagram->header = rtp_header_read(data);
		datagram->key.ssrc = datagram->header.ssrc;
	}
	datagram->owner = find_owner(oracle, &datagram->key);
	/* Later ones of the batch may find the table full because of this one. */
	datagram->has_space =
		datagram == oracle->batch && udp_oracle_has_space(oracle, &received->from);
}

void udp_oracle_received(struct udp_oracle *oracle, const struct sim_received *received)
{
	const size_t each = received->segment_bytes ? received->segment_bytes : received->bytes;
	size_t at = 0;

	resolve_all(oracle);
	oracle->batch_count = 0;
	oracle->next = 0;
	oracle->batches++;
	oracle->batch_ns = sim_now_ns(oracle->sim);
	if (received->truncated) {
		oracle->expected.udp_dropped_truncated++;
		return;
	}
	oracle->expected.udp_batches_received += each < received->bytes;
	do {
		size_t bytes = min_size(each, received->bytes - at);

		add_to_batch(oracle, received, at, bytes);
		at += bytes;
	} while (at < received->bytes);
}

/* ---- The service ---- */

static struct udp_oracle_datagram *find_in_batch(struct udp_oracle *oracle, const void *data,
						 size_t bytes)
{
	for (unsigned i = oracle->next; i < oracle->batch_count; i++) {
		struct udp_oracle_datagram *datagram = &oracle->batch[i];

		if (datagram->open && datagram->payload == data && datagram->bytes == bytes)
			return datagram;
	}
	sim_fail(oracle->sim, "%zu bytes are delivered that were not received", bytes);
}

/* Finds the client that a datagram was delivered to: its owner, or a new one. */
static struct udp_oracle_client *note_client(struct udp_oracle *oracle,
					     struct udp_oracle_datagram *datagram,
					     rollcall_client id)
{
	struct udp_oracle_client *client = find(oracle, id);

	if (client && (client != datagram->owner || client->gone))
		sim_fail(oracle->sim, "client %" PRIu64 " receives what another has sent", id);
	if (client)
		return client;
	if (datagram->owner && !datagram->owner->gone)
		sim_fail(oracle->sim, "client %" PRIu64 " has a second ID, %" PRIu64,
			 datagram->owner->id, id);
	client = add_client(oracle, id, &datagram->key);
	for (unsigned i = 0; i < oracle->batch_count; i++)
		if (udp_oracle_is_same(&oracle->batch[i].key, &datagram->key))
			oracle->batch[i].owner = client;
	return client;
}

void udp_oracle_delivered(struct udp_oracle *oracle, rollcall_client id, const void *data,
			  size_t bytes)
{
	struct udp_oracle_datagram *datagram = find_in_batch(oracle, data, bytes);
	struct udp_oracle_client *client = NULL;

	sim_leave_server(oracle->sim);
	resolve(oracle, (unsigned)(datagram - oracle->batch));
	if (id == ROLLCALL_NONE && datagram->owner && was_there(oracle, datagram->owner))
		sim_fail(oracle->sim, "client %" PRIu64 " is treated as unknown",
			 datagram->owner->id);
	datagram->delivered = true;
	if (id == ROLLCALL_NONE) {
		if (datagram->has_space)
			sim_fail(oracle->sim, "the table has space, but no client was added");
		oracle->expected.udp_unlisted++;
	} else {
		client = note_client(oracle, datagram, id);
		udp_oracle_check_limits(oracle, &datagram->key.from);
		take(oracle, client, datagram);
	}
	oracle->next++;
	udp_oracle_expect(oracle, client, datagram);
	sim_enter_server(oracle->sim);
}

void udp_oracle_answered(struct udp_oracle *oracle, rollcall_client id)
{
	struct udp_oracle_client *client = find(oracle, id);

	if (client && udp_oracle_client_info(oracle, id).messages_sent > client->sent) {
		client->sent = udp_oracle_client_info(oracle, id).messages_sent;
		client->answered = true;
	}
	udp_oracle_check_drops(oracle);
}

void udp_oracle_disconnected(struct udp_oracle *oracle, rollcall_client id, int reason)
{
	struct udp_oracle_client *client = find(oracle, id);

	if (!client)
		sim_fail(oracle->sim, "client %" PRIu64 " has disconnected, but has sent nothing",
			 id);
	udp_oracle_note_change(oracle);
	client->gone = true;
	client->reason = reason;
	client->gone_ns = sim_now_ns(oracle->sim);
	client->gone_batch = oracle->batches;
	client->gone_next = oracle->next;
	client->info = udp_oracle_client_info(oracle, id);
	oracle->gone++;
	CHECK(oracle->unchecked_count < UDP_ORACLE_BATCH_MAX);
	oracle->unchecked[oracle->unchecked_count++] = client;
	/* It is evicted for a datagram of this batch: the others are not delivered yet. */
	if (reason == -ENOSPC)
		oracle->expected.udp_evictions++;
	else
		resolve_all(oracle);
}

void udp_oracle_close(struct udp_oracle *oracle)
{
	if (oracle->closed)
		return;
	resolve_all(oracle);
	udp_oracle_check_counters(oracle);
	oracle->closed = true;
}
