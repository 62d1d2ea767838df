/* SPDX-License-Identifier: MIT */
/*
 * option_table.h - the options of the command line, stated once: name, kind, limits, help, and the
 * field that each sets. Parsing, --help and --check read this table. Pure data; any thread.
 */
#ifndef PROGRAM_OPTION_TABLE_H
#define PROGRAM_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct program_options;

enum option_kind {
	OPTION_ADDRESS, /* adds to a struct options_addresses */
	OPTION_NAME,	/* one of a list of names; the field is an enum, its index in the list */
	OPTION_WHOLE,	/* 42; the field is unsigned, size_t or uint64_t, as for the next two */
	OPTION_BYTES,	/* 42, 64K, 1M or 2G, 1024-based */
	OPTION_SECONDS, /* 42 or 0.5, with up to three decimals; the field is in milliseconds */
	OPTION_SET,	/* no value; sets a bool */
	OPTION_CLEAR,	/* no value; clears a bool */
	OPTION_ACTION,	/* what is done instead of serving; the value, if any, is an address */
};

struct option_row {
	const char *name; /* without its dashes */
	char letter;	  /* the same in short; 0: none */
	enum option_kind kind;
	const char *value; /* what stands for the value in the help; NULL: it takes none */
	const char *help;

	/* Of the field in struct program_options. */
	size_t offset, bytes;

	/* Of a number, in the field's unit. */
	uint64_t least, most;

	/* Of a number whose value may be left out: then it is this. 0: it may not. */
	uint64_t without_value;

	/* OPTION_NAME: the names, ended by NULL. OPTION_ACTION: `least` is the action. */
	const char *const *names;

	/* The default as the help shows it; NULL: as the field has it. */
	const char *usual;
};

/* The rows, in the order of the help; ended by a row without a name. */
extern const struct option_row option_rows[];

/* Bytes of the longest default or value as text. */
#define OPTION_VALUE_BYTES 32

/* The value of the field in `options` as the command line takes it; "" if it has none. */
const char *option_value(const struct option_row *row, const struct program_options *options,
			 char text[static OPTION_VALUE_BYTES]);

/* The field of a number, and what sets it. */
uint64_t option_number(const struct option_row *row, const struct program_options *options);
void option_set_number(const struct option_row *row, struct program_options *options,
		       uint64_t value);

#endif
