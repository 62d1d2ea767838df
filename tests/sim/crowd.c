/* SPDX-License-Identifier: MIT */
#include "sim/crowd.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

#define MS 1000000ull
#define PREFIX "Received: "
#define PIECE_BYTES 8192

/* The address of squatters, 10.1.0.1, and of some of them the next one. */
#define HOST 0x0a010001

/* The wait of a client that can do nothing doubles up to this. */
#define WAIT_NS_MAX (250 * MS)

const char *const crowd_names[CROWDS] = {
	[CROWD_FLOODERS] = "flooders with tiny lines",
	[CROWD_HOARDERS] = "hoarders of unfinished lines",
	[CROWD_SLOW_READERS] = "slow readers",
	[CROWD_HALF_CLOSERS] = "half-closers that read late",
	[CROWD_SILENT] = "silent clients",
	[CROWD_LEAVERS] = "clients that leave at once",
	[CROWD_TALKERS] = "talkers",
	[CROWD_SQUATTERS] = "squatters from two sources",
};

/* Most do the same at the same time. */
static void choose(struct crowd_client *client, enum crowd kind)
{
	struct sim *sim = client->sim;

	/* Queues and unfinished messages share the memory. */
	if (kind == CROWD_HOARDERS && sim_random(sim, 2) == 0)
		kind = CROWD_SLOW_READERS;
	switch (kind) {
	case CROWD_FLOODERS:
		client->line_bytes = 2;
		client->lines = 1024 + sim_random(sim, 1024);
		client->chunk_bytes = 8192;
		client->next_ns = sim_now_ns(sim) + 20 * MS;
		client->end = CROWD_HALF_CLOSES;
		client->is_innocent = true;
		break;
	case CROWD_HOARDERS:
		client->line_bytes = 65000;
		client->lines = SIZE_MAX;
		client->pause_ns = 60 * MS;
		client->comes_back = true;
		break;
	case CROWD_SLOW_READERS:
		client->lines = 50 + sim_random(sim, 100);
		client->read_bytes = 100;
		client->pause_ns = 200 * MS;
		if (sim_random(sim, 2))
			client->reads_after_ns = UINT64_MAX;
		break;
	case CROWD_HALF_CLOSERS:
		client->lines = 40 + sim_random(sim, 24);
		client->end = CROWD_HALF_CLOSES;
		client->is_innocent = sim_random(sim, 3);
		client->reads_after_ns =
			client->is_innocent ? sim_random(sim, 1000) * MS : UINT64_MAX;
		break;
	case CROWD_SILENT:
		client->lines = 1;
		client->next_ns = 0;
		break;
	case CROWD_LEAVERS:
		client->lines = 1 + sim_random(sim, 8);
		client->end = (enum crowd_end)(1 + sim_random(sim, 3));
		client->end_ns = sim_now_ns(sim) + 1000 * MS;
		client->comes_back = true;
		break;
	case CROWD_SQUATTERS:
		client->lines = 1;
		client->host = sim_random(sim, 3) ? HOST : HOST + 1;
		client->comes_back = true;
		break;
	default:
		client->line_bytes = 20;
		client->lines = 20 + sim_random(sim, 10);
		client->chunk_bytes = 20;
		client->pause_ns = 400 * MS;
		client->end = CROWD_HALF_CLOSES;
		client->is_innocent = true;
	}
}

void crowd_client_make(struct crowd_client *client, struct sim *sim, enum crowd kind,
		       const struct address *to)
{
	*client = (struct crowd_client){
		.sim = sim,
		.to = *to,
		.host = INADDR_LOOPBACK,
		.line_bytes = 1000,
		.chunk_bytes = PIECE_BYTES,
		.read_bytes = PIECE_BYTES,
		.pause_ns = MS / 4,
		.next_ns = sim_now_ns(sim) + sim_random(sim, 500) * MS,
	};
	choose(client, kind);
}

void crowd_client_free(struct crowd_client *client)
{
	if (client->connection)
		sim_release(client->connection);
}

/* ---- What is sent and expected ---- */

static size_t input_bytes(const struct crowd_client *client)
{
	return client->lines == SIZE_MAX ? client->line_bytes : client->lines * client->line_bytes;
}

static size_t answer_bytes(const struct crowd_client *client)
{
	return strlen(PREFIX) + client->line_bytes;
}

static char input_at(const struct crowd_client *client, size_t at)
{
	if (client->lines != SIZE_MAX && (at + 1) % client->line_bytes == 0)
		return '\n';
	return (char)('a' + at / client->line_bytes % 26);
}

static char answer_at(const struct crowd_client *client, size_t at)
{
	const size_t line = at / answer_bytes(client), within = at % answer_bytes(client);

	if (within < strlen(PREFIX))
		return PREFIX[within];
	return input_at(client, line * client->line_bytes + within - strlen(PREFIX));
}

