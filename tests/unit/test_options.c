/* SPDX-License-Identifier: MIT */
/* The command line: what is taken, what is refused, and with which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "program/command_line.h"
#include "program/help.h"
#include "program/address_syntax.h"
#include "program/nearest.h"
#include "program/number.h"
#include "program/option_table.h"
#include "program/options.h"
#include "server/validate.h"

#define ARGUMENTS_MAX 80

static struct program_options options;
static char message[COMMAND_LINE_MESSAGE_BYTES];

/* Parses a command line given as words with single spaces between them; "" stands for no words. */
static int parse(const char *words)
{
	static char copy[4096];
	char *argv[ARGUMENTS_MAX] = { "rollcall" }, *word, *rest = copy;
	int argc = 1;

	strcpy(copy, words);
	while (*words && (word = strsep(&rest, " ")))
		argv[argc++] = word;
	assert_true(argc < ARGUMENTS_MAX);
	return command_line_parse(&options, argc, argv, message);
}

static void assert_refused(const char *words, const char *expected)
{
	assert_int_equal(parse(words), EX_USAGE);
	assert_string_equal(message, expected);
}

/* Looks for a part of the message only, where the rest is not the point. */
static void assert_refused_with(const char *words, const char *part)
{
	assert_int_equal(parse(words), EX_USAGE);
	if (!strstr(message, part))
		fail_msg("'%s' is not in '%s'", part, message);
}

/* No options at all: the defaults of the manual, and no address, so that main() takes its own. */
static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(message, "");
	assert_int_equal(options.action, OPTIONS_SERVE);
	assert_int_equal(options.tcp.count, 0);
	assert_int_equal(options.udp.count, 0);
	assert_false(options.tcp.none || options.udp.none);
	assert_int_equal(options.service, OPTIONS_REPLY);
	assert_int_equal(options.framing, OPTIONS_FRAMING_OF_SERVICE);
	assert_int_equal(options.library.log_level, ROLLCALL_LOG_INFO);
	assert_int_equal(options.library.engine, ROLLCALL_ENGINE_AUTO);
	assert_int_equal(options.line_bytes_max, 0);
	assert_int_equal(options.library.tcp_clients_max, 65536);
	assert_int_equal(options.library.tcp_clients_per_source_max, 0);
	assert_int_equal(options.library.udp_clients_max, 65536);
	assert_int_equal(options.library.udp_clients_per_source_max, 32768);
	assert_int_equal(options.library.udp_rate, 0);
	assert_int_equal(options.library.udp_sequence, ROLLCALL_SEQUENCE_OFF);
	assert_int_equal(options.library.udp_receive_buffer_bytes, 0);
	assert_int_equal(options.library.udp_send_buffer_bytes, 0);
	assert_int_equal(options.memory_bytes, 0);
	assert_int_equal(options.library.tcp_receive_buffer_bytes, 0);
	assert_int_equal(options.library.tcp_send_buffer_bytes, 0);
	assert_int_equal(options.library.send_queue_bytes, 1048576);
	assert_int_equal(options.library.tcp_idle_timeout_ms, 0);
	assert_int_equal(options.library.udp_idle_timeout_ms, 120000);
	assert_int_equal(options.library.message_timeout_ms, 120000);
	assert_int_equal(options.library.send_timeout_ms, 120000);
	assert_int_equal(options.library.keepalive_ms, 60000);
	assert_int_equal(options.library.drain_timeout_ms, 5000);
	assert_int_equal(options.library.spin_us, 0);
	assert_false(options.library.udp_low_ports || options.quiet);
}

