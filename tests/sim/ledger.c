/* SPDX-License-Identifier: MIT */
#include "sim/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* The third datagram makes a client active. */
#define ACTIVE_DATAGRAMS 3

void ledger_begin(struct ledger *ledger, struct sim *sim, struct rollcall_server *server,
		  const struct rollcall_options *options, bool stateless)
{
	ledger->sim = sim;
	ledger->server = server;
	ledger->options = *options;
	ledger->stateless = stateless;
	ledger->judge.mode = options->udp_sequence;
	ledger->judge.rate = options->udp_rate;
	ledger->owed_end = &ledger->owed;
}

void ledger_end(struct ledger *ledger)
{
	for (unsigned i = 0; i < ledger->count; i++)
		free(ledger->clients[i].numbers);
	while (ledger->owed) {
		struct ledger_answer *first = ledger->owed;

		ledger->owed = first->next;
		free(first);
	}
}

/* ---- Clients ---- */

static struct ledger_client *find(struct ledger *ledger, rollcall_client id)
{
	for (unsigned i = ledger->count; i-- > 0;)
		if (ledger->clients[i].id == id)
			return &ledger->clients[i];
	return NULL;
}

static bool is_same(const struct ledger_key *a, const struct ledger_key *b)
{
	return a->numbered == b->numbered && a->ssrc == b->ssrc &&
	       address_equal(&a->from, &b->from) && address_equal(&a->to, &b->to);
}

/* The client that a datagram belongs to; NULL: it would be a new one. One that is just closing has
 * no address any more. */
static struct ledger_client *find_owner(struct ledger *ledger, const struct ledger_key *key)
{
	for (unsigned i = ledger->count; i-- > 0;) {
		struct ledger_client *client = &ledger->clients[i];

		if (is_same(&client->key, key))
			return !client->gone && ledger_ask(ledger, client->id).address_bytes
				       ? client
				       : NULL;
	}
	return NULL;
}

static bool was_known(const struct ledger *ledger, const struct ledger_key *key)
{
	for (unsigned i = 0; i < ledger->count; i++)
		if (is_same(&ledger->clients[i].key, key))
			return true;
	return false;
}

static struct ledger_client *add_client(struct ledger *ledger, rollcall_client id,
					const struct ledger_key *key)
{
	struct ledger_client *client;

	CHECK(ledger->count < LEDGER_CLIENTS_MAX);
	ledger->returned += was_known(ledger, key);
	client = &ledger->clients[ledger->count++];
	*client = (struct ledger_client){ .id = id, .key = *key };
	if (!key->numbered)
		return client;
	client->numbers = malloc(sizeof(*client->numbers));
	CHECK(client->numbers);
	*client->numbers = (struct numbers)NUMBERS_NONE;
	return client;
}

/* ---- Datagrams that come ---- */

/* A datagram of a client. */
static void take(struct ledger *ledger, struct ledger_client *client,
		 const struct ledger_part *part)
{
	bool wanted =
		!client->numbers || numbers_take(client->numbers, part->header.number,
						 part->header.timestamp, ledger->taken_ns / 1000);

	client->active |= client->answered || client->delivered + 1 >= ACTIVE_DATAGRAMS;
	client->last_ns = ledger->taken_ns;
	client->delivered += part->delivered;
	if (wanted != part->delivered && !ledger->closed)
		sim_fail(ledger->sim, "number %u of client %" PRIu64 " was %s", part->header.number,
			 client->id, wanted ? "not delivered" : "delivered, but should not be");
}

/* Whether it was there when the parts from ledger->next on came. */
static bool was_there(const struct ledger *ledger, const struct ledger_client *client)
{
	return !client->gone ||
	       (client->gone_taken == ledger->taken && client->gone_next == ledger->next);
}

/* Those before `end` that were not delivered will not be. */
static void resolve(struct ledger *ledger, unsigned end)
{
	for (unsigned i = ledger->next; i < end; i++) {
		struct ledger_part *part = &ledger->parts[i];

		if (!part->open)
			continue;
		if (part->owner && was_there(ledger, part->owner))
			take(ledger, part->owner, part);
		else if ((ledger->stateless || part->has_space) && !ledger->closed)
			sim_fail(ledger->sim, "a datagram was dropped that could be answered");
		else
			ledger->no_place++;
	}
	ledger->next = end;
}

static void resolve_all(struct ledger *ledger)
{
	resolve(ledger, ledger->parts_count);
	while (ledger->due_count > 0)
		ledger_check_gone(ledger, ledger->due[--ledger->due_count]);
}

