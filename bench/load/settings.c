/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fail.h"
#include "lib/number.h"
#include "load/load.h"
#include "load/settings.h"

#define MS_NS 1000000.0
#define SECOND_NS 1000000000.0

/* So many messages of a client may wait for their turn, in an open loop that sets no limit. */
#define OPEN_LOOP_INFLIGHT 64

#define REPLY_PREFIX "Received: "

/* Of memcached, the command that does nothing. */
#define NOOP_QUESTION "mn\r\n"
#define NOOP_ANSWER "MN\r\n"

enum option_key {
	OPTION_TCP = 256,
	OPTION_UDP,
	OPTION_SERVICE,
	OPTION_CLIENTS,
	OPTION_IDLE,
	OPTION_SIZE,
	OPTION_INFLIGHT,
	OPTION_RATE,
	OPTION_CONNECT,
	OPTION_GSO,
	OPTION_SECONDS,
	OPTION_WARMUP,
	OPTION_MESSAGES,
	OPTION_TIMEOUT,
	OPTION_UDP_TIMEOUT,
	OPTION_SERVER_PID,
	OPTION_CONTROL,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "tcp", required_argument, NULL, OPTION_TCP },
	{ "udp", required_argument, NULL, OPTION_UDP },
	{ "service", required_argument, NULL, OPTION_SERVICE },
	{ "clients", required_argument, NULL, OPTION_CLIENTS },
	{ "idle", required_argument, NULL, OPTION_IDLE },
	{ "size", required_argument, NULL, OPTION_SIZE },
	{ "inflight", required_argument, NULL, OPTION_INFLIGHT },
	{ "rate", required_argument, NULL, OPTION_RATE },
	{ "connect", no_argument, NULL, OPTION_CONNECT },
	{ "gso", no_argument, NULL, OPTION_GSO },
	{ "seconds", required_argument, NULL, OPTION_SECONDS },
	{ "warmup", required_argument, NULL, OPTION_WARMUP },
	{ "messages", required_argument, NULL, OPTION_MESSAGES },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "udp-timeout", required_argument, NULL, OPTION_UDP_TIMEOUT },
	{ "server-pid", required_argument, NULL, OPTION_SERVER_PID },
	{ "control", no_argument, NULL, OPTION_CONTROL },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* The numbers: their unit, what is allowed, and which setting each is. */
static const struct number_option {
	int key;
	double unit;
	double min;
	double max;
	size_t offset;
} number_options[] = {
#define FIELD(name) offsetof(struct settings, name)
	{ OPTION_CLIENTS, 1, 0, CLIENTS_MAX, FIELD(clients) },
	{ OPTION_IDLE, 1, 0, CLIENTS_MAX, FIELD(idle) },
	{ OPTION_SIZE, 1, 1, MESSAGE_BYTES_MAX, FIELD(message_bytes) },
	{ OPTION_INFLIGHT, 1, 1, INFLIGHT_MAX, FIELD(inflight) },
	{ OPTION_RATE, 1, 1, 1e8, FIELD(rate) },
	{ OPTION_SECONDS, SECOND_NS, 0.001, 86400, FIELD(duration_ns) },
	{ OPTION_WARMUP, SECOND_NS, 0, 86400, FIELD(warmup_ns) },
	{ OPTION_MESSAGES, 1, 1, 1e15, FIELD(messages_max) },
	{ OPTION_TIMEOUT, SECOND_NS, 0.01, 3600, FIELD(timeout_ns) },
	{ OPTION_UDP_TIMEOUT, MS_NS, 1, 60000, FIELD(udp_timeout_ns) },
	{ OPTION_SERVER_PID, 1, 1, 1 << 22, FIELD(server_pid) },
#undef FIELD
};

static const char help[] =
	"Usage: rollcall-load --tcp ADDRESS | --udp ADDRESS [OPTION...]\n"
	"Loads an echo server, checks each byte of its answers, and prints a line of JSON.\n"
	"ADDRESS is HOST:PORT, [IPv6]:PORT or PORT. K may follow numbers, for 1,024.\n"
	"\n"
	"  --service NAME      echo, or reply: lines that come back after 'Received: ' (echo);\n"
	"                      memcached: its command mn, whatever --size says\n"
	"  --clients N         clients that send (1)\n"
	"  --idle N            TCP clients beside them that only stay (0)\n"
	"  --size BYTES        of a message, the line feed included (64)\n"
	"  --inflight N        messages of a client on their way at a time (1; with --rate 64)\n"
	"  --rate N            an open loop: so many messages a second in all, of clients and at\n"
	"                      times drawn at random (Poisson); latency counts from those times\n"
	"  --connect           a connection for each message\n"
	"  --gso               UDP: send and receive datagrams coalesced (UDP_SEGMENT, UDP_GRO)\n"
	"  --seconds S         how long to begin messages (5; with --messages 600)\n"
	"  --messages N        how many to begin (no limit)\n"
	"  --warmup S          the same beforehand, not measured (0)\n"
	"  --timeout S         fail if nothing is answered for so long (5)\n"
	"  --udp-timeout MS    a datagram unanswered for so long is lost (200)\n"
	"  --server-pid PID    measure this process too\n"
	"  --control           for each line 'slice MS' on standard input run so long, wait for\n"
	"                      what is on its way, and print a line; clients stay in between\n";

