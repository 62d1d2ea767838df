/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "program/address_syntax.h"
#include "program/command_line.h"
#include "program/nearest.h"
#include "program/number.h"
#include "program/option_table.h"

/* One entry for each row of the table, and the end. */
#define ROWS_MAX 40

/* Keys of getopt_long(): letters, or above them the index of the row. */
#define KEY_FIRST 256

static const struct option_row *find_row(int key)
{
	const struct option_row *row = option_rows;

	if (key >= KEY_FIRST)
		return &option_rows[key - KEY_FIRST];
	while (row->name && row->letter != key)
		row++;
	return row->name ? row : NULL;
}

static int parse_number(struct program_options *options, const struct option_row *row,
			const char *text, char *message)
{
	static const enum number_kind kinds[] = {
		[OPTION_WHOLE] = NUMBER_WHOLE,
		[OPTION_BYTES] = NUMBER_BYTES,
		[OPTION_SECONDS] = NUMBER_SECONDS,
	};
	uint64_t number = row->without_value;
	const char *fault = NULL;

	if (text)
		fault = number_parse(kinds[row->kind], text, row->least, row->most, &number);
	if (!fault) {
		option_set_number(row, options, number);
		return 0;
	}
	if (row->kind == OPTION_SECONDS)
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
			 "--%s '%.200s' %s: allowed are %g to %.3f seconds", row->name, text, fault,
			 (double)row->least / 1000, (double)row->most / 1000);
	else
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
			 "--%s '%.200s' %s: allowed are %" PRIu64 " to %" PRIu64 "%s", row->name,
			 text, fault, row->least, row->most,
			 row->kind == OPTION_BYTES ? " (K, M or G may follow)" : "");
	return EX_USAGE;
}

static int parse_name(struct program_options *options, const struct option_row *row,
		      const char *text, char *message)
{
	char nearest[128];
	size_t count = 0;
	int used;

	for (; row->names[count]; count++) {
		if (strcmp(text, row->names[count]) == 0) {
			option_set_number(row, options, count);
			return 0;
		}
	}
	nearest_list(nearest, sizeof(nearest), text, "", row->names, count);
	used = snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
			"--%s '%.100s' is unknown: did you mean %s? Allowed are", row->name, text,
			nearest);
	for (size_t i = 0; i < count; i++)
		used += snprintf(message + used, (size_t)(COMMAND_LINE_MESSAGE_BYTES - used),
				 "%s %s", i ? "," : "", row->names[i]);
	return EX_USAGE;
}

static int parse_address(struct program_options *options, const struct option_row *row,
			 const char *text, char *message)
{
	struct options_addresses *addresses = (void *)((char *)options + row->offset);
	const bool is_query = row->kind == OPTION_ACTION;
	const char *fault;

	if (!is_query && strcmp(text, "none") == 0) {
		addresses->none = true;
		return 0;
	}
	fault = is_query ? address_url_fault(text) : address_fault(text);
	if (!fault && addresses->count == OPTIONS_ADDRESSES_MAX)
		fault = "is one too many: at most 64 addresses";
	if (fault) {
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES, "--%s '%.300s' %s", row->name, text,
			 fault);
		return EX_USAGE;
	}
	addresses->list[addresses->count++] = text;
	return 0;
}

/* Writes why getopt_long() refused the argument `text`; `key` is optopt. */
static int refuse_option(int key, const char *text, char *message)
{
	const struct option_row *row = key ? find_row(key) : NULL;
	const char *names[ROWS_MAX];
	char name[64], nearest[128];
	size_t count = 0;

	/* The key of a known option: it was given a value. Any other key is an unknown letter. */
	if (row) {
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES, "'%.200s': --%s takes no value", text,
			 row->name);
		return EX_USAGE;
	}
	if (key) {
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
			 "unknown option '-%c': the letters are -q, -h and -V", key);
		return EX_USAGE;
	}
	for (row = option_rows; row->name; row++)
		names[count++] = row->name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "=") - 2, text + 2);
	nearest_list(nearest, sizeof(nearest), name, "--", names, count);
	snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
		 "unknown option '--%s': nearest are: %s (rollcall --help shows all)", name,
		 nearest);
	return EX_USAGE;
}

static int parse_option(struct program_options *options, int key, char **argv, char *message)
{
	const struct option_row *row;

	if (key == '?')
		return refuse_option(optopt, argv[optind - 1], message);
	if (key == ':') {
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES, "--%s needs a value",
			 find_row(optopt)->name);
		return EX_USAGE;
	}
	row = find_row(key);
	switch (row->kind) {
	case OPTION_ADDRESS:
		return parse_address(options, row, optarg, message);
	case OPTION_NAME:
		return parse_name(options, row, optarg, message);
	case OPTION_SET:
	case OPTION_CLEAR:
		*(bool *)((char *)options + row->offset) = row->kind == OPTION_SET;
		return 0;
	case OPTION_ACTION:
		options->action = (enum options_action)row->least;
		return row->value ? parse_address(options, row, optarg, message) : 0;
	default:
		return parse_number(options, row, optarg, message);
	}
}

/* What getopt_long() takes, from the table. */
static void list_long_options(struct option list[static ROWS_MAX])
{
	int count = 0;

	for (const struct option_row *row = option_rows; row->name; row++, count++)
		list[count] = (struct option){
			.name = row->name,
			.has_arg = !row->value		? no_argument
				   : row->without_value ? optional_argument
							: required_argument,
			.val = row->letter ? row->letter : KEY_FIRST + count,
		};
	list[count] = (struct option){ 0 };
}

/* Checks conditions that involve several options. */
static int validate(const struct program_options *options, char *message)
{
	const char *fault = NULL;

	if (options->tcp.none && options->tcp.count)
		fault = "--tcp none contradicts the other --tcp";
	else if (options->udp.none && options->udp.count)
		fault = "--udp none contradicts the other --udp";
	else if (options->tcp.none && options->udp.none)
		fault = "--tcp none and --udp none leave nothing to listen on";
	else if (options->tcp.count + options->udp.count > OPTIONS_ADDRESSES_MAX)
		fault = "too many addresses: --tcp and --udp together allow 64";
	if (!fault)
		return 0;
	snprintf(message, COMMAND_LINE_MESSAGE_BYTES, "%s", fault);
	return EX_USAGE;
}

int command_line_parse(struct program_options *options, int argc, char **argv,
		       char message[static COMMAND_LINE_MESSAGE_BYTES])
{
	struct option long_options[ROWS_MAX];
	int key, result;

	list_long_options(long_options);
	options_defaults(options);
	message[0] = '\0';
	optind = 0; /* glibc: reset the parser, whatever the state of an earlier call */
	opterr = 0;
	while ((key = getopt_long(argc, argv, ":qhV", long_options, NULL)) != -1) {
		result = parse_option(options, key, argv, message);
		if (result || options->action >= OPTIONS_HELP)
			return result;
	}
	if (optind < argc) {
		snprintf(message, COMMAND_LINE_MESSAGE_BYTES,
			 "'%.300s' is not an option: rollcall takes options only", argv[optind]);
		return EX_USAGE;
	}
	return validate(options, message);
}
