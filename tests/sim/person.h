/* SPDX-License-Identifier: MIT */
/*
 * person.h - somebody outside who talks to the server over TCP, and checks every byte of the
 * answers.
 *
 * What a person will send, and the answer that is owed for it, is made up at the start. People
 * differ in how they send, read and leave.
 */
#ifndef TESTS_SIM_PERSON_H
#define TESTS_SIM_PERSON_H

#include "lib/sim.h"
#include "rollcall.h"

/* Which service a person talks to. */
enum person_talk { TALK_REPLY, TALK_ECHO, TALK_DISCARD, TALK_LENGTH, TALKS };

enum person_leave {
	LEAVE_HALF_CLOSE, /* sends all, ends its side, reads to the end */
	LEAVE_AFTER_ALL,  /* sends all, reads all answers, then leaves */
	LEAVE_RESET,	  /* breaks the connection somewhere in the middle */
	LEAVE_VANISH,	  /* lets go of it in the middle, without reading on */
	LEAVE_OVERSIZED,  /* ends with a message that is too long */
	LEAVE_NEVER,	  /* sends all, reads nothing, and stays until the server ends it */
	LEAVES,
};

#define PERSON_MESSAGES_MAX 64

struct person {
	struct sim *sim;
	struct sim_connection *connection;
	struct address to;
	enum person_talk talk;
	enum person_leave leave;
	uint8_t *input, *answer;
	size_t input_bytes, answer_bytes;
	size_t input_end[PERSON_MESSAGES_MAX],
		answer_end[PERSON_MESSAGES_MAX]; /* of each message */
	unsigned messages;
	size_t sent, read;
	size_t owed; /* at least so much of the answers, since it was sent for before the stop */
	size_t leave_at;	/* for those who leave in the middle: after so many bytes sent */
	uint32_t piece_bytes;	/* sends and reads at most so many at a time */
	uint32_t pause_ns;	/* between two of them */
	uint32_t beat_ns;	/* acts only at multiples of this: all at once, if it is long */
	uint32_t wait_ns;	/* for what has not come yet; longer each time in vain */
	uint64_t reads_from_ns; /* a person who does not read at first */
	uint64_t next_ns;
	unsigned *resets; /* counted here where one may be reset for lack of memory; or NULL */
	bool ended;	  /* its own side */
	bool done;
};

/*
 * Makes up a person that comes at a random time. `longest` is the service's limit of a message,
 * beat_ns is 1 or more.
 */
void person_make(struct person *person, struct sim *sim, const struct address *to,
		 enum person_talk talk, size_t longest, uint32_t beat_ns);

/*
 * Makes a person read later than sending, for a server that has little memory. It may be reset for
 * that; this is counted.
 */
void person_read_late(struct person *person, unsigned *resets);

void person_free(struct person *person);

/* The server is told to stop: what has been asked until now it has to answer. */
void person_note_stop(struct person *person);

/*
 * Acts, if it is time; returns when to act next. `stopping`: the server was told to stop, so an
 * early end is in order, though never in the middle of an answer.
 */
uint64_t person_act(struct person *person, bool stopping);

#endif