/* ---- What it does ---- */

static void __attribute__((noreturn)) fail(const struct crowd_client *client, const char *what)
{
	char name[ADDRESS_TEXT_BYTES];
	struct address address;

	sim_client_address(client->connection, &address);
	address_format(&address, name);
	sim_fail(client->sim, "client %s of a crowd %s, after %zu bytes", name, what, client->read);
}

static uint64_t leave(struct crowd_client *client)
{
	sim_release(client->connection);
	client->connection = NULL;
	if (!client->comes_back) {
		client->done = true;
		return UINT64_MAX;
	}
	client->comes_back = client->ended = false;
	client->sent = client->read = 0;
	client->end_ns += 1000 * MS;
	return client->next_ns = sim_now_ns(client->sim) + sim_random(client->sim, 100) * MS;
}

static uint64_t later(struct crowd_client *client)
{
	const uint64_t now_ns = sim_now_ns(client->sim);

	client->next_ns = now_ns + client->wait_ns / 2 + client->pause_ns / 2 +
			  sim_random(client->sim, client->pause_ns);
	client->wait_ns = (uint32_t)min_size(2 * client->wait_ns + MS, WAIT_NS_MAX);
	/* All leave at the same time. */
	if (client->end_ns > now_ns && client->end_ns < client->next_ns)
		client->next_ns = client->end_ns;
	/* Until then it has nothing to do. */
	else if (client->end_ns > now_ns && client->sent == input_bytes(client))
		client->next_ns = client->end_ns;
	return client->next_ns;
}

/* Reads no more, and waits until the server ends the connection. */
static uint64_t wait_for_end(struct crowd_client *client)
{
	if (sim_is_over(client->connection))
		return leave(client);
	return later(client);
}

/* The server has ended the connection. */
static uint64_t on_end(struct crowd_client *client, int result, bool stopping)
{
	if (stopping)
		return leave(client);
	if (result == 0 && client->end == CROWD_STAYS)
		return wait_for_end(client);
	if (result == 0 && client->read % answer_bytes(client) != 0)
		fail(client, "has received the end in the middle of an answer");
	if (client->is_innocent && result < 0)
		fail(client, "was reset");
	if (client->is_innocent && client->read < client->lines * answer_bytes(client))
		fail(client, "has received the end before all answers");
	return leave(client);
}

static void send_some(struct crowd_client *client)
{
	const size_t bytes = min_size(client->chunk_bytes, input_bytes(client) - client->sent);
	char piece[PIECE_BYTES];
	int result;

	for (size_t i = 0; i < bytes; i++)
		piece[i] = input_at(client, client->sent + i);
	result = bytes > 0 ? sim_write(client->connection, piece, bytes) : 0;
	if (result <= 0)
		return;
	client->sent += (size_t)result;
	client->wait_ns = 0;
}

/* Reads at most once; returns whether the connection has ended, with *result. */
static bool read_some(struct crowd_client *client, int *result)
{
	char piece[PIECE_BYTES];

	*result = sim_read(client->connection, piece, client->read_bytes);
	for (int i = 0; i < *result; i++)
		if (piece[i] != answer_at(client, client->read + (size_t)i))
			fail(client, "has received wrong bytes");
	if (*result > 0) {
		client->read += (size_t)*result;
		client->wait_ns = 0;
	}
	return *result == 0 || (*result < 0 && *result != -EAGAIN);
}

/* Ends the connection in its way, when it is time. Returns whether it has left. */
static bool end(struct crowd_client *client)
{
	if (client->end == CROWD_STAYS || client->ended || client->sent < input_bytes(client) ||
	    sim_now_ns(client->sim) < client->end_ns)
		return false;
	client->ended = true;
	if (client->end == CROWD_HALF_CLOSES)
		sim_shutdown(client->connection);
	else if (client->end == CROWD_RESETS)
		sim_reset(client->connection);
	return client->end != CROWD_HALF_CLOSES;
}

uint64_t crowd_client_act(struct crowd_client *client, bool stopping)
{
	const uint64_t now_ns = sim_now_ns(client->sim);
	int result;

	if (client->done || now_ns < client->next_ns)
		return client->done ? UINT64_MAX : client->next_ns;
	if (!client->connection) {
		client->connection = sim_connect_from(client->sim, client->host, &client->to);
		client->connected_ns = now_ns;
		client->done = !client->connection && stopping;
		return later(client);
	}
	send_some(client);
	if (end(client))
		return leave(client);
	if (client->reads_after_ns == UINT64_MAX)
		return wait_for_end(client);
	if (now_ns < client->connected_ns + client->reads_after_ns)
		return later(client);
	if (read_some(client, &result))
		return on_end(client, result, stopping);
	return later(client);
}