static const char *option_name(int key)
{
	const struct option *option = long_options;

	while (option->val != key)
		option++;
	return option->name;
}

static void parse_number(struct settings *settings, int key, const char *text)
{
	const struct number_option *option = number_options;
	double number;

	while (option->key != key)
		option++;
	if (option->unit == 1)
		number = number_parse_whole(option_name(key), text, option->min, option->max);
	else
		number = number_parse(option_name(key), text, option->min, option->max);
	*(uint64_t *)((char *)settings + option->offset) = (uint64_t)(number * option->unit);
}

static void parse_service(struct settings *settings, const char *text)
{
	bool reply = strcmp(text, "reply") == 0;

	settings->memcached = strcmp(text, "memcached") == 0;
	if (!reply && !settings->memcached && strcmp(text, "echo") != 0)
		fail_usage("--service '%s' is none of echo, reply and memcached", text);
	settings->answer.prefix = reply ? REPLY_PREFIX : "";
}

static void parse_option(struct settings *settings, int key)
{
	switch (key) {
	case OPTION_TCP:
	case OPTION_UDP:
		if (settings->server.bytes)
			fail_usage("--tcp or --udp, one and once");
		endpoint_parse(&settings->server, optarg);
		settings->udp = key == OPTION_UDP;
		break;
	case OPTION_SERVICE:
		parse_service(settings, optarg);
		break;
	case OPTION_CONNECT:
		settings->connect = true;
		break;
	case OPTION_GSO:
		settings->gso = true;
		break;
	case OPTION_CONTROL:
		settings->control = true;
		break;
	case OPTION_HELP:
		exit(fputs(help, stdout) < 0);
	case '?':
		fail_usage("rollcall-load --help shows the options");
	default:
		parse_number(settings, key, optarg);
	}
}

/* What no single option can tell, and what depends on others. */
static void complete(struct settings *settings)
{
	if (!settings->server.bytes)
		fail_usage("--tcp or --udp says where the server is");
	if (settings->udp && (settings->connect || settings->idle))
		fail_usage("--connect and --idle are for TCP");
	if (settings->gso && !settings->udp)
		fail_usage("--gso is for UDP");
	if (settings->memcached && settings->udp)
		fail_usage("--service memcached is for TCP");
	if (settings->connect && settings->inflight > 1)
		fail_usage("--connect has one message in flight for each client");
	if (!settings->inflight)
		settings->inflight = settings->rate && !settings->connect ? OPEN_LOOP_INFLIGHT : 1;
	if (!settings->duration_ns)
		settings->duration_ns = (uint64_t)((settings->messages_max ? 600 : 5) * SECOND_NS);
	if (!settings->messages_max)
		settings->messages_max = UINT64_MAX;
}

/* A message of TCP is text of the pattern, or a line; a datagram has a header before the text. */
static void set_formats(struct settings *settings)
{
	const char *prefix = settings->answer.prefix;
	size_t prefix_bytes = strlen(prefix), end_bytes = !settings->udp && prefix_bytes ? 1 : 0;
	size_t header_bytes = settings->udp ? UDP_HEADER_BYTES : 0;
	size_t message_bytes = (size_t)settings->message_bytes;

	if (message_bytes <= header_bytes + end_bytes)
		fail_usage("--size %zu is too small: at least %zu", message_bytes,
			   header_bytes + end_bytes + 1);
	if (settings->udp && message_bytes + prefix_bytes > UDP_BYTES_MAX)
		fail_usage("--size %zu is too large for a datagram", message_bytes);
	settings->question =
		(struct format){ .prefix = "",
				 .body_bytes = message_bytes - header_bytes - end_bytes,
				 .end_bytes = end_bytes,
				 .message_bytes = message_bytes };
	settings->answer = settings->question;
	settings->answer.prefix = prefix;
	settings->answer.prefix_bytes = prefix_bytes;
	settings->answer.message_bytes += prefix_bytes;
}

static struct format fixed_format(const char *text)
{
	size_t bytes = strlen(text);

	return (struct format){ .prefix = text, .prefix_bytes = bytes, .message_bytes = bytes };
}

static void set_memcached_formats(struct settings *settings)
{
	settings->question = fixed_format(NOOP_QUESTION);
	settings->answer = fixed_format(NOOP_ANSWER);
	settings->message_bytes = settings->question.message_bytes;
}

void settings_parse(struct settings *settings, int argc, char **argv)
{
	int key;

	*settings = (struct settings){ .answer.prefix = "",
				       .clients = 1,
				       .message_bytes = 64,
				       .timeout_ns = (uint64_t)(5 * SECOND_NS),
				       .udp_timeout_ns = (uint64_t)(200 * MS_NS) };
	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(settings, key);
	if (optind < argc)
		fail_usage("'%s' is not an option", argv[optind]);
	complete(settings);
	if (settings->memcached)
		set_memcached_formats(settings);
	else
		set_formats(settings);
}
