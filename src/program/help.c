/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "program/help.h"
#include "program/option_table.h"
#include "program/options.h"

/* Columns of the text, and where the explanations begin. */
#define COLUMNS 80
#define INDENT 26

struct help {
	char *text;
	size_t used;
	int column;
};

__attribute__((format(printf, 2, 3))) static void add(struct help *help, const char *format, ...)
{
	char *end = help->text + help->used;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(end, HELP_BYTES - help->used, format, arguments);
	va_end(arguments);
	help->used += strlen(end);
	help->column += (int)strlen(end);
}

static void start_line(struct help *help, int indent)
{
	add(help, "\n%*s", indent, "");
	help->column = indent;
}

/* Adds words, on further lines where they reach the last column. */
static void add_words(struct help *help, const char *words)
{
	while (*words) {
		const int length = (int)strcspn(words, " ");

		if (help->column + 1 + length > COLUMNS)
			start_line(help, INDENT);
		add(help, "%s%.*s", help->column > INDENT ? " " : "", length, words);
		words += length + (words[length] == ' ');
	}
}

static void add_default(struct help *help, const struct option_row *row,
			const struct program_options *defaults)
{
	char value[OPTION_VALUE_BYTES], text[64];
	const char *usual = row->usual ? row->usual : option_value(row, defaults, value);

	if (!*usual || row->kind == OPTION_SET || row->kind == OPTION_CLEAR)
		return;
	snprintf(text, sizeof(text), "(default %s)", usual);
	add_words(help, text);
}

static void add_row(struct help *help, const struct option_row *row,
		    const struct program_options *defaults)
{
	start_line(help, 2);
	if (row->letter)
		add(help, "-%c, ", row->letter);
	add(help, "--%s", row->name);
	if (row->value)
		add(help, row->without_value ? "[=%s]" : " %s", row->value);
	if (help->column + 2 > INDENT)
		start_line(help, INDENT);
	add(help, "%*s", INDENT - help->column, "");
	add_words(help, row->help);
	add_default(help, row, defaults);
}

void help_write(char text[static HELP_BYTES])
{
	struct help help = { .text = text };
	struct program_options defaults;

	options_defaults(&defaults);
	add(&help, "Usage: rollcall [OPTIONS]\n"
		   "A TCP and UDP server for many clients at once, on one io_uring.\n");
	for (const struct option_row *row = option_rows; row->name; row++)
		add_row(&help, row, &defaults);
	add(&help,
	    "\n\n"
	    "Sizes in bytes take K, M or G (1024-based); SECONDS take decimals.\n"
	    "SIGTERM or SIGINT: answer all received input, then exit. A second one at least "
	    "0.1 s\n"
	    "later: exit at once. SIGHUP, SIGUSR1 and SIGUSR2 are ignored.\n"
	    "\n"
	    "Try it:  nc localhost 8080   or   nc -u localhost 7070   in another terminal.\n");
}
