/* SPDX-License-Identifier: MIT */
#include "sim/person.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define MESSAGES_MAX (PERSON_MESSAGES_MAX - 1)
#define ROOM_BYTES (1 << 20)
#define PREFIX "Received: "

/* Looks again for what has not come yet after so long, then twice as long, up to a limit. */
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

/* Letters that tell the person and the place, so that bytes of others and gaps are noticed. */
static void fill(struct person *person, uint8_t *message, size_t bytes)
{
	uint32_t mark = sim_random(person->sim, 65536);

	for (size_t i = 0; i < bytes; i++)
		message[i] = (uint8_t)('!' + (mark + i * 7 + i / 90) % 90);
}

static void write_line(struct person *person, const uint8_t *message, size_t bytes, bool last)
{
	const char *ending = sim_random(person->sim, 3) ? "\n" : "\r\n";

	/* Only the last line may lack its ending; an empty one is no line then. */
	if (last && sim_random(person->sim, 2) && bytes > 0)
		ending = "";
	put(person->answer, &person->answer_bytes, PREFIX, strlen(PREFIX));
	for (int i = 0; i < 2; i++) {
		uint8_t *to = i ? person->answer : person->input;
		size_t *at = i ? &person->answer_bytes : &person->input_bytes;

		put(to, at, message, bytes);
		put(to, at, ending, strlen(ending));
	}
}

static void write_length(struct person *person, const uint8_t *message, size_t bytes)
{
	uint32_t length = htobe32((uint32_t)bytes);

	put(person->input, &person->input_bytes, &length, sizeof(length));
	put(person->input, &person->input_bytes, message, bytes);
	put(person->answer, &person->answer_bytes, &length, sizeof(length));
	put(person->answer, &person->answer_bytes, message, bytes);
}

static void write_message(struct person *person, size_t longest, bool last)
{
	uint8_t message[8192];
	size_t bytes = message_bytes(person->sim, min_size(longest, sizeof(message)));

	fill(person, message, bytes);
	switch (person->talk) {
	case TALK_REPLY:
		write_line(person, message, bytes, last && person->leave == LEAVE_HALF_CLOSE);
		break;
	case TALK_LENGTH:
		write_length(person, message, bytes);
		break;
	case TALK_ECHO:
		put(person->answer, &person->answer_bytes, message, bytes);
		put(person->input, &person->input_bytes, message, bytes);
		break;
	default:
		put(person->input, &person->input_bytes, message, bytes);
	}
	person->input_end[person->messages] = person->input_bytes;
	person->answer_end[person->messages++] = person->answer_bytes;
}

static void write_oversized(struct person *person, size_t longest)
{
	const uint32_t length = htobe32((uint32_t)longest + 1);
	char error[64];

	if (person->talk == TALK_LENGTH) {
		put(person->input, &person->input_bytes, &length, sizeof(length));
		return;
	}
	for (size_t i = 0; i < longest + 2; i++)
		put(person->input, &person->input_bytes, "x", 1);
	snprintf(error, sizeof(error), "Error: line longer than %zu bytes\n", longest);
	put(person->answer, &person->answer_bytes, error, strlen(error));
}

void person_make(struct person *person, struct sim *sim, const struct address *to,
		 enum person_talk talk, size_t longest, uint32_t beat_ns)
{
	uint32_t messages = 1 + sim_random(sim, MESSAGES_MAX);

	*person = (struct person){ .sim = sim, .to = *to, .talk = talk, .beat_ns = beat_ns };
	person->leave = (enum person_leave)sim_random(sim, LEAVES);
	if (person->leave == LEAVE_OVERSIZED && talk != TALK_REPLY && talk != TALK_LENGTH)
		person->leave = LEAVE_HALF_CLOSE;
	person->input = malloc(ROOM_BYTES);
	person->answer = malloc(ROOM_BYTES);
	CHECK(person->input && person->answer);
	for (uint32_t i = 0; i < messages; i++)
		write_message(person, longest, i == messages - 1);
	if (person->leave == LEAVE_OVERSIZED)
		write_oversized(person, longest);
	person->leave_at = sim_random(sim, (uint32_t)person->input_bytes + 1);
	person->piece_bytes = 1u << sim_random(sim, 15);
	person->pause_ns = 1000u << sim_random(sim, 14);
	/* Nobody sends a large text byte by byte for days. */
	if (person->input_bytes / person->piece_bytes > 500)
		person->piece_bytes = (uint32_t)person->input_bytes / 500;
	person->next_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
	if (sim_random(sim, 4) == 0)
		person->reads_from_ns = person->next_ns + sim_random(sim, 4000000000u);
}

void person_read_late(struct person *person, unsigned *resets)
{
	person->resets = resets;
	person->reads_from_ns = person->next_ns + sim_random(person->sim, 4000000000u);
}

void person_free(struct person *person)
{
	if (person->connection)
		sim_release(person->connection);
	free(person->input);
	free(person->answer);
}

static uint64_t leave(struct person *person)
{
	sim_release(person->connection);
	person->connection = NULL;
	person->done = true;
	return UINT64_MAX;
}

