/* SPDX-License-Identifier: MIT */
/*
 * correspondent.h - somebody outside who sends datagrams to `reply`, and checks what comes back.
 */
#ifndef TESTS_SIM_CORRESPONDENT_H
#define TESTS_SIM_CORRESPONDENT_H

#include "lib/sim.h"

#define CORRESPONDENT_LETTERS_MAX 64

struct correspondent {
	struct sim *sim;
	struct address own, to;
	unsigned number;
	unsigned letters, sent;
	unsigned burst;		/* so many letters at a time, all of one size; 0: one, of any */
	uint64_t long_pause_ns; /* some wait for so long now and then */
	bool numbered;
	uint32_t ssrc;
	uint16_t next;				     /* the number of the next letter */
	uint32_t clock_us;			     /* its timestamps are so much ahead */
	uint16_t numbers[CORRESPONDENT_LETTERS_MAX]; /* of the letters sent, and their timestamps */
	uint32_t timestamps[CORRESPONDENT_LETTERS_MAX];
	unsigned again, again_end; /* these letters' are used again */
	unsigned answers[CORRESPONDENT_LETTERS_MAX];
	uint64_t next_ns;
	bool done;
};

void correspondent_make(struct correspondent *who, struct sim *sim, unsigned number,
			const struct address *to);

/*
 * Its letters begin with headers, some of which are malformed, with numbers that are lost, come
 * twice, overtake others, begin anew with the same or other timestamps, and go round.
 */
void correspondent_number(struct correspondent *who);

/* Acts, if it is time; returns when to act next. */
uint64_t correspondent_act(struct correspondent *who);

/* Where nothing can get lost, each letter must have been answered. */
void correspondent_check_all_answered(const struct correspondent *who);

/* Takes a datagram that came to its address. */
void correspondent_receive(struct correspondent *who, const struct address *from, const void *data,
			   size_t bytes);

#endif