static void take_part(struct ledger *ledger, const struct sim_taken *taken, size_t at, size_t bytes)
{
	struct ledger_part *part = &ledger->parts[ledger->parts_count++];
	const uint8_t *data = taken->data + at;
	size_t payload_at, counter;

	CHECK(ledger->parts_count <= LEDGER_PARTS_MAX);
	*part = (struct ledger_part){ .key = { .from = taken->from, .to = taken->to } };
	counter = judge_datagram(&ledger->judge, &taken->from, &taken->to, data, bytes,
				 sim_now_ns(ledger->sim), &part->key.numbered, &payload_at,
				 &part->bytes);
	if (counter) {
		++*(uint64_t *)((char *)&ledger->expected + counter);
		return;
	}
	part->open = true;
	part->payload = data + payload_at;
	if (part->key.numbered) {
		part->header = header_read(data);
		part->key.ssrc = part->header.ssrc;
	}
	part->owner = find_owner(ledger, &part->key);
	/* Those behind it may find that it took the last place. */
	part->has_space = part == ledger->parts && ledger_has_room(ledger, &taken->from);
}

void ledger_taken(struct ledger *ledger, const struct sim_taken *taken)
{
	const size_t each = taken->segment_bytes ? taken->segment_bytes : taken->bytes;
	size_t at = 0;

	resolve_all(ledger);
	ledger->parts_count = 0;
	ledger->next = 0;
	ledger->taken++;
	ledger->taken_ns = sim_now_ns(ledger->sim);
	if (taken->cut) {
		ledger->expected.udp_dropped_truncated++;
		return;
	}
	ledger->expected.udp_batches_received += each < taken->bytes;
	do {
		size_t bytes = min_size(each, taken->bytes - at);

		take_part(ledger, taken, at, bytes);
		at += bytes;
	} while (at < taken->bytes);
}

/* ---- The service ---- */

static struct ledger_part *find_part(struct ledger *ledger, const void *data, size_t bytes)
{
	for (unsigned i = ledger->next; i < ledger->parts_count; i++) {
		struct ledger_part *part = &ledger->parts[i];

		if (part->open && part->payload == data && part->bytes == bytes)
			return part;
	}
	sim_fail(ledger->sim, "%zu bytes are delivered that have not come", bytes);
}

/* The client that a datagram was delivered to is its own, or a new one. */
static struct ledger_client *note_client(struct ledger *ledger, struct ledger_part *part,
					 rollcall_client id)
{
	struct ledger_client *client = find(ledger, id);

	if (client && (client != part->owner || client->gone))
		sim_fail(ledger->sim, "client %" PRIu64 " gets what another has sent", id);
	if (client)
		return client;
	if (part->owner && !part->owner->gone)
		sim_fail(ledger->sim, "client %" PRIu64 " is client %" PRIu64 " too",
			 part->owner->id, id);
	client = add_client(ledger, id, &part->key);
	for (unsigned i = 0; i < ledger->parts_count; i++)
		if (is_same(&ledger->parts[i].key, &part->key))
			ledger->parts[i].owner = client;
	return client;
}

/* Each datagram delivered is owed an answer. */
static void owe(struct ledger *ledger, struct ledger_client *client, const struct ledger_part *part)
{
	struct ledger_answer *answer = malloc(sizeof(*answer) + part->bytes);

	CHECK(answer);
	*answer = (struct ledger_answer){
		.client = client,
		.key = part->key,
		.header = part->header,
		.index = client ? client->asked++ : 0,
		.bytes = part->bytes,
	};
	memcpy(answer->data, part->payload, part->bytes);
	*ledger->owed_end = answer;
	ledger->owed_end = &answer->next;
	ledger->asked++;
}

void ledger_delivered(struct ledger *ledger, rollcall_client id, const void *data, size_t bytes)
{
	struct ledger_part *part = find_part(ledger, data, bytes);
	struct ledger_client *client = NULL;

	sim_leave_server(ledger->sim);
	resolve(ledger, (unsigned)(part - ledger->parts));
	if (id == ROLLCALL_NONE && part->owner && was_there(ledger, part->owner))
		sim_fail(ledger->sim, "client %" PRIu64 " is treated as a stranger",
			 part->owner->id);
	part->delivered = true;
	if (id == ROLLCALL_NONE) {
		if (part->has_space)
			sim_fail(ledger->sim, "there is a place, but no client is made");
		ledger->expected.udp_unlisted++;
	} else {
		client = note_client(ledger, part, id);
		ledger_check_limits(ledger, &part->key.from);
		take(ledger, client, part);
	}
	ledger->next++;
	owe(ledger, client, part);
	sim_enter_server(ledger->sim);
}

