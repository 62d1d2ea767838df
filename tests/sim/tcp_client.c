/* SPDX-License-Identifier: MIT */
#include "sim/tcp_client.h"

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "client/hub.h"

#define MESSAGES_MAX (TCP_CLIENT_MESSAGES_MAX - 1)
#define ROOM_BYTES (1 << 20)
#define PREFIX "Received: "

/* The wait before it reads again if nothing has arrived: doubles, up to a limit. */
#define WAIT_NS 100000
#define WAIT_NS_MAX 100000000

static void put(uint8_t *to, size_t *at, const void *from, size_t bytes)
{
	CHECK(*at + bytes <= ROOM_BYTES);
	memcpy(to + *at, from, bytes);
	*at += bytes;
}

static size_t message_bytes(struct sim *sim, size_t longest)
{
	switch (sim_random(sim, 8)) {
	case 0:
		return 0;
	case 1:
		return longest;
	case 2:
		return sim_random(sim, (uint32_t)longest) + 1;
	default:
		return min_size(longest, sim_random(sim, 80));
	}
}

/* Text that depends on the client and the offset: other clients' bytes and gaps are noticed. */
static void fill(struct tcp_client *client, uint8_t *message, size_t bytes)
{
	uint32_t mark = sim_random(client->sim, 65536);

	for (size_t i = 0; i < bytes; i++)
		message[i] = (uint8_t)('!' + (mark + i * 7 + i / 90) % 90);
}

static void write_line(struct tcp_client *client, const uint8_t *message, size_t bytes, bool last)
{
	const char *ending = sim_random(client->sim, 3) ? "\n" : "\r\n";

	/* Only the last line may lack its ending; an empty one is no line then. */
	if (last && sim_random(client->sim, 2) && bytes > 0)
		ending = "";
	put(client->answer, &client->answer_bytes, PREFIX, strlen(PREFIX));
	for (int i = 0; i < 2; i++) {
		uint8_t *to = i ? client->answer : client->input;
		size_t *at = i ? &client->answer_bytes : &client->input_bytes;

		put(to, at, message, bytes);
		put(to, at, ending, strlen(ending));
	}
}

static void write_length(struct tcp_client *client, const uint8_t *message, size_t bytes)
{
	uint32_t length = htobe32((uint32_t)bytes);

	put(client->input, &client->input_bytes, &length, sizeof(length));
	put(client->input, &client->input_bytes, message, bytes);
	put(client->answer, &client->answer_bytes, &length, sizeof(length));
	put(client->answer, &client->answer_bytes, message, bytes);
}

static void write_message(struct tcp_client *client, size_t longest, bool last)
{
	uint8_t message[8192];
	size_t bytes = message_bytes(client->sim, min_size(longest, sizeof(message)));

	fill(client, message, bytes);
	switch (client->service) {
	case SERVICE_REPLY:
		write_line(client, message, bytes, last && client->ending == ENDING_HALF_CLOSE);
		break;
	case SERVICE_LENGTH_ECHO:
		write_length(client, message, bytes);
		break;
	case SERVICE_ECHO:
		put(client->answer, &client->answer_bytes, message, bytes);
		put(client->input, &client->input_bytes, message, bytes);
		break;
	default:
		put(client->input, &client->input_bytes, message, bytes);
	}
	client->input_end[client->messages] = client->input_bytes;
	client->answer_end[client->messages++] = client->answer_bytes;
}

static void write_oversized(struct tcp_client *client, size_t longest)
{
	const uint32_t length = htobe32((uint32_t)longest + 1);
	char error[64];

	if (client->service == SERVICE_LENGTH_ECHO) {
		put(client->input, &client->input_bytes, &length, sizeof(length));
		return;
	}
	for (size_t i = 0; i < longest + 2; i++)
		put(client->input, &client->input_bytes, "x", 1);
	snprintf(error, sizeof(error), "Error: line longer than %zu bytes\n", longest);
	put(client->answer, &client->answer_bytes, error, strlen(error));
}

void tcp_client_make(struct tcp_client *client, struct sim *sim, const struct address *to,
		     enum tcp_client_service service, size_t longest, uint32_t tick_ns)
{
	uint32_t messages = 1 + sim_random(sim, MESSAGES_MAX);

