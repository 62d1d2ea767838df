/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "program/command_line.h"
#include "program/help.h"
#include "program/announcer.h"
#include "program/budget.h"
#include "program/check.h"
#include "program/console.h"
#include "program/diagnostics.h"
#include "program/failures.h"
#include "program/health.h"
#include "program/sockets.h"
#include "program/losses.h"
#include "program/manager.h"
#include "program/options.h"
#include "program/settings.h"
#include "program/signals.h"
#include "rollcall.h"

struct program {
	struct program_options options;
	struct rollcall_server *server;
	struct rollcall_service service; /* the chosen one, adjusted by the options */
	struct announcer announcer;
	struct console console;
	struct diagnostics diagnostics;
	struct signals signals;
	struct manager manager;
};

/*
 * Fills closed standard descriptors: otherwise the ring or a client would get the number, and with
 * it the console's lines. Writing to the file opened here fails with -EBADF.
 */
static void occupy_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

static int fail(struct program *program, const struct failure *failure)
{
	diagnostics_fail(&program->diagnostics, failure->cause, failure->cure);
	return failure->exit_code;
}

static void console_failed(struct console *console, int error, void *context)
{
	(void)console;
	diagnostics_say(context, ROLLCALL_LOG_WARNING,
			"standard output failed: %s; no more console lines (--quiet turns them "
			"off)",
			strerror(-error));
}

static int fail_to_create(struct program *program, int error)
{
	struct kernel_facts facts;
	struct failure failure;

	kernel_facts_read(&facts);
	if (error == -ENOMEM)
		kernel_facts_of_memory(&facts, program->options.library.engine);
	failure_of_create(&failure, error, &facts);
	return fail(program, &failure);
}

/* Warns of a server that runs over epoll only because io_uring cannot be used. */
static void warn_of_epoll(struct program *program)
{
	struct kernel_facts facts;
	struct failure failure;
	int refusal;

	rollcall_get_engine(program->server, &refusal);
	if (refusal == 0)
		return;
	kernel_facts_read(&facts);
	failure_of_create(&failure, refusal, &facts);
	diagnostics_say(&program->diagnostics, ROLLCALL_LOG_WARNING,
			"%s: serving over epoll; to use io_uring: %s", failure.cause, failure.cure);
}

static int create(struct program *program)
{
	struct rollcall_options library;
	int result;

	settings_of_server(&program->options, &program->diagnostics, &library);
	result = rollcall_create(&program->server, &library);
	if (result)
		return fail_to_create(program, result);
	warn_of_epoll(program);
	return 0;
}

/* Whether all that the server has, its sockets too, stays within --memory. */
static int check_memory(struct program *program)
{
	const unsigned udp_sockets = sockets_count_udp(program->server);
	char message[BUDGET_MESSAGE_BYTES];

	if (budget_holds(&program->options, program->server, udp_sockets, message))
		return 0;
	diagnostics_say(&program->diagnostics, ROLLCALL_LOG_ERROR, "%s", message);
	return EX_USAGE;
}

static int take_signals(struct program *program)
{
	int result = signals_start(&program->signals, program->server, &program->diagnostics,
				   &program->manager, program->options.library.drain_timeout_ms);

	return result ? fail_to_create(program, result) : 0;
}

/* Starts listening, with the announcer around the service unless --quiet is set. */
static int start_listening(struct program *program)
{
	const bool quiet = program->options.quiet;
	struct failure failure;

	settings_of_service(&program->options, &program->service);
	announcer_init(&program->announcer, &program->service, NULL, &program->console);
	if (sockets_listen(program->server, &program->options,
			   quiet ? &program->service : &program->announcer.service,
			   quiet ? NULL : &program->announcer, &program->diagnostics, &failure))
		return fail(program, &failure);
	return 0;
}

/*
 * Runs the server until a signal ends it; the ring carries its console and diagnostics meanwhile.
 */
static int run(struct program *program)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };
	struct failure failure;
	int result;

	console_attach(program->diagnostics.console, program->server);
	console_attach(&program->console, program->server);
	if (!program->options.quiet)
		announcer_waiting(&program->announcer);
	manager_ready(&program->manager, program->server);
	result = rollcall_run(program->server);
	rollcall_get_stats(program->server, &stats);
	console_detach(&program->console);
	console_detach(program->diagnostics.console);
	losses_say(&program->diagnostics, &stats);
	if (result == 0)
		return 0;
	failure_of_run(&failure, result);
	return fail(program, &failure);
}

/* Writes the output that the ring has not written, and reports dropped lines and datagrams. */
static void finish_output(struct program *program)
{
	console_flush(program->diagnostics.console);
	console_flush(&program->console);
	if (program->console.dropped)
		diagnostics_say(&program->diagnostics, ROLLCALL_LOG_WARNING,
				"%" PRIu64
				" console lines dropped: standard output is too slow, or failed",
				program->console.dropped);
}

static int serve(struct program *program)
{
	struct failure failure;
	int code;

	signals_catch();
	code = create(program);
	if (code)
		return code;
	code = start_listening(program);
	if (!code)
		code = check_memory(program);
	if (!code) {
		manager_init(&program->manager, &program->diagnostics);
		code = take_signals(program);
	}
	if (!code && !sockets_leave_descriptor(program->server, &failure))
		code = fail(program, &failure);
	if (!code)
		code = run(program);

	rollcall_destroy(program->server);
	finish_output(program);
	return code;
}

static int print(const char *text)
{
	return fputs(text, stdout) < 0 || fflush(stdout) ? EX_IOERR : 0;
}

static int print_help(void)
{
	char text[HELP_BYTES];

	help_write(text);
	return print(text);
}

static int print_version(void)
{
	char text[64];

	snprintf(text, sizeof(text), "rollcall %s\n", rollcall_version_text());
	return print(text);
}

int main(int argc, char **argv)
{
	static struct program program;
	char message[COMMAND_LINE_MESSAGE_BYTES];
	struct rollcall_options library;
	int code;

	occupy_standard_files();
	/* The write fails instead: to a pipe without a reader, to a file at RLIMIT_FSIZE. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);

	code = command_line_parse(&program.options, argc, argv, message);
	diagnostics_init(&program.diagnostics, program.options.library.log_level);
	console_init(&program.console, STDOUT_FILENO, console_failed, &program.diagnostics);
	diagnostics_join(&program.diagnostics, &program.console);
	if (code) {
		diagnostics_say(&program.diagnostics, ROLLCALL_LOG_ERROR, "%s", message);
		return code;
	}

	switch (program.options.action) {
	case OPTIONS_HELP:
		return print_help();
	case OPTIONS_VERSION:
		return print_version();
	case OPTIONS_CHECK:
		settings_of_server(&program.options, &program.diagnostics, &library);
		return check_run(&program.options, &library);
	case OPTIONS_HEALTH:
		return health_check(&program.options.health, &program.diagnostics);
	default:
		return serve(&program);
	}
}