/* Each option sets its own field; all at once, in both ways to write a value. */
static void every_option(void **state)
{
	(void)state;
	assert_int_equal(parse("--tcp localhost:1 --tcp [::1]:2 --udp=*:3 --service echo "
			       "--framing length --line-bytes-max 8K --max-clients=7 "
			       "--udp-max-clients 9 --send-queue-bytes 2M --idle-timeout 0.5 "
			       "--memory 64M --tcp-receive-buffer 16K --tcp-send-buffer 32K "
			       "--udp-idle-timeout 1.25 --send-timeout 2.5 --keepalive 0 "
			       "--message-timeout 30 --drain-timeout 10 --spin=50 "
			       "--udp-max-clients-per-source 3 --udp-rate 500 "
			       "--max-clients-per-source 5 "
			       "--udp-sequence auto --udp-receive-buffer 4M "
			       "--udp-send-buffer 1M --udp-low-ports -q --log-level debug "
			       "--engine epoll"),
			 0);
	assert_int_equal(options.tcp.count, 2);
	assert_string_equal(options.tcp.list[0], "localhost:1");
	assert_string_equal(options.tcp.list[1], "[::1]:2");
	assert_int_equal(options.udp.count, 1);
	assert_string_equal(options.udp.list[0], "*:3");
	assert_int_equal(options.service, OPTIONS_ECHO);
	assert_int_equal(options.framing, OPTIONS_LENGTH);
	assert_int_equal(options.line_bytes_max, 8192);
	assert_int_equal(options.library.tcp_clients_max, 7);
	assert_int_equal(options.library.tcp_clients_per_source_max, 5);
	assert_int_equal(options.library.udp_clients_max, 9);
	assert_int_equal(options.library.udp_clients_per_source_max, 3);
	assert_int_equal(options.library.udp_rate, 500);
	assert_int_equal(options.library.udp_sequence, ROLLCALL_SEQUENCE_AUTO);
	assert_int_equal(options.library.udp_receive_buffer_bytes, 4 << 20);
	assert_int_equal(options.library.udp_send_buffer_bytes, 1 << 20);
	assert_int_equal(options.memory_bytes, 64 << 20);
	assert_int_equal(options.library.tcp_receive_buffer_bytes, 16 << 10);
	assert_int_equal(options.library.tcp_send_buffer_bytes, 32 << 10);
	assert_int_equal(options.library.send_queue_bytes, 2 << 20);
	assert_int_equal(options.library.tcp_idle_timeout_ms, 500);
	assert_int_equal(options.library.udp_idle_timeout_ms, 1250);
	assert_int_equal(options.library.message_timeout_ms, 30000);
	assert_int_equal(options.library.send_timeout_ms, 2500);
	assert_int_equal(options.library.keepalive_ms, 0);
	assert_int_equal(options.library.drain_timeout_ms, 10000);
	assert_int_equal(options.library.spin_us, 50);
	assert_true(options.library.udp_low_ports && options.quiet);
	assert_int_equal(options.library.log_level, ROLLCALL_LOG_DEBUG);
	assert_int_equal(options.library.engine, ROLLCALL_ENGINE_EPOLL);
}

/* Without a number it is a millisecond; a word behind it is not its number. */
static void spin(void **state)
{
	(void)state;
	assert_int_equal(parse("--spin"), 0);
	assert_int_equal(options.library.spin_us, 1000);
	assert_int_equal(parse("--spin=0"), 0);
	assert_int_equal(options.library.spin_us, 0);
	assert_refused_with("--spin 5", "'5'");
	assert_refused_with("--spin=1000001", "--spin '1000001' is too large");
	assert_refused_with("--spin=", "--spin ''");
}

/* A name that is none is answered with those that are. */
static void engine(void **state)
{
	(void)state;
	assert_int_equal(parse("--engine epoll --engine io_uring"), 0);
	assert_int_equal(options.library.engine, ROLLCALL_ENGINE_IO_URING);
	assert_int_equal(parse("--engine epoll --engine auto"), 0);
	assert_int_equal(options.library.engine, ROLLCALL_ENGINE_AUTO);
	assert_refused_with("--engine kqueue", "auto");
	assert_refused_with("--engine kqueue", "io_uring");
	assert_refused_with("--engine kqueue", "epoll");
}

