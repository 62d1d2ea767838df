/* SPDX-License-Identifier: MIT */
#include "sim/witness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "tcp/tcp.h"

#define PREFIX "Received: "
#define LINE_BYTES_MAX 256

/* Now and then it sends many lines at once, more than one turn's share. */
#define BURST_LINES_MAX 128
#define BURST_ONE_IN 4

/* What is beyond a share may take this many times as long: it takes its turn with the crowd. */
#define BEYOND_SHARE 10

/* Short pauses, so that one of them is waiting nearly always. */
#define PAUSE_NS_MAX 10000000

void witness_make(struct witness *witness, struct sim *sim, const struct address *to, uint32_t host,
		  uint64_t start_ns)
{
	*witness = (struct witness){ .sim = sim, .to = *to, .host = host, .next_ns = start_ns };
}

void witness_free(struct witness *witness)
{
	if (witness->connection)
		sim_release(witness->connection);
}

static void write_line(const struct witness *witness, char line[static LINE_BYTES_MAX])
{
	memset(line, 'a' + (int)(witness->bursts % 26), LINE_BYTES_MAX);
	line[witness->line_bytes - 1] = '\n';
}

/* Writes what is left of the burst, as far as the socket takes it. */
static void write_burst(struct witness *witness)
{
	const size_t all = witness->lines * witness->line_bytes;
	char line[LINE_BYTES_MAX];

	write_line(witness, line);
	while (witness->written < all) {
		const size_t at = witness->written % witness->line_bytes;
		int result = sim_write(witness->connection, line + at, witness->line_bytes - at);

		/* If the connection has ended, that shows in the next read. */
		if (result <= 0)
			break;
		witness->written += (size_t)result;
	}
}

static void send_burst(struct witness *witness)
{
	struct sim *sim = witness->sim;

	witness->bursts++;
	witness->line_bytes = 1 + sim_random(sim, LINE_BYTES_MAX);
	witness->lines = sim_random(sim, BURST_ONE_IN) ? 1 : 1 + sim_random(sim, BURST_LINES_MAX);
	witness->written = witness->read = 0;
	write_burst(witness);
	witness->sent_ns = sim_now_ns(sim);
}

static uint64_t leave(struct witness *witness)
{
	sim_shutdown(witness->connection);
	sim_release(witness->connection);
	witness->connection = NULL;
	witness->done = true;
	return UINT64_MAX;
}

/* Reads an answer, or a part of it. false: nothing has arrived. */
static bool read_answer(struct witness *witness)
{
	const size_t each = strlen(PREFIX) + witness->line_bytes, at = witness->read % each;
	char answer[sizeof(PREFIX) - 1 + LINE_BYTES_MAX] = PREFIX, piece[sizeof(answer)];
	int result = sim_read(witness->connection, piece, each - at);

	if (result == -EAGAIN)
		return false;
	if (result <= 0)
		sim_fail(witness->sim, "a client that does nothing wrong was %s by the server",
			 result ? "reset" : "closed");
	write_line(witness, answer + strlen(PREFIX));
	if (memcmp(piece, answer + at, (size_t)result) != 0)
		sim_fail(witness->sim, "a client has received a wrong answer");
	witness->read += (size_t)result;
	if (witness->read == witness->lines * each)
		witness->sent_ns = 0;
	return true;
}

/* How long it has waited; while the process was stopped, nothing could be answered. */
static uint64_t waited_ns(const struct witness *witness)
{
	const uint64_t now_ns = sim_now_ns(witness->sim);
	const uint64_t resumed_ns = sim_resumed_ns(witness->sim);
	const uint64_t since_ns = resumed_ns > witness->sent_ns ? resumed_ns : witness->sent_ns;

	return now_ns > since_ns ? now_ns - since_ns : 0;
}

static void wait_for_answer(struct witness *witness, uint64_t most_ns)
{
	const bool is_in_share = witness->lines <= TCP_SHARE_MESSAGES;
	const uint64_t ns = waited_ns(witness);

	write_burst(witness);
	while (witness->sent_ns > 0 && read_answer(witness))
		;
	if (witness->sent_ns == 0)
		witness->next_ns =
			sim_now_ns(witness->sim) + 1 + sim_random(witness->sim, PAUSE_NS_MAX);
	if (ns > (is_in_share ? most_ns : most_ns * BEYOND_SHARE))
		sim_fail(witness->sim,
			 "a client has waited %llu us for its answer while others were served",
			 (unsigned long long)ns / 1000);
	if (is_in_share && ns > witness->waited_ns)
		witness->waited_ns = ns;
}

uint64_t witness_act(struct witness *witness, uint64_t most_ns, bool leaving)
{
	if (witness->done)
		return UINT64_MAX;
	if (!witness->connection && sim_now_ns(witness->sim) < witness->next_ns)
		return witness->next_ns;
	if (!witness->connection)
		witness->connection = sim_connect_from(witness->sim, witness->host, &witness->to);
	CHECK(witness->connection);
	if (witness->sent_ns > 0)
		wait_for_answer(witness, most_ns);
	if (witness->sent_ns == 0 && leaving)
		return leave(witness);
	if (witness->sent_ns == 0 && sim_now_ns(witness->sim) >= witness->next_ns)
		send_burst(witness);
	return witness->sent_ns > 0 ? UINT64_MAX : witness->next_ns;
}
