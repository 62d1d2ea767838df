/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "program/address_syntax.h"
#include "program/nearest.h"
#include "program/number.h"
#include "program/options.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Maxima of the fields of struct rollcall_options; times in milliseconds end at 2^31 - 1. */
#define TIMEOUT_MS_MAX INT32_MAX
#define CLIENTS_MAX (1 << 24)
#define BYTES_MAX (1 << 30)
#define UDP_RATE_MAX 1000000
#define SEND_QUEUE_BYTES_MIN 4096

/* For --spin without a number: with over a thousand messages a second the loop never sleeps. */
#define SPIN_US_DEFAULT 1000
#define SPIN_US_MAX 1000000

/* Maximum of TCP_KEEPIDLE (Linux, MAX_TCP_KEEPIDLE). */
#define KEEPALIVE_S_MAX 32767

/* Values of long options without a letter; above those of all letters. */
enum option_key {
	OPTION_TCP = 256,
	OPTION_UDP,
	OPTION_SERVICE,
	OPTION_FRAMING,
	OPTION_LINE_BYTES_MAX,
	OPTION_MAX_CLIENTS,
	OPTION_UDP_MAX_CLIENTS,
	OPTION_SEND_QUEUE_BYTES,
	OPTION_IDLE_TIMEOUT,
	OPTION_UDP_IDLE_TIMEOUT,
	OPTION_SEND_TIMEOUT,
	OPTION_UDP_MAX_CLIENTS_PER_SOURCE,
	OPTION_UDP_RATE,
	OPTION_UDP_SEQUENCE,
	OPTION_UDP_RECEIVE_BUFFER,
	OPTION_UDP_SEND_BUFFER,
	OPTION_KEEPALIVE,
	OPTION_DRAIN_TIMEOUT,
	OPTION_SPIN,
	OPTION_UDP_LOW_PORTS,
	OPTION_VERBOSE,
	OPTION_LOG_LEVEL,
	OPTION_CHECK,
	OPTION_HEALTH,
};

