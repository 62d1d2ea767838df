/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of the program. Parsing prints nothing and never exits: errors are
 * returned as a message, so that tests can check them. Not thread-safe, like getopt_long(3).
 */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollcall.h"

/* Maximum addresses of a server (rollcall_listen()), TCP and UDP together. */
#define OPTIONS_ADDRESSES_MAX 64

/* Bytes of the longest message of options_parse(); a longer quotation is truncated. */
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
	struct options_addresses health; /* of --health, with their schemes */
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
	bool quiet; /* the last of --quiet and --verbose decides */
};

/* Fills in the defaults; the default addresses are not listed. */
void options_defaults(struct program_options *options);

/*
 * Parses the command line into *options, on top of the defaults, and validates it. Returns 0, or
 * EX_USAGE with the error in `message`, which quotes arguments unescaped: they may hold any byte.
 * -h and -V end the parsing. May be called repeatedly. argv may be permuted, and must live as long
 * as *options.
 */
int options_parse(struct program_options *options, int argc, char **argv,
		  char message[static OPTIONS_MESSAGE_BYTES]);

/* Returns the text of --help, which is static. */
const char *options_help(void);

#endif
