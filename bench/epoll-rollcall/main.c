/* SPDX-License-Identifier: MIT */
/*
 * main.c - takes rollcall's options, so that both are started alike. It is always quiet, and
 * SIGTERM ends it at once.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "program/command_line.h"
#include "program/help.h"
#include "program/diagnostics.h"
#include "program/options.h"
#include "program/settings.h"
#include "rollcall.h"

#define URL_BYTES 512

struct program {
	struct program_options options;
	struct diagnostics diagnostics;
	struct rollcall_service service;
	struct rollcall_server *server;
};

static void on_signal(int number)
{
	(void)number;
	_exit(0);
}

static int fail(struct program *program, const char *what, int error)
{
	diagnostics_say(&program->diagnostics, ROLLCALL_LOG_ERROR, "%s: %s", what,
			strerror(-error));
	return 1;
}

static int listen_on(struct program *program, const char *transport,
		     const struct options_addresses *addresses)
{
	char url[URL_BYTES];

	for (unsigned i = 0; i < addresses->count; i++) {
		int error;

		snprintf(url, sizeof(url), "%s://%s", transport, addresses->list[i]);
		error = rollcall_listen(program->server, url, &program->service, NULL);
		if (error)
			return fail(program, url, error);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct program program;
	char message[COMMAND_LINE_MESSAGE_BYTES];
	struct rollcall_options library;
	int error;

	error = command_line_parse(&program.options, argc, argv, message);
	if (error) {
		fprintf(stderr, "epoll-rollcall: %s\n", message);
		return error;
	}
	if (program.options.action != OPTIONS_SERVE) {
		char text[HELP_BYTES];

		help_write(text);
		return fputs(text, stdout) < 0;
	}
	if (program.options.tcp.count + program.options.udp.count == 0) {
		fputs("epoll-rollcall: it needs --tcp or --udp\n", stderr);
		return EX_USAGE;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	diagnostics_init(&program.diagnostics, program.options.library.log_level);
	settings_of_server(&program.options, &program.diagnostics, &library);
	settings_of_service(&program.options, &program.service);
	error = rollcall_create(&program.server, &library);
	if (error)
		return fail(&program, "cannot start", error);
	if (listen_on(&program, "tcp", &program.options.tcp) ||
	    listen_on(&program, "udp", &program.options.udp))
		return 1;
	return fail(&program, "cannot go on", rollcall_run(program.server));
}
