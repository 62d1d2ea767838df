/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of the program. Parsing prints nothing and never exits: what is
 * wrong is handed back as a message, so that it can be tested. Called from one thread, as
 * getopt_long(3).
 */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollcall.h"

/* As many addresses as a server can listen on (rollcall_listen()), for TCP and UDP together. */
#define OPTIONS_ADDRESSES_MAX 64

/* Room enough for each message of options_parse(); a longer quotation is cut. */
#define OPTIONS_MESSAGE_BYTES 512

enum options_action {
	OPTIONS_SERVE,
	OPTIONS_CHECK,
	OPTIONS_HEALTH,
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

enum options_service {
	OPTIONS_REPLY,
	OPTIONS_ECHO,
	OPTIONS_DISCARD,
};

enum options_framing {
	OPTIONS_RAW,
	OPTIONS_LINES,
	OPTIONS_LENGTH,
	OPTIONS_FRAMING_OF_SERVICE,
};

/* The addresses of one transport; they point into argv. */
struct options_addresses {
	const char *list[OPTIONS_ADDRESSES_MAX];
	unsigned count;
	bool none;
};

struct program_options {
	enum options_action action;
	struct options_addresses tcp;
	struct options_addresses udp;
	struct options_addresses health; /* to ask; with their schemes */
	enum options_service service;
	enum options_framing framing;
	enum rollcall_udp_sequence udp_sequence;
	enum rollcall_log_level log_level;
	uint64_t line_bytes_max;
	uint64_t tcp_clients_max;
	uint64_t udp_clients_max;
	uint64_t udp_clients_per_source_max;
	uint64_t udp_rate;
	uint64_t udp_receive_buffer_bytes;
	uint64_t udp_send_buffer_bytes;
	uint64_t send_queue_bytes;
	uint64_t tcp_idle_timeout_ms;
	uint64_t udp_idle_timeout_ms;
	uint64_t send_timeout_ms;
	uint64_t keepalive_s;
	uint64_t drain_timeout_ms;
	uint64_t spin_us;
	bool udp_low_ports;
	bool quiet; /* the last of --quiet and --verbose */
};

/* What the program does when nothing is asked for; no addresses are listed yet. */
void options_defaults(struct program_options *options);

/*
 * Fills *options from the command line, on top of the defaults, and validates them. Returns 0, or
 * EX_USAGE with what is wrong in `message`, which quotes as it was given what may hold any byte.
 * -h and -V end the parsing.
 * May be called again and again; argv may be permuted, and must live as long as *options.
 */
int options_parse(struct program_options *options, int argc, char **argv,
		  char message[static OPTIONS_MESSAGE_BYTES]);

/* The text of --help. Static. */
const char *options_help(void);

#endif