void ledger_answered(struct ledger *ledger, rollcall_client id)
{
	struct ledger_client *client = find(ledger, id);

	if (client)
		client->answered = ledger_ask(ledger, id).messages_sent > 0;
	ledger_check_drops(ledger);
}

void ledger_gone(struct ledger *ledger, rollcall_client id, int reason)
{
	struct ledger_client *client = find(ledger, id);

	if (!client)
		sim_fail(ledger->sim, "client %" PRIu64 " is gone, but has sent nothing", id);
	client->gone = true;
	client->reason = reason;
	client->gone_ns = sim_now_ns(ledger->sim);
	client->gone_taken = ledger->taken;
	client->gone_next = ledger->next;
	client->info = ledger_ask(ledger, id);
	ledger->gone++;
	CHECK(ledger->due_count < LEDGER_PARTS_MAX);
	ledger->due[ledger->due_count++] = client;
	/* It makes room for one of those that were taken just now: the others are not known yet. */
	if (reason == -ENOSPC)
		ledger->expected.udp_evictions++;
	else
		resolve_all(ledger);
}

/* ---- Datagrams that leave ---- */

static bool has_next_header(const struct ledger_answer *answer, const struct header *header)
{
	const struct ledger_client *client = answer->client;

	/* The type with its marker; and never the source of what is answered. */
	if (header->type != answer->header.type || header->timestamp != answer->header.timestamp ||
	    header->ssrc == answer->header.ssrc)
		return false;
	/* To a stranger the number is the stranger's own. */
	if (!client)
		return header->number == answer->header.number;
	return !client->known || (header->ssrc == client->ssrc &&
				  header->number == (uint16_t)(client->number + answer->index));
}

/* Whether this is the answer, with the header that it must have. */
static bool is_answer(const struct ledger_answer *answer, const struct address *from,
		      const struct address *to, const uint8_t *data, size_t bytes)
{
	static const char prefix[] = "Received: ";
	const size_t head = answer->key.numbered ? HEADER_BYTES : 0, start = head + strlen(prefix);
	struct header header;

	if (!address_equal(&answer->key.from, to) || !address_equal(&answer->key.to, from) ||
	    bytes != start + answer->bytes || memcmp(data + head, prefix, strlen(prefix)) != 0 ||
	    memcmp(data + start, answer->data, answer->bytes) != 0)
		return false;
	if (!head)
		return true;
	header = header_read(data);
	return data[0] == 128 && has_next_header(answer, &header);
}

static struct ledger_answer *unlink_answer(struct ledger *ledger, struct ledger_answer **place)
{
	struct ledger_answer *answer = *place;

	*place = answer->next;
	if (!*place)
		ledger->owed_end = place;
	return answer;
}

/* Answers to one client leave in the order of what they answer: those before this one are lost. */
static void forget_before(struct ledger *ledger, const struct ledger_answer *answer)
{
	struct ledger_answer **place = &ledger->owed;

	while (*place != answer) {
		if ((*place)->client == answer->client && is_same(&(*place)->key, &answer->key))
			free(unlink_answer(ledger, place));
		else
			place = &(*place)->next;
	}
}

void ledger_left(struct ledger *ledger, const struct address *from, const struct address *to,
		 const void *data, size_t bytes)
{
	struct ledger_answer **place, *answer = NULL;

	/* Of two that look alike, those to ROLLCALL_NONE leave first. */
	for (struct ledger_answer *one = ledger->owed; one && (!answer || answer->client);
	     one = one->next)
		if ((!answer || !one->client) && is_answer(one, from, to, data, bytes))
			answer = one;
	if (!answer)
		sim_fail(ledger->sim, "%zu bytes leave that are not owed, or after later ones",
			 bytes);
	forget_before(ledger, answer);
	if (answer->key.numbered && answer->client && !answer->client->known) {
		const struct header header = header_read(data);

		answer->client->known = true;
		answer->client->ssrc = header.ssrc;
		answer->client->number = (uint16_t)(header.number - answer->index);
	}
	for (place = &ledger->owed; *place != answer;)
		place = &(*place)->next;
	free(unlink_answer(ledger, place));
	ledger->left++;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger->closed)
		return;
	resolve_all(ledger);
	ledger_check_counters(ledger);
	ledger->closed = true;
}
