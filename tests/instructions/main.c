/* SPDX-License-Identifier: MIT */
/*
 * main.c - a server with a load that is the same in each run, to count its instructions
 * (tests/checks/instructions).
 *
 * Usage: instructions SCENARIO MESSAGES. Prints how many messages were answered.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "instructions/load.h"
#include "service/services.h"

static const struct scenario scenarios[] = {
	{ "tcp-echo", "tcp://127.0.0.1:0", &echo_service, "", 64, 1 },
	{ "tcp-reply", "tcp://127.0.0.1:0", &reply_service, "Received: ", 64, 16 },
	{ "udp-echo", "udp://127.0.0.1:0", &echo_service, "", 64, 1 },
	{ "udp-batch", "udp://127.0.0.1:0", &echo_service, "", 1024, 16 },
};

static const struct scenario *find(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	fprintf(stderr, "no scenario %s\n", name);
	exit(2);
}

int main(int count, char **arguments)
{
	struct rollcall_options options;
	struct rollcall_server *server;

	CHECK(count == 3);
	load_init(find(arguments[1]), strtoull(arguments[2], NULL, 10));
	rollcall_options_defaults(&options);
	CHECK(!rollcall_create(&server, &options));
	CHECK(!rollcall_listen(server, load.scenario->address, load.scenario->service, NULL));
	CHECK(rollcall_run(server) == -ECANCELED);
	printf("%llu\n", (unsigned long long)load.messages);
	return 0;
}
