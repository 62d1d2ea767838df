/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - many TCP clients of one kind, in one thread. A system call that fails ends the program;
 * a client that the server ends is counted.
 */
#ifndef CROWD_CROWD_H
#define CROWD_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "crowd/kind.h"
#include "lib/endpoint.h"

/* How often slow readers read, and how much. */
#define TICK_MS 100
#define TICK_BYTES 64

struct member {
	int fd; /* -1: closed */
	uint64_t sent;
};

struct crowd {
	const struct kind *kind;
	struct endpoint server;
	uint64_t clients;
	uint64_t addresses; /* that the clients connect from, if the server is on a loopback one */
	struct member *members;
	char *block; /* lines */
	int epoll;
	bool going;
	uint64_t sent, received; /* bytes of all */
	uint64_t ended, reset;	 /* clients, by the server: a FIN, or an RST */
};

/* Connects all clients. They live until the program ends. */
void crowd_open(struct crowd *crowd);

/* Each client begins to do what its kind does. */
void crowd_go(struct crowd *crowd);

/* Waits, and does what the sockets allow. Returns true when standard input can be read. */
bool crowd_turn(struct crowd *crowd);

#endif
