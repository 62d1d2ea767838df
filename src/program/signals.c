/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program/signals.h"

/* The first signal that came before signals_start(). */
static volatile sig_atomic_t early;

static void on_early(int number)
{
	if (early)
		_exit(128 + number);
	early = number;
}

void signals_catch(void)
{
	const struct sigaction keep = { .sa_handler = on_early, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &keep, NULL);
	sigaction(SIGTERM, &keep, NULL);
}

static void stop(struct signals *signals, struct rollcall_server *server, const char *name)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };
	char text[80];

	rollcall_stats(server, &stats);
	snprintf(text, sizeof(text), "%s: finishing with %" PRIu64 " clients", name,
		 stats.tcp_clients_now + stats.udp_clients_now);
	diagnostics_log(ROLLCALL_LOG_INFO, text, signals->diagnostics);
	manager_stopping(signals->manager, text, signals->drain_timeout_ms);
	signals->stopping = true;
	rollcall_stop(server);
}

static void signal_read(struct rollcall_server *server, struct rollcall_io *io, int result)
{
	struct signals *signals = io->context;
	int number = (int)signals->info.ssi_signo;

	if (result == -ECANCELED)
		return;
	if (result < 0 && result != -EINTR) {
		diagnostics_say(signals->diagnostics, ROLLCALL_LOG_ERROR,
				"signals cannot be read any more: %s", strerror(-result));
		early = SIGTERM; /* what comes now ends the process */
		sigprocmask(SIG_UNBLOCK, &signals->mask, NULL);
		return;
	}
	if (result == (int)sizeof(signals->info)) {
		/* The user has lost patience: nothing is tidied up, not even the exit handlers. */
		if (signals->stopping)
			_exit(128 + number);
		stop(signals, server, number == SIGINT ? "SIGINT" : "SIGTERM");
	}
	rollcall_read(server, io);
}

int signals_start(struct signals *signals, struct rollcall_server *server,
		  struct diagnostics *diagnostics, struct manager *manager,
		  uint64_t drain_timeout_ms)
{
	int result;

	sigemptyset(&signals->mask);
	sigaddset(&signals->mask, SIGINT);
	sigaddset(&signals->mask, SIGTERM);
	signals->fd = signalfd(-1, &signals->mask, SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &signals->mask, NULL);
	/* For the process: before Linux 6.10 a worker thread of the kernel's reads the signalfd. */
	if (early)
		kill(getpid(), early);

	signals->diagnostics = diagnostics;
	signals->manager = manager;
	signals->drain_timeout_ms = drain_timeout_ms;
	signals->stopping = false;
	signals->io = (struct rollcall_io){
		.fd = signals->fd,
		.data = &signals->info,
		.bytes = sizeof(signals->info),
		.done = signal_read,
		.context = signals,
	};
	result = rollcall_read(server, &signals->io);
	if (result)
		close(signals->fd);
	return result;
}