/* Every name of a service, a framing, a way to number and a level stands for its own value. */
static void names(void **state)
{
	(void)state;
	assert_int_equal(
		parse("--service reply --framing raw --udp-sequence rtp --log-level error"), 0);
	assert_int_equal(options.library.udp_sequence, ROLLCALL_SEQUENCE_RTP);
	assert_int_equal(options.service, OPTIONS_REPLY);
	assert_int_equal(options.framing, OPTIONS_RAW);
	assert_int_equal(options.library.log_level, ROLLCALL_LOG_ERROR);
	assert_int_equal(parse("--service discard --framing lines --udp-sequence off "
			       "--log-level warning"),
			 0);
	assert_int_equal(options.library.udp_sequence, ROLLCALL_SEQUENCE_OFF);
	assert_int_equal(options.service, OPTIONS_DISCARD);
	assert_int_equal(options.framing, OPTIONS_LINES);
	assert_int_equal(options.library.log_level, ROLLCALL_LOG_WARNING);
}

/* -h and -V end the parsing, so that a mistake behind them does not matter; --check does not. */
static void actions(void **state)
{
	(void)state;
	assert_int_equal(parse("-h --nonsense"), 0);
	assert_int_equal(options.action, OPTIONS_HELP);
	assert_int_equal(parse("--version"), 0);
	assert_int_equal(options.action, OPTIONS_VERSION);
	assert_int_equal(parse("-qV"), 0);
	assert_int_equal(options.action, OPTIONS_VERSION);
	assert_int_equal(parse("--check --max-clients 5"), 0);
	assert_int_equal(options.action, OPTIONS_CHECK);
	assert_int_equal(options.library.tcp_clients_max, 5);
	assert_int_equal(parse("--check --max-clients x"), EX_USAGE);
	assert_int_equal(parse("--health tcp://[::1]:1 --health=udp://h:2"), 0);
	assert_int_equal(options.action, OPTIONS_HEALTH);
	assert_int_equal(options.health.count, 2);
	assert_string_equal(options.health.list[0], "tcp://[::1]:1");
	assert_string_equal(options.health.list[1], "udp://h:2");
}

/* The help is made from the table: every option with its value and default, in 80 columns. */
static void help(void **state)
{
	char text[HELP_BYTES];

	(void)state;
	help_write(text);
	assert_in_range(strlen(text), 1000, HELP_BYTES - 500);
	for (const struct option_row *row = option_rows; row->name; row++) {
		char name[64];

		snprintf(name, sizeof(name), " --%s%s%s", row->name,
			 row->without_value ? "[="
			 : row->value	    ? " "
					    : "\0",
			 row->value ? row->value : "");
		assert_non_null(strstr(text, name));
	}
	assert_non_null(
		strstr(text, "--max-clients N         TCP clients at once (default 65536)\n"));
	assert_non_null(strstr(text, "  -q, --quiet             no console"));
	assert_non_null(
		strstr(text, "output queue in bytes\n                          (default 1M)\n"));
	for (const char *line = text; (line = strchr(line, '\n')); line++)
		assert_in_range(strcspn(line + 1, "\n"), 0, 86);
}

/* Each value is shown as the command line takes it. */
static void values(void **state)
{
	static const struct {
		const char *option, *value;
	} cases[] = {
		{ "max-clients", "7" },	      { "service", "echo" },
		{ "framing", "lines" },	      { "send-queue-bytes", "3M" },
		{ "udp-rate", "0" },	      { "idle-timeout", "0.25" },
		{ "line-bytes-max", "1025" }, { "quiet", "yes" },
		{ "udp-low-ports", "no" },    { "check", "" },
		{ "udp-send-buffer", "1G" },
	};
	char text[OPTION_VALUE_BYTES];

	(void)state;
	assert_int_equal(parse("--max-clients 7 --service echo --framing lines "
			       "--send-queue-bytes 3072K --idle-timeout 0.25 -q "
			       "--line-bytes-max 1025"),
			 0);
	options.library.udp_send_buffer_bytes = 1 << 30;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct option_row *row = option_rows;

		while (strcmp(row->name, cases[i].option) != 0)
			row++;
		assert_string_equal(option_value(row, &options, text), cases[i].value);
	}
	assert_int_equal(parse(""), 0);
	for (const struct option_row *row = option_rows; row->name; row++)
		if (strcmp(row->name, "line-bytes-max") == 0)
			assert_string_equal(option_value(row, &options, text), "64K");
}