static const struct option long_options[] = {
	{ "tcp", required_argument, NULL, OPTION_TCP },
	{ "udp", required_argument, NULL, OPTION_UDP },
	{ "service", required_argument, NULL, OPTION_SERVICE },
	{ "framing", required_argument, NULL, OPTION_FRAMING },
	{ "line-bytes-max", required_argument, NULL, OPTION_LINE_BYTES_MAX },
	{ "max-clients", required_argument, NULL, OPTION_MAX_CLIENTS },
	{ "udp-max-clients", required_argument, NULL, OPTION_UDP_MAX_CLIENTS },
	{ "send-queue-bytes", required_argument, NULL, OPTION_SEND_QUEUE_BYTES },
	{ "idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT },
	{ "udp-idle-timeout", required_argument, NULL, OPTION_UDP_IDLE_TIMEOUT },
	{ "send-timeout", required_argument, NULL, OPTION_SEND_TIMEOUT },
	{ "udp-max-clients-per-source", required_argument, NULL,
	  OPTION_UDP_MAX_CLIENTS_PER_SOURCE },
	{ "udp-rate", required_argument, NULL, OPTION_UDP_RATE },
	{ "udp-sequence", required_argument, NULL, OPTION_UDP_SEQUENCE },
	{ "udp-receive-buffer", required_argument, NULL, OPTION_UDP_RECEIVE_BUFFER },
	{ "udp-send-buffer", required_argument, NULL, OPTION_UDP_SEND_BUFFER },
	{ "keepalive", required_argument, NULL, OPTION_KEEPALIVE },
	{ "drain-timeout", required_argument, NULL, OPTION_DRAIN_TIMEOUT },
	{ "spin", optional_argument, NULL, OPTION_SPIN },
	{ "udp-low-ports", no_argument, NULL, OPTION_UDP_LOW_PORTS },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "health", required_argument, NULL, OPTION_HEALTH },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Numeric options: format, range, and the field that each sets. */
static const struct number_option {
	int key;
	enum number_kind kind;
	uint64_t min;
	uint64_t max;
	size_t offset;
} number_options[] = {
#define FIELD(name) offsetof(struct program_options, name)
	{ OPTION_LINE_BYTES_MAX, NUMBER_BYTES, 1, BYTES_MAX, FIELD(line_bytes_max) },
	{ OPTION_MAX_CLIENTS, NUMBER_WHOLE, 1, CLIENTS_MAX, FIELD(tcp_clients_max) },
	{ OPTION_UDP_MAX_CLIENTS, NUMBER_WHOLE, 1, CLIENTS_MAX, FIELD(udp_clients_max) },
	{ OPTION_UDP_MAX_CLIENTS_PER_SOURCE, NUMBER_WHOLE, 1, CLIENTS_MAX,
	  FIELD(udp_clients_per_source_max) },
	{ OPTION_UDP_RATE, NUMBER_WHOLE, 0, UDP_RATE_MAX, FIELD(udp_rate) },
	{ OPTION_UDP_RECEIVE_BUFFER, NUMBER_BYTES, 0, BYTES_MAX - 1,
	  FIELD(udp_receive_buffer_bytes) },
	{ OPTION_UDP_SEND_BUFFER, NUMBER_BYTES, 0, BYTES_MAX - 1, FIELD(udp_send_buffer_bytes) },
	{ OPTION_SEND_QUEUE_BYTES, NUMBER_BYTES, SEND_QUEUE_BYTES_MIN, BYTES_MAX,
	  FIELD(send_queue_bytes) },
	{ OPTION_IDLE_TIMEOUT, NUMBER_SECONDS, 0, TIMEOUT_MS_MAX, FIELD(tcp_idle_timeout_ms) },
	{ OPTION_UDP_IDLE_TIMEOUT, NUMBER_SECONDS, 1, TIMEOUT_MS_MAX, FIELD(udp_idle_timeout_ms) },
	{ OPTION_SEND_TIMEOUT, NUMBER_SECONDS, 0, TIMEOUT_MS_MAX, FIELD(send_timeout_ms) },
	{ OPTION_KEEPALIVE, NUMBER_WHOLE, 0, KEEPALIVE_S_MAX, FIELD(keepalive_s) },
	{ OPTION_DRAIN_TIMEOUT, NUMBER_SECONDS, 0, TIMEOUT_MS_MAX, FIELD(drain_timeout_ms) },
	{ OPTION_SPIN, NUMBER_WHOLE, 0, SPIN_US_MAX, FIELD(spin_us) },
#undef FIELD
};

static const char *const service_names[] = { "reply", "echo", "discard" };
static const char *const framing_names[] = { "raw", "lines", "length" };
static const char *const sequence_names[] = { "off", "rtp", "auto" };
static const char *const log_level_names[] = { "error", "warning", "info", "debug" };

void options_defaults(struct program_options *options)
{
	*options = (struct program_options){
		.action = OPTIONS_SERVE,
		.service = OPTIONS_REPLY,
		.framing = OPTIONS_FRAMING_OF_SERVICE,
		.log_level = ROLLCALL_LOG_INFO,
		.line_bytes_max = 64 << 10,
		.tcp_clients_max = 65536,
		.udp_clients_max = 65536,
		.udp_clients_per_source_max = 32768,
		.send_queue_bytes = 1 << 20,
		.tcp_idle_timeout_ms = 0,
		.udp_idle_timeout_ms = 120 * 1000,
		.send_timeout_ms = 120 * 1000,
		.keepalive_s = 60,
		.drain_timeout_ms = 5 * 1000,
	};
}

static const char *option_name(int key)
{
	const struct option *option = long_options;

	while (option->name && option->val != key)
		option++;
	return option->name;
}

static int parse_number(struct program_options *options, int key, const char *text, char *message)
{
	const struct number_option *number = number_options;
	const char *fault;

	while (number->key != key)
		number++;
	fault = number_parse(number->kind, text, number->min, number->max,
			     (uint64_t *)((char *)options + number->offset));
	if (!fault)
		return 0;

	if (number->kind == NUMBER_SECONDS)
		snprintf(message, OPTIONS_MESSAGE_BYTES,
			 "--%s '%.200s' %s: allowed are %g to %.3f seconds", option_name(key), text,
			 fault, (double)number->min / 1000, (double)number->max / 1000);
	else
		snprintf(message, OPTIONS_MESSAGE_BYTES,
			 "--%s '%.200s' %s: allowed are %" PRIu64 " to %" PRIu64 "%s",
			 option_name(key), text, fault, number->min, number->max,
			 number->kind == NUMBER_BYTES ? " (K, M or G may follow)" : "");
	return EX_USAGE;
}

/* Finds `text` among the names; returns its index, or -1 with a message. */
static int parse_name(const char *what, const char *text, const char *const *names, size_t count,
		      char *message)
{
	char nearest[128];
	int used;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	}
	nearest_list(nearest, sizeof(nearest), text, "", names, count);
	used = snprintf(message, OPTIONS_MESSAGE_BYTES,
			"unknown %s '%.100s': did you mean %s? Allowed are", what, text, nearest);
	for (size_t i = 0; i < count; i++)
		used += snprintf(message + used, (size_t)(OPTIONS_MESSAGE_BYTES - used), "%s %s",
				 i ? "," : "", names[i]);
	return -1;
}

static int parse_service(struct program_options *options, const char *text, char *message)
{
	int index = parse_name("service", text, service_names, ARRAY_COUNT(service_names), message);

	if (index < 0)
		return EX_USAGE;
	options->service = (enum options_service)index;
	return 0;
}

static int parse_framing(struct program_options *options, const char *text, char *message)
{
	int index = parse_name("framing", text, framing_names, ARRAY_COUNT(framing_names), message);

	if (index < 0)
		return EX_USAGE;
	options->framing = (enum options_framing)index;
	return 0;
}