	*client = (struct tcp_client){
		.sim = sim, .to = *to, .service = service, .tick_ns = tick_ns
	};
	client->ending = (enum tcp_client_ending)sim_random(sim, ENDINGS);
	if (client->ending == ENDING_OVERSIZED && service != SERVICE_REPLY &&
	    service != SERVICE_LENGTH_ECHO)
		client->ending = ENDING_HALF_CLOSE;
	client->input = malloc(ROOM_BYTES);
	client->answer = malloc(ROOM_BYTES);
	CHECK(client->input && client->answer);
	for (uint32_t i = 0; i < messages; i++)
		write_message(client, longest, i == messages - 1);
	if (client->ending == ENDING_OVERSIZED)
		write_oversized(client, longest);
	client->end_at = sim_random(sim, (uint32_t)client->input_bytes + 1);
	client->chunk_bytes = 1u << sim_random(sim, 15);
	client->pause_ns = 1000u << sim_random(sim, 14);
	/* Limits the chunks, so that a long input is not sent byte by byte for days. */
	if (client->input_bytes / client->chunk_bytes > 500)
		client->chunk_bytes = (uint32_t)client->input_bytes / 500;
	client->next_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
	if (sim_random(sim, 4) == 0)
		client->reads_after_ns = client->next_ns + sim_random(sim, 4000000000u);
}

void tcp_client_read_late(struct tcp_client *client, unsigned *resets)
{
	client->resets = resets;
	client->reads_after_ns = client->next_ns + sim_random(client->sim, 4000000000u);
}

void tcp_client_free(struct tcp_client *client)
{
	if (client->connection)
		sim_release(client->connection);
	free(client->input);
	free(client->answer);
}

static bool ends_midway(const struct tcp_client *client)
{
	return client->ending == ENDING_RESET || client->ending == ENDING_ABANDON;
}

/* Ends the run, with the client's address: the trace says which ID and descriptor it has. */
static void __attribute__((format(printf, 2, 3), noreturn))
fail(const struct tcp_client *client, const char *format, ...)
{
	char name[ADDRESS_TEXT_BYTES], what[128];
	struct address address;
	va_list arguments;

	sim_client_address(client->connection, &address);
	address_format(&address, name);
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	sim_fail(client->sim, "TCP client %s %s", name, what);
}

/* Not by a server that was to accept it. */
static void check_not_refused(const struct tcp_client *client)
{
	if (client->has_place && sim_is_over(client->connection) &&
	    !sim_is_accepted(client->connection) && !sim_was_broken(client->connection) &&
	    !sim_has_failed(client->sim))
		fail(client, "was in the backlog at the stop, and was not accepted");
}

static uint64_t leave(struct tcp_client *client)
{
	check_not_refused(client);
	sim_release(client->connection);
	client->connection = NULL;
	client->done = true;
	return UINT64_MAX;
}

/* Whether the message that has begun takes longer than the shortest message timeout. */
static bool is_slow(const struct tcp_client *client)
{
	return client->begun_ns > 0 && sim_now_ns(client->sim) - client->begun_ns >=
					       HUB_SHORT_TIMEOUT_MS * (uint64_t)1000000;
}

/*
 * Notes when a message begins: the server may end the client if it takes too long. The client may
 * have sent others until it has read what was queued.
 */
static void note_message(struct tcp_client *client)
{
	unsigned message = 0;

	while (message < client->messages && client->input_end[message] < client->sent)
		message++;
	if (message == client->begun && client->begun_ns > 0)
		return;
	client->was_slow |= is_slow(client);
	client->begun = message;
	client->begun_ns = sim_now_ns(client->sim);
}

/* Whether one of its messages had not ended after the shortest message timeout. */
static bool takes_too_long(const struct tcp_client *client)
{
	const bool has_ended = client->begun < client->messages &&
			       client->input_end[client->begun] == client->sent;

	return (client->service == SERVICE_REPLY || client->service == SERVICE_LENGTH_ECHO) &&
	       (client->was_slow || (!has_ended && is_slow(client)));
}