/* The limits of each number that goes to the library are the library's own. */
static void limits_of_the_library(void **state)
{
	const size_t first = offsetof(struct program_options, library);
	struct rollcall_options taken;
	unsigned count = 0;

	(void)state;
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (row->offset < first || row->most == 0)
			continue;
		assert_int_equal(parse(""), 0);
		options.library.send_queue_bytes_max = 1 << 30;
		option_set_number(row, &options, row->least);
		assert_int_equal(validate_options(&taken, &options.library), 0);
		option_set_number(row, &options, row->most);
		assert_int_equal(validate_options(&taken, &options.library), 0);
		option_set_number(row, &options, row->most + 1);
		assert_int_equal(validate_options(&taken, &options.library), -EINVAL);
		if (row->least > 0) {
			option_set_number(row, &options, row->least - 1);
			assert_int_equal(validate_options(&taken, &options.library), -EINVAL);
		}
		count++;
	}
	assert_true(count >= 13);
}

/* The last of --quiet and --verbose counts: the image and the unit say --quiet first. */
static void quiet_or_verbose(void **state)
{
	(void)state;
	assert_int_equal(parse("--quiet --service echo --verbose"), 0);
	assert_false(options.quiet);
	assert_int_equal(parse("--verbose -q"), 0);
	assert_true(options.quiet);
	assert_refused("--verbose=1", "'--verbose=1': --verbose takes no value");
}

/* Parsing starts afresh each time, also after a failure in the middle of a line. */
static void parsing_again(void **state)
{
	(void)state;
	assert_int_equal(parse("--tcp localhost:1 --nonsense --quiet"), EX_USAGE);
	assert_int_equal(parse("-q"), 0);
	assert_true(options.quiet);
	assert_int_equal(options.tcp.count, 0);
	assert_int_equal(parse(""), 0);
	assert_false(options.quiet);
}

/* An unknown option is named, and so are the nearest that exist. */
static void unknown_options(void **state)
{
	(void)state;
	assert_refused("--tpc localhost:1",
		       "unknown option '--tpc': nearest are: --tcp (rollcall --help shows all)");
	assert_refused_with("--keep-alive 5", "nearest are: --keepalive ");
	assert_refused_with("--prot=80", "unknown option '--prot': ");
	assert_refused_with("--drain 5x", "'5x' is not a number of seconds");
	assert_refused("--l 5", "unknown option '--l': nearest are: --line-bytes-max, "
				"--log-level (rollcall --help shows all)");
	assert_refused("-x", "unknown option '-x': the letters are -q, -h and -V");
	assert_refused("--quiet -xq", "unknown option '-x': the letters are -q, -h and -V");
	assert_refused("8080", "'8080' is not an option: rollcall takes options only");
	assert_refused("--quiet -- --tcp", "'--tcp' is not an option: rollcall takes options only");
}

/* A value too few or too many is said to be that. */
static void values_missing(void **state)
{
	(void)state;
	assert_refused("--tcp", "--tcp needs a value");
	assert_refused("-q --max-clients", "--max-clients needs a value");
	assert_refused("--quiet=1", "'--quiet=1': --quiet takes no value");
}

/* An unknown name is quoted with the nearest one and with all of them. */
static void unknown_names(void **state)
{
	(void)state;
	assert_refused("--service ehco", "--service 'ehco' is unknown: did you mean echo? "
					 "Allowed are reply, echo, discard");
	assert_refused("--framing line", "--framing 'line' is unknown: did you mean lines? "
					 "Allowed are raw, lines, length");
	assert_refused("--udp-sequence rpt", "--udp-sequence 'rpt' is unknown: did you mean rtp? "
					     "Allowed are off, rtp, auto");
	assert_refused("--log-level warn", "--log-level 'warn' is unknown: did you mean warning? "
					   "Allowed are error, warning, info, debug");
	assert_refused_with("--service=", "--service '' is unknown");
	assert_refused_with("--service Echo", "did you mean echo?");
}

