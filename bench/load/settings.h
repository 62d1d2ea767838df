/* SPDX-License-Identifier: MIT */
/*
 * settings.h - what the load is to be, as the options say.
 */
#ifndef LOAD_SETTINGS_H
#define LOAD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/endpoint.h"
#include "load/pattern.h"

struct settings {
	struct endpoint server;
	struct format question, answer;
	bool udp;
	bool connect; /* each message has a connection of its own */
	bool gso;
	bool memcached; /* the server speaks its protocol */
	bool control;	/* slices are asked for on standard input */
	uint64_t clients;
	uint64_t idle;
	uint64_t message_bytes;
	uint64_t inflight;
	uint64_t rate; /* messages a second; 0: the next one when an answer has come */
	uint64_t duration_ns;
	uint64_t warmup_ns;
	uint64_t messages_max;
	uint64_t timeout_ns;
	uint64_t udp_timeout_ns;
	uint64_t server_pid; /* 0: not known */
};

/* Fills in all settings, or ends the program: after the help, or with what is wrong. */
void settings_parse(struct settings *settings, int argc, char **argv);

#endif
