/* SPDX-License-Identifier: MIT */
/*
 * options.h - what the command line says, and its defaults. option_table.h has the options.
 */
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rollcall.h"

/* Maximum addresses of a server (rollcall_listen()), TCP and UDP together. */
#define OPTIONS_ADDRESSES_MAX 64

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

/* option_table.h has the name of each field's option. */
struct program_options {
	enum options_action action;
	struct options_addresses tcp;
	struct options_addresses udp;
	struct options_addresses health; /* with their schemes */
	enum options_service service;
	enum options_framing framing;
	size_t line_bytes_max; /* 0: the library's default */
	size_t memory_bytes;   /* of all that the server uses; 0: the limits of each part alone */
	bool quiet;	       /* the last of --quiet and --verbose decides */
	struct rollcall_options library;
};

/* Fills in the defaults; the default addresses are not listed. */
void options_defaults(struct program_options *options);

#endif