/* A bad number is quoted, and what is allowed is said in the unit that it was asked for in. */
static void bad_numbers(void **state)
{
	(void)state;
	assert_refused("--max-clients 12x",
		       "--max-clients '12x' is not a whole number: allowed are 1 to 16777216");
	assert_refused_with("--max-clients=", "--max-clients '' is empty");
	assert_refused_with("--max-clients -1", "'-1' is negative");
	assert_refused_with("--max-clients +1", "'+1' is not a whole number");
	assert_refused_with("--max-clients 0", "'0' is too small");
	assert_refused_with("--max-clients 16777217", "is too large");
	assert_refused_with("--max-clients 99999999999999999999999", "is too large");
	assert_refused_with("--max-clients 1K", "'1K' is not a whole number");
	assert_refused_with("--max-clients 0x10", "'0x10' is not a whole number");
	assert_refused("--line-bytes-max 2G",
		       "--line-bytes-max '2G' is too large: allowed are 1 to "
		       "1073741824 (K, M or G may follow)");
	assert_refused_with("--line-bytes-max 1KB", "'1KB' is not a number of bytes");
	assert_refused_with("--send-queue-bytes 4095", "is too small: allowed are 4096 to");
	assert_refused_with("--max-clients 0.5", "'0.5' is not a whole number");
	assert_refused_with("--keepalive 32767.001", "is too large: allowed are 0 to 32767.000");
	assert_refused("--udp-idle-timeout 0", "--udp-idle-timeout '0' is too small: allowed are "
					       "0.001 to 2147483.647 seconds");
	assert_refused_with("--send-timeout 2147483.648", "is too large: allowed are 0 to");
	assert_refused_with("--idle-timeout 2147483.648", "is too large: allowed are 0 to");
	assert_refused_with("--udp-max-clients-per-source 0", "is too small: allowed are 1 to");
	assert_refused_with("--udp-rate 1000001", "is too large: allowed are 0 to 1000000");
	assert_refused_with("--udp-rate 5K", "'5K' is not a whole number");
	assert_refused_with("--udp-receive-buffer 2G", "is too large: allowed are 0 to");
	assert_refused_with("--udp-send-buffer 2G", "is too large: allowed are 0 to");
	assert_refused_with("--drain-timeout 5s", "'5s' is not a number of seconds");
}

/* The limits themselves are allowed. */
static void numbers_at_the_limits(void **state)
{
	(void)state;
	assert_int_equal(parse("--max-clients 1 --line-bytes-max 1G --send-queue-bytes 4K "
			       "--idle-timeout 2147483.647 --udp-idle-timeout 0.001 "
			       "--keepalive 32767"),
			 0);
	assert_int_equal(options.library.tcp_clients_max, 1);
	assert_int_equal(options.line_bytes_max, 1 << 30);
	assert_int_equal(options.library.send_queue_bytes, 4096);
	assert_int_equal(options.library.tcp_idle_timeout_ms, INT32_MAX);
	assert_int_equal(options.library.udp_idle_timeout_ms, 1);
	assert_int_equal(parse("--max-clients 16777216 --udp-idle-timeout 2147483.647"), 0);
	assert_int_equal(options.library.tcp_clients_max, 1 << 24);
	assert_int_equal(options.library.udp_idle_timeout_ms, INT32_MAX);
}

