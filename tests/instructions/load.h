/* SPDX-License-Identifier: MIT */
/*
 * load.h - the peers of a server whose instructions are counted. Each sends a question as soon as
 * the last one is answered. All that happens is the same in each run.
 */
#ifndef INSTRUCTIONS_LOAD_H
#define INSTRUCTIONS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "rollcall.h"

#define LOAD_PEERS 50

struct scenario {
	const char *name;
	const char *address;
	const struct rollcall_service *service;
	const char *prefix;   /* of each message of an answer */
	size_t message_bytes; /* of a question */
	unsigned messages;    /* of one question */
};

struct peer {
	uint64_t receive; /* user_data of the receive in flight; 0: none */
	size_t answered;  /* bytes of the present answer that have come */
	bool asks;	  /* the last question is answered */
};

struct load {
	const struct scenario *scenario;
	struct peer peers[LOAD_PEERS];
	uint8_t *question, *answer;
	size_t question_bytes, answer_bytes;
	uint64_t messages; /* answered */
	uint64_t limit;	   /* ends the server when they are answered */
};

extern struct load load;

/* `limit`: after how many messages the run ends. */
void load_init(const struct scenario *scenario, uint64_t limit);

/* A part of an answer has come. What was not expected ends the program. Returns its bytes. */
int load_take(struct peer *peer, const struct iovec *pieces, size_t count);

#endif
