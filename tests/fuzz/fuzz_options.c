/* SPDX-License-Identifier: MIT */
/*
 * Whatever the command line, parsing it ends with options that are in their limits, or with exit
 * code 64 and a message.
 *
 * Input: the arguments, each ended by a 0 byte; the last may lack it.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/base.h"
#include "program/command_line.h"
#include "program/option_table.h"
#include "program/options.h"

/* One more than the addresses that fit, in two words each, and some. */
#define WORDS_MAX 160

static void check_addresses(const struct options_addresses *addresses, char **words, int count)
{
	CHECK(addresses->count <= OPTIONS_ADDRESSES_MAX);
	for (unsigned i = 0; i < addresses->count; i++) {
		int word = 1;

		/* They point into the words. */
		while (word < count && (addresses->list[i] < words[word] ||
					addresses->list[i] > words[word] + strlen(words[word])))
			word++;
		CHECK(word < count);
	}
}

static void check_options(const struct program_options *options)
{
	CHECK(options->action <= OPTIONS_VERSION);
	CHECK(options->service <= OPTIONS_DISCARD);
	CHECK(options->framing <= OPTIONS_FRAMING_OF_SERVICE);
	CHECK(options->library.log_level <= ROLLCALL_LOG_DEBUG);
	CHECK(options->line_bytes_max <= 1 << 30);
	for (const struct option_row *row = option_rows; row->name; row++) {
		const uint64_t number = row->most > 0 ? option_number(row, options) : 0;

		CHECK(row->most == 0 || number <= row->most);
		CHECK(number >= row->least || row->most == 0 || row->usual);
	}
}

static void parse(int count, char **words)
{
	struct program_options options;
	/* Of just its size, for the sanitizer's sake. */
	char *message = malloc(COMMAND_LINE_MESSAGE_BYTES);
	int result;

	CHECK(message);
	memset(message, 'x', COMMAND_LINE_MESSAGE_BYTES);
	result = command_line_parse(&options, count, words, message);
	CHECK(memchr(message, '\0', COMMAND_LINE_MESSAGE_BYTES));
	CHECK(result == 0 || result == EX_USAGE);
	CHECK((result == EX_USAGE) == (message[0] != '\0'));
	if (result == 0) {
		check_options(&options);
		check_addresses(&options.tcp, words, count);
		check_addresses(&options.udp, words, count);
		check_addresses(&options.health, words, count);
	}
	free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char name[] = "rollcall", *words[WORDS_MAX + 1] = { name };
	int count = 1;

	while (bytes > 0 && count < WORDS_MAX) {
		size_t length = strnlen((const char *)data, bytes);
		size_t used = min_size(length + 1, bytes);

		words[count] = strndup((const char *)data, length);
		CHECK(words[count++]);
		data += used;
		bytes -= used;
	}
	/* getopt_long() permutes them. */
	parse(count, words);
	for (int i = 0; i < count; i++)
		if (words[i] != name)
			free(words[i]);
	return 0;
}