/* Numbers by themselves: the edges of 64 bits, every suffix, and decimals of each length. */
static void number_parsing(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_null(number_parse(NUMBER_WHOLE, "18446744073709551615", 0, UINT64_MAX, &value));
	assert_true(value == UINT64_MAX);
	value = 7;
	assert_string_equal(number_parse(NUMBER_WHOLE, "18446744073709551616", 0, UINT64_MAX,
					 &value),
			    "is too large");
	assert_string_equal(number_parse(NUMBER_BYTES, "18446744073709551615K", 0, UINT64_MAX,
					 &value),
			    "is too large");
	assert_string_equal(number_parse(NUMBER_SECONDS, "18446744073709551.616", 0, UINT64_MAX,
					 &value),
			    "is too large");
	assert_string_equal(number_parse(NUMBER_WHOLE, "-", 0, 9, &value), "is not a whole number");
	assert_string_equal(number_parse(NUMBER_WHOLE, " 1", 0, 9, &value),
			    "is not a whole number");
	assert_string_equal(number_parse(NUMBER_WHOLE, "1 ", 0, 9, &value),
			    "is not a whole number");
	assert_int_equal(value, 7);

	assert_null(number_parse(NUMBER_BYTES, "3k", 0, UINT64_MAX, &value));
	assert_int_equal(value, 3 << 10);
	assert_null(number_parse(NUMBER_BYTES, "3M", 0, UINT64_MAX, &value));
	assert_int_equal(value, 3 << 20);
	assert_null(number_parse(NUMBER_BYTES, "3G", 0, UINT64_MAX, &value));
	assert_true(value == 3ULL << 30);

	assert_null(number_parse(NUMBER_SECONDS, "1.5", 0, UINT64_MAX, &value));
	assert_int_equal(value, 1500);
	assert_null(number_parse(NUMBER_SECONDS, "0.05", 0, UINT64_MAX, &value));
	assert_int_equal(value, 50);
	assert_null(number_parse(NUMBER_SECONDS, "0.007", 0, UINT64_MAX, &value));
	assert_int_equal(value, 7);
	assert_string_equal(number_parse(NUMBER_SECONDS, "0.0001", 0, 9, &value),
			    "has more than three decimals");
	assert_string_equal(number_parse(NUMBER_SECONDS, "1.", 0, 9, &value),
			    "is not a number of seconds");
	assert_string_equal(number_parse(NUMBER_SECONDS, ".5", 0, 9, &value),
			    "is not a number of seconds");
	assert_string_equal(number_parse(NUMBER_SECONDS, "1.2.3", 0, 9, &value),
			    "is not a number of seconds");
}

