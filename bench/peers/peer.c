/* SPDX-License-Identifier: MIT */
#include "peers/peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/endpoint.h"
#include "lib/fail.h"

static void on_signal(int number)
{
	(void)number;
	_exit(0);
}

int peer_listen(int argc, char **argv)
{
	struct endpoint endpoint;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		exit(puts("It takes --tcp HOST:PORT, and echoes what comes there.") < 0);
	if (argc != 3 || strcmp(argv[1], "--tcp") != 0)
		fail_usage("it takes --tcp HOST:PORT and nothing else");
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	files_limit_raise();
	endpoint_parse(&endpoint, argv[2]);
	return endpoint_bind(&endpoint, SOCK_STREAM, "tcp");
}