static int parse_sequence(struct program_options *options, const char *text, char *message)
{
	int index = parse_name("UDP sequence", text, sequence_names, ARRAY_COUNT(sequence_names),
			       message);

	if (index < 0)
		return EX_USAGE;
	options->udp_sequence = (enum rollcall_udp_sequence)index;
	return 0;
}

static int parse_log_level(struct program_options *options, const char *text, char *message)
{
	int index = parse_name("log level", text, log_level_names, ARRAY_COUNT(log_level_names),
			       message);

	if (index < 0)
		return EX_USAGE;
	options->log_level = (enum rollcall_log_level)index;
	return 0;
}

static int add_address(int key, struct options_addresses *addresses, const char *text,
		       char *message)
{
	const char *fault;

	fault = key == OPTION_HEALTH ? address_url_fault(text) : address_fault(text);
	if (!fault && addresses->count == OPTIONS_ADDRESSES_MAX)
		fault = "is one too many: at most 64 addresses";
	if (fault) {
		snprintf(message, OPTIONS_MESSAGE_BYTES, "--%s '%.300s' %s", option_name(key), text,
			 fault);
		return EX_USAGE;
	}
	addresses->list[addresses->count++] = text;
	return 0;
}

static int parse_address(int key, struct options_addresses *addresses, const char *text,
			 char *message)
{
	if (strcmp(text, "none") != 0)
		return add_address(key, addresses, text, message);
	addresses->none = true;
	return 0;
}

static int parse_value(struct program_options *options, int key, const char *text, char *message)
{
	switch (key) {
	case OPTION_TCP:
		return parse_address(key, &options->tcp, text, message);
	case OPTION_UDP:
		return parse_address(key, &options->udp, text, message);
	case OPTION_HEALTH:
		options->action = OPTIONS_HEALTH;
		return add_address(key, &options->health, text, message);
	case OPTION_SERVICE:
		return parse_service(options, text, message);
	case OPTION_FRAMING:
		return parse_framing(options, text, message);
	case OPTION_UDP_SEQUENCE:
		return parse_sequence(options, text, message);
	case OPTION_LOG_LEVEL:
		return parse_log_level(options, text, message);
	default:
		return parse_number(options, key, text, message);
	}
}

/* Writes why getopt_long() refused the argument `text`; `key` is optopt. */
static int refuse_option(int key, const char *text, char *message)
{
	const char *names[ARRAY_COUNT(long_options) - 1];
	size_t name_bytes = strcspn(text, "=");
	char name[64], nearest[128];

	/* The key of a known option: it was given a value. Any other key is an unknown letter. */
	if (key && option_name(key)) {
		snprintf(message, OPTIONS_MESSAGE_BYTES, "'%.200s': --%s takes no value", text,
			 option_name(key));
		return EX_USAGE;
	}
	if (key) {
		snprintf(message, OPTIONS_MESSAGE_BYTES,
			 "unknown option '-%c': the letters are -q, -h and -V", key);
		return EX_USAGE;
	}
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		names[i] = long_options[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)name_bytes - 2, text + 2);
	nearest_list(nearest, sizeof(nearest), name, "--", names, ARRAY_COUNT(names));
	snprintf(message, OPTIONS_MESSAGE_BYTES,
		 "unknown option '--%s': nearest are: %s (rollcall --help shows all)", name,
		 nearest);
	return EX_USAGE;
}

static int parse_option(struct program_options *options, int key, char **argv, char *message)
{
	switch (key) {
	case 'q':
		options->quiet = true;
		return 0;
	case OPTION_VERBOSE:
		options->quiet = false;
		return 0;
	case OPTION_SPIN:
		options->spin_us = SPIN_US_DEFAULT;
		return optarg ? parse_number(options, key, optarg, message) : 0;
	case OPTION_UDP_LOW_PORTS:
		options->udp_low_ports = true;
		return 0;
	case OPTION_CHECK:
		options->action = OPTIONS_CHECK;
		return 0;
	case 'h':
		options->action = OPTIONS_HELP;
		return 0;
	case 'V':
		options->action = OPTIONS_VERSION;
		return 0;
	case ':':
		snprintf(message, OPTIONS_MESSAGE_BYTES, "--%s needs a value", option_name(optopt));
		return EX_USAGE;
	case '?':
		return refuse_option(optopt, argv[optind - 1], message);
	default:
		return parse_value(options, key, optarg, message);
	}
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
	snprintf(message, OPTIONS_MESSAGE_BYTES, "%s", fault);
	return EX_USAGE;
}

int options_parse(struct program_options *options, int argc, char **argv,
		  char message[static OPTIONS_MESSAGE_BYTES])
{
	int key, result;

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
		snprintf(message, OPTIONS_MESSAGE_BYTES,
			 "'%.300s' is not an option: rollcall takes options only", argv[optind]);
		return EX_USAGE;
	}
	return validate(options, message);
}
