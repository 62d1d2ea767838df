/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd/crowd.h"
#include "lib/fail.h"
#include "lib/number.h"

#define CLIENTS_MAX (1 << 20)
#define ADDRESSES_MAX 60000
#define FILES_RESERVED 16

/* The program ends then, whatever happens. */
#define LIFE_S_MAX 600

static const struct option long_options[] = {
	{ "tcp", required_argument, NULL, 't' },     { "kind", required_argument, NULL, 'k' },
	{ "clients", required_argument, NULL, 'c' }, { "addresses", required_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },	     { NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: rollcall-crowd --tcp ADDRESS --kind KIND [OPTION...]\n"
	"Connects a crowd of TCP clients to a server. ADDRESS is HOST:PORT, [IPv6]:PORT or PORT.\n"
	"  --clients N     how many (100)\n"
	"  --addresses N   how many loopback addresses they come from (200)\n"
	"It prints a line of JSON when all are connected, and obeys standard input: 'go' begins,\n"
	"'report' prints a line of JSON; it ends with the input, or after 10 minutes.\n"
	"From 'go' on the clients of each KIND\n";

static void parse_option(struct crowd *crowd, int key)
{
	switch (key) {
	case 't':
		endpoint_parse(&crowd->server, optarg);
		break;
	case 'k':
		crowd->kind = kind_find(optarg);
		if (!crowd->kind)
			fail_usage("--kind '%s' is unknown; --help lists them", optarg);
		break;
	case 'c':
		crowd->clients = (uint64_t)number_parse_whole("clients", optarg, 1, CLIENTS_MAX);
		break;
	case 'a':
		crowd->addresses =
			(uint64_t)number_parse_whole("addresses", optarg, 1, ADDRESSES_MAX);
		break;
	case 'h':
		fputs(help, stdout);
		kinds_print();
		exit(EXIT_SUCCESS);
	default:
		fail_usage("rollcall-crowd --help shows the options");
	}
}

static void report(const struct crowd *crowd)
{
	printf("{\"clients\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"ended\": %" PRIu64 ", \"reset\": %" PRIu64 "}\n",
	       crowd->clients, crowd->sent, crowd->received, crowd->ended, crowd->reset);
	fflush(stdout);
}

/* Does what the lines say that have come. Returns false at the end of the input. */
static bool obey(struct crowd *crowd)
{
	char text[256];
	ssize_t bytes = read(STDIN_FILENO, text, sizeof(text) - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strcmp(line, "go") == 0)
			crowd_go(crowd);
		else if (strcmp(line, "report") == 0)
			report(crowd);
		else
			fail("'%s' is neither 'go' nor 'report'", line);
	}
	return bytes > 0;
}

int main(int argc, char **argv)
{
	static struct crowd crowd = { .clients = 100, .addresses = 200 };
	unsigned long limit;
	int key;

	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(&crowd, key);
	if (optind < argc || !crowd.server.bytes || !crowd.kind)
		fail_usage("it needs --tcp and --kind, and takes nothing but options");
	alarm(LIFE_S_MAX);
	limit = files_limit_raise();
	if (crowd.clients + FILES_RESERVED > limit)
		fail("the limit of open files is %lu, but %" PRIu64 " are needed", limit,
		     crowd.clients + FILES_RESERVED);
	crowd_open(&crowd);
	report(&crowd);
	for (;;) {
		if (crowd_turn(&crowd) && !obey(&crowd))
			return EXIT_SUCCESS;
	}
}