static bool leaves_in_the_middle(const struct person *person)
{
	return person->leave == LEAVE_RESET || person->leave == LEAVE_VANISH;
}

/* The end of the answers: have they all come? */
static uint64_t read_end(struct person *person, int result, bool stopping)
{
	bool all = person->read == person->answer_bytes;

	if (result == -ECONNRESET) {
		if (stopping || sim_was_broken(person->connection) || sim_has_failed(person->sim) ||
		    person->leave == LEAVE_OVERSIZED)
			return leave(person);
		if (person->resets)
			++*person->resets;
		else
			sim_fail(person->sim, "a person was reset, after %zu of %zu bytes",
				 person->read, person->answer_bytes);
	} else if (!all && !stopping) {
		sim_fail(person->sim, "a person has got %zu of %zu bytes", person->read,
			 person->answer_bytes);
	} else if (person->read < person->owed) {
		sim_fail(person->sim, "a person has got %zu of the %zu bytes owed at the stop",
			 person->read, person->owed);
	} else if (!all && person->talk == TALK_REPLY && person->read > 0 &&
		   memcmp(person->answer + person->read, PREFIX, strlen(PREFIX)) != 0 &&
		   person->leave != LEAVE_OVERSIZED) {
		sim_fail(person->sim, "the answers end in the middle of one, after %zu bytes",
			 person->read);
	} else if (!person->ended && !stopping && person->leave != LEAVE_OVERSIZED) {
		sim_fail(person->sim, "the server has ended a connection for no reason");
	}
	return leave(person);
}

static void send_some(struct person *person)
{
	size_t end = leaves_in_the_middle(person) ? person->leave_at : person->input_bytes;
	size_t bytes = min_size(end - person->sent, person->piece_bytes);
	int result = bytes ? sim_write(person->connection, person->input + person->sent, bytes) : 0;

	/* When it is broken, reading says so. */
	if (result > 0) {
		person->sent += (size_t)result;
		person->wait_ns = 0;
	}
	if (person->sent == end && person->leave == LEAVE_HALF_CLOSE && !person->ended) {
		person->ended = true;
		sim_shutdown(person->connection);
	}
}

void person_note_stop(struct person *person)
{
	/* Only whom the server has accepted, and who takes the answers in time. */
	if (person->done || !person->connection || person->leave == LEAVE_NEVER ||
	    !sim_is_accepted(person->connection) || sim_now_ns(person->sim) < person->reads_from_ns)
		return;
	/* Some more in the last moment, that the server has not been told of yet. */
	for (int i = 0; i < 4; i++)
		send_some(person);
	for (unsigned i = 0; i < person->messages && person->input_end[i] <= person->sent; i++)
		person->owed = person->answer_end[i];
}

static uint64_t later(struct person *person, uint32_t least_ns)
{
	uint64_t next_ns =
		sim_now_ns(person->sim) + least_ns + sim_random(person->sim, person->pause_ns);

	return person->next_ns =
		       (next_ns + person->beat_ns - 1) / person->beat_ns * person->beat_ns;
}

static uint64_t wait_longer(struct person *person)
{
	person->wait_ns = person->wait_ns < WAIT_NS ? WAIT_NS : 2 * person->wait_ns;
	if (person->wait_ns > WAIT_NS_MAX)
		person->wait_ns = WAIT_NS_MAX;
	return later(person, person->wait_ns);
}

uint64_t person_act(struct person *person, bool stopping)
{
	uint8_t piece[32768];
	int result;

	if (person->done || sim_now_ns(person->sim) < person->next_ns)
		return person->done ? UINT64_MAX : person->next_ns;
	if (!person->connection) {
		person->connection = sim_connect(person->sim, &person->to);
		/* Nobody listens any more, or the backlog is full. */
		if (!person->connection && stopping) {
			person->done = true;
			return UINT64_MAX;
		}
		return wait_longer(person);
	}
	send_some(person);
	if (leaves_in_the_middle(person) && person->sent == person->leave_at) {
		if (person->leave == LEAVE_RESET)
			sim_reset(person->connection);
		return leave(person);
	}
	if (person->leave == LEAVE_NEVER)
		return sim_is_over(person->connection) ? leave(person) : wait_longer(person);
	if (sim_now_ns(person->sim) < person->reads_from_ns)
		return wait_longer(person);
	result = sim_read(person->connection, piece, person->piece_bytes);
	if (result == -EAGAIN) {
		if (person->leave == LEAVE_AFTER_ALL && person->sent == person->input_bytes &&
		    person->read == person->answer_bytes)
			return leave(person);
		return wait_longer(person);
	}
	if (result <= 0)
		return read_end(person, result, stopping);
	if (person->read + (size_t)result > person->answer_bytes ||
	    memcmp(piece, person->answer + person->read, (size_t)result) != 0)
		sim_fail(person->sim, "a person has got other bytes than are owed, near byte %zu",
			 person->read);
	person->read += (size_t)result;
	person->wait_ns = 0;
	return later(person, 1);
}
