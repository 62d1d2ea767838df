/* SPDX-License-Identifier: MIT */
/*
 * tcp_client.h - a simulated TCP client, which checks every byte of the answers.
 *
 * What it sends, and the answers it expects, are generated at the start. Clients differ in how they
 * send, read and end their connection.
 */
#ifndef TESTS_SIM_TCP_CLIENT_H
#define TESTS_SIM_TCP_CLIENT_H

#include "lib/sim.h"
#include "rollcall.h"

/* The service that a client is connected to. */
enum tcp_client_service {
	SERVICE_REPLY,
	SERVICE_ECHO,
	SERVICE_DISCARD,
	SERVICE_LENGTH_ECHO,
	SERVICES
};

enum tcp_client_ending {
	ENDING_HALF_CLOSE,    /* sends all, half-closes, reads to the end */
	ENDING_AFTER_ANSWERS, /* sends all, reads all answers, then closes */
	ENDING_RESET,	      /* resets the connection midway */
	ENDING_ABANDON,	      /* closes midway, with answers unread */
	ENDING_OVERSIZED,     /* sends a message that is too long at the end */
	ENDING_NEVER,	      /* sends all, reads nothing, stays until the server ends it */
	ENDINGS,
};

#define TCP_CLIENT_MESSAGES_MAX 64

struct tcp_client {
	struct sim *sim;
	struct sim_connection *connection;
	struct address to;
	enum tcp_client_service service;
	enum tcp_client_ending ending;
	uint8_t *input, *answer;
	size_t input_bytes, answer_bytes;
	size_t input_end[TCP_CLIENT_MESSAGES_MAX],
		answer_end[TCP_CLIENT_MESSAGES_MAX]; /* of each message */
	unsigned messages;
	size_t sent, read;
	unsigned begun;	   /* the message of which the last byte sent is, from 0 */
	uint64_t begun_ns; /* when its first byte was sent */
	bool was_slow;	   /* a message before it took too long */
	size_t owed;   /* bytes of answers that must arrive: their messages came before the stop */
	size_t end_at; /* ENDING_RESET, ENDING_ABANDON: after this many bytes sent */
	uint32_t chunk_bytes;	 /* most that it sends or reads at a time */
	uint32_t pause_ns;	 /* between two of them, at most */
	uint32_t tick_ns;	 /* acts at multiples of this: a long one makes bursts */
	uint32_t wait_ns;	 /* before it reads again; doubles as long as nothing arrives */
	uint64_t reads_after_ns; /* reads nothing before */
	uint64_t next_ns;
	unsigned *resets; /* counts resets that are allowed for lack of memory; NULL: none are */
	bool has_place;	  /* was connected when the server was told to stop, with places for all */
	bool ended;	  /* has half-closed */
	bool done;
};

/*
 * Generates a client that connects at a random time. `longest` is the service's limit of a message
 * in bytes, tick_ns is 1 or more.
 */
void tcp_client_make(struct tcp_client *client, struct sim *sim, const struct address *to,
		     enum tcp_client_service service, size_t longest, uint32_t tick_ns);

/*
 * Makes a client read later than it sends, for a server with little memory. The server may reset it
 * for that; *resets counts it.
 */
void tcp_client_read_late(struct tcp_client *client, unsigned *resets);

void tcp_client_free(struct tcp_client *client);

/*
 * The server is told to stop: all messages sent until now must be answered. has_places: there are
 * places for all that are connected, so those in a backlog must be accepted.
 */
void tcp_client_note_stop(struct tcp_client *client, bool has_places);

/*
 * Acts, if it is time; returns when to act next. `stopping`: the server was told to stop, so it may
 * end the connection early, but not in the middle of an answer.
 */
uint64_t tcp_client_act(struct tcp_client *client, bool stopping);

#endif