/* The end of the answers: have all arrived? */
static uint64_t read_end(struct tcp_client *client, int result, bool stopping)
{
	bool all = client->read == client->answer_bytes;

	if (result == -ECONNRESET) {
		if (stopping || sim_was_broken(client->connection) || sim_has_failed(client->sim) ||
		    client->ending == ENDING_OVERSIZED)
			return leave(client);
		if (client->resets)
			++*client->resets;
		else
			fail(client, "was reset, after %zu of %zu bytes", client->read,
			     client->answer_bytes);
	} else if (!all && takes_too_long(client)) {
		return leave(client);
	} else if (!all && !stopping) {
		fail(client, "has received %zu of %zu bytes", client->read, client->answer_bytes);
	} else if (client->read < client->owed) {
		fail(client, "has received %zu of the %zu bytes owed at the stop", client->read,
		     client->owed);
	} else if (!all && client->service == SERVICE_REPLY && client->read > 0 &&
		   memcmp(client->answer + client->read, PREFIX, strlen(PREFIX)) != 0 &&
		   client->ending != ENDING_OVERSIZED) {
		fail(client, "has received the end in the middle of an answer, after %zu bytes",
		     client->read);
	} else if (!client->ended && !stopping && client->ending != ENDING_OVERSIZED) {
		fail(client, "was closed by the server without a reason");
	}
	return leave(client);
}

static void send_some(struct tcp_client *client)
{
	size_t end = ends_midway(client) ? client->end_at : client->input_bytes;
	size_t bytes = min_size(end - client->sent, client->chunk_bytes);
	int result = bytes ? sim_write(client->connection, client->input + client->sent, bytes) : 0;

	/* A broken connection shows in the next read. */
	if (result > 0) {
		client->sent += (size_t)result;
		client->wait_ns = 0;
		note_message(client);
	}
	if (client->sent == end && client->ending == ENDING_HALF_CLOSE && !client->ended) {
		client->ended = true;
		sim_shutdown(client->connection);
	}
}

void tcp_client_note_stop(struct tcp_client *client, bool has_places)
{
	if (client->done || !client->connection)
		return;
	client->has_place = has_places;
	/* Only clients that the server accepts, and that read in time. */
	if (client->ending == ENDING_NEVER ||
	    (!has_places && !sim_is_accepted(client->connection)) ||
	    sim_now_ns(client->sim) < client->reads_after_ns)
		return;
	/* Some more at the last moment, for which the server has no completion yet. */
	for (int i = 0; i < 4; i++)
		send_some(client);
	for (unsigned i = 0; i < client->messages && client->input_end[i] <= client->sent; i++)
		client->owed = client->answer_end[i];
}

static uint64_t later(struct tcp_client *client, uint32_t least_ns)
{
	uint64_t next_ns =
		sim_now_ns(client->sim) + least_ns + sim_random(client->sim, client->pause_ns);

	return client->next_ns =
		       (next_ns + client->tick_ns - 1) / client->tick_ns * client->tick_ns;
}

static uint64_t wait_longer(struct tcp_client *client)
{
	client->wait_ns = client->wait_ns < WAIT_NS ? WAIT_NS : 2 * client->wait_ns;
	if (client->wait_ns > WAIT_NS_MAX)
		client->wait_ns = WAIT_NS_MAX;
	return later(client, client->wait_ns);
}

uint64_t tcp_client_act(struct tcp_client *client, bool stopping)
{
	uint8_t piece[32768];
	int result;

	if (client->done || sim_now_ns(client->sim) < client->next_ns)
		return client->done ? UINT64_MAX : client->next_ns;
	if (!client->connection) {
		client->connection = sim_connect(client->sim, &client->to);
		/* No listener any more, or a full backlog. */
		if (!client->connection && stopping) {
			client->done = true;
			return UINT64_MAX;
		}
		return wait_longer(client);
	}
	send_some(client);
	if (ends_midway(client) && client->sent == client->end_at) {
		if (client->ending == ENDING_RESET)
			sim_reset(client->connection);
		return leave(client);
	}
	if (client->ending == ENDING_NEVER)
		return sim_is_over(client->connection) ? leave(client) : wait_longer(client);
	if (sim_now_ns(client->sim) < client->reads_after_ns)
		return wait_longer(client);
	result = sim_read(client->connection, piece, client->chunk_bytes);
	if (result == -EAGAIN) {
		if (client->ending == ENDING_AFTER_ANSWERS && client->sent == client->input_bytes &&
		    client->read == client->answer_bytes)
			return leave(client);
		return wait_longer(client);
	}
	if (result <= 0)
		return read_end(client, result, stopping);
	if (client->read + (size_t)result > client->answer_bytes ||
	    memcmp(piece, client->answer + client->read, (size_t)result) != 0)
		fail(client, "has received wrong bytes, near byte %zu", client->read);
	client->read += (size_t)result;
	client->wait_ns = 0;
	return later(client, 1);
}