/* Addresses: the three forms pass, and each usual mistake is named with what to write instead. */
static void addresses(void **state)
{
	static const char *const good[] = { "localhost:0", "127.0.0.1:65535", "*:1", "[::1]:8080",
					    "[fe80::1%lo]:9" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(address_fault(good[i]));

	assert_refused("--tcp :8080", "--tcp ':8080' has no host: write localhost:PORT for this "
				      "machine alone, *:PORT for all its addresses");
	assert_refused("--udp localhost", "--udp 'localhost' has no port: write HOST:PORT, like "
					  "localhost:8080");
	assert_refused_with("--tcp 8080", "'8080' has no port");
	assert_refused_with("--tcp localhost:", "has no port");
	assert_refused_with("--tcp localhost:http", "has a bad port");
	assert_refused_with("--tcp localhost:65536", "has a bad port");
	assert_refused_with("--tcp localhost:-1", "has a bad port");
	assert_refused_with("--tcp ::1:8080", "write IPv6 in brackets");
	assert_refused_with("--tcp [::1:8080", "has no closing bracket");
	assert_refused_with("--tcp [::1]", "has no port");
	assert_refused_with("--tcp []:1", "has no IPv6 address in its brackets");
	assert_refused_with("--tcp [localhost]:1", "has no IPv6 address in its brackets");
	assert_refused_with("--tcp tcp://localhost:1", "has a scheme");
	assert_refused_with("--tcp=", "is empty");
}

/* What is to be asked has a transport, one host and a port. */
static void addresses_to_ask(void **state)
{
	char host[ADDRESS_HOST_BYTES], words[400] = "--health tcp://";

	(void)state;
	assert_refused("--health localhost:1", "--health 'localhost:1' has no scheme: write "
					       "tcp://HOST:PORT or udp://HOST:PORT");
	assert_refused_with("--health http://localhost:1", "has no scheme");
	assert_refused_with("--health none", "has no scheme");
	assert_refused_with("--health tcp://localhost", "'tcp://localhost' has no port");
	assert_refused_with("--health udp://*:1", "has no host to query");
	assert_refused_with("--health udp://localhost:00", "has port 0");
	assert_refused_with("--health udp://localhost:", "has no port");
	memset(words + strlen(words), 'h', ADDRESS_HOST_BYTES - 1);
	strcat(words, ":1");
	assert_int_equal(parse(words), 0);
	words[strlen(words) - 2] = 'h';
	strcat(words, ":1");
	assert_refused_with(words, "has too long a host name");

	assert_string_equal(address_split("localhost:80", host), "80");
	assert_string_equal(host, "localhost");
	assert_string_equal(address_split("[fe80::1%lo]:081", host), "081");
	assert_string_equal(host, "fe80::1%lo");
}

/* `none` turns a transport off; with an address beside it, or for both, it makes no sense. */
static void none(void **state)
{
	(void)state;
	assert_int_equal(parse("--udp none"), 0);
	assert_true(options.udp.none);
	assert_false(options.tcp.none);
	assert_refused("--tcp none --tcp localhost:1", "--tcp none contradicts the other --tcp");
	assert_refused("--udp localhost:1 --udp none", "--udp none contradicts the other --udp");
	assert_refused("--tcp none --udp none",
		       "--tcp none and --udp none leave nothing to listen on");
}

/* 64 addresses are allowed, of one transport or of both; one more is refused. */
static void many_addresses(void **state)
{
	char words[4096] = "--udp=h:1";

	(void)state;
	for (int i = 1; i < OPTIONS_ADDRESSES_MAX; i++)
		strcat(words, " --tcp=h:1");
	assert_int_equal(parse(words), 0);
	assert_int_equal(options.tcp.count + options.udp.count, OPTIONS_ADDRESSES_MAX);
	strcat(words, " --tcp=h:1");
	assert_refused_with(words, "together allow 64");
	strcat(words, " --tcp=h:2");
	assert_refused(words, "--tcp 'h:2' is one too many: at most 64 addresses");
}

/* A value as long as a page is cut in the message, which stays within its bounds. */
static void long_values(void **state)
{
	static const char *const names[] = { "--tcp=", "--service=", "--max-clients=",
					     "--",     "--quiet=",   "" };
	char words[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(words, 'x', sizeof(words));
		words[sizeof(words) - 1] = '\0';
		memcpy(words, names[i], strlen(names[i]));
		assert_int_equal(parse(words), EX_USAGE);
		assert_in_range(strlen(message), 20, COMMAND_LINE_MESSAGE_BYTES - 1);
	}
}

/* Single edits count one each, a swap of neighbours too; the distance is the same both ways. */
static void nearest_distances(void **state)
{
	(void)state;
	assert_int_equal(nearest_distance("echo", "echo"), 0);
	assert_int_equal(nearest_distance("ehco", "echo"), 1);
	assert_int_equal(nearest_distance("eco", "echo"), 1);
	assert_int_equal(nearest_distance("echoo", "echo"), 1);
	assert_int_equal(nearest_distance("ecko", "echo"), 1);
	assert_int_equal(nearest_distance("", "echo"), 4);
	assert_int_equal(nearest_distance("echo", ""), 4);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance("sitting", "kitten"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_option),
		cmocka_unit_test(spin),
		cmocka_unit_test(engine),
		cmocka_unit_test(names),
		cmocka_unit_test(actions),
		cmocka_unit_test(help),
		cmocka_unit_test(values),
		cmocka_unit_test(limits_of_the_library),
		cmocka_unit_test(quiet_or_verbose),
		cmocka_unit_test(parsing_again),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(values_missing),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(bad_numbers),
		cmocka_unit_test(numbers_at_the_limits),
		cmocka_unit_test(number_parsing),
		cmocka_unit_test(addresses),
		cmocka_unit_test(addresses_to_ask),
		cmocka_unit_test(none),
		cmocka_unit_test(many_addresses),
		cmocka_unit_test(long_values),
		cmocka_unit_test(nearest_distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
