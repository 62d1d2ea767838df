/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "program/signals.h"

static const int ending[] = { SIGINT, SIGTERM };
static const int ignored[] = { SIGHUP, SIGUSR1, SIGUSR2 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* The first signal received before signals_start(), and its time. */
static volatile sig_atomic_t early;
static volatile uint64_t early_ms;

static sigset_t set_of(const int *numbers, size_t count)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		sigaddset(&set, numbers[i]);
	return set;
}

static sigset_t ending_set(void)
{
	return set_of(ending, COUNT(ending));
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_early(int number)
{
	if (!early) {
		early_ms = now_ms();
		early = number;
	} else if (now_ms() - early_ms >= SIGNALS_ONE_MS) {
		_exit(128 + number);
	}
}

void signals_catch(void)
{
	const struct sigaction keep = {
		.sa_handler = on_early,
		.sa_flags = SA_RESTART,
		.sa_mask = ending_set(),
	};
	const sigset_t held = set_of(ignored, COUNT(ignored));

	sigprocmask(SIG_BLOCK, &held, NULL);
	for (size_t i = 0; i < COUNT(ending); i++)
		sigaction(ending[i], &keep, NULL);
}

static const char *name_of(int number)
{
	switch (number) {
	case SIGINT:
		return "SIGINT";
	case SIGTERM:
		return "SIGTERM";
	case SIGHUP:
		return "SIGHUP";
	case SIGUSR1:
		return "SIGUSR1";
	default:
		return "SIGUSR2";
	}
}

static void stop(struct signals *signals, struct rollcall_server *server, const char *name)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };
	char text[80];

	rollcall_get_stats(server, &stats);
	snprintf(text, sizeof(text), "%s: draining %" PRIu64 " clients", name,
		 stats.tcp_clients_now + stats.udp_clients_now);
	diagnostics_log(ROLLCALL_LOG_INFO, text, signals->diagnostics);
	manager_stopping(signals->manager, text, signals->drain_timeout_ms);
	signals->stopping = true;
	rollcall_stop(server);
}

/*
 * Drops the signals received since the first. Their time of arrival counts, not that of reading:
 * the drain of many clients may delay the next read by more than SIGNALS_ONE_MS.
 */
static void on_again(struct rollcall_server *server, void *context)
{
	struct signals *signals = context;
	const sigset_t set = ending_set();
	const struct timespec none = { 0 };

	while (sigtimedwait(&set, NULL, &none) > 0)
		;
	rollcall_read(server, &signals->io);
}

static void take(struct signals *signals, struct rollcall_server *server, int number)
{
	const sigset_t set = ending_set();

	if (!sigismember(&set, number)) {
		diagnostics_say(signals->diagnostics, ROLLCALL_LOG_INFO,
				"%s ignored: SIGTERM or SIGINT stops the server", name_of(number));
		rollcall_read(server, &signals->io);
		return;
	}
	/* A second request: exit at once, without cleanup or exit handlers. */
	if (signals->stopping)
		_exit(128 + number);
	stop(signals, server, name_of(number));
	/* If no timer can be allocated, every signal counts. */
	if (rollcall_timer_start(server, &signals->again, SIGNALS_ONE_MS, 0, on_again, signals))
		rollcall_read(server, &signals->io);
}

static void signal_read(struct rollcall_server *server, struct rollcall_io *io, int result)
{
	struct signals *signals = io->context;
	const sigset_t set = ending_set();

	if (result == (int)sizeof(signals->info)) {
		take(signals, server, (int)signals->info.ssi_signo);
	} else if (result == -EINTR) {
		rollcall_read(server, io);
	} else if (result != -ECANCELED) {
		diagnostics_say(signals->diagnostics, ROLLCALL_LOG_ERROR,
				"cannot read signals: %s; the next SIGTERM or SIGINT ends the "
				"process at once",
				strerror(-result));
		early = SIGTERM; /* a signal from now on ends the process */
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
}

int signals_start(struct signals *signals, struct rollcall_server *server,
		  struct diagnostics *diagnostics, struct manager *manager,
		  uint64_t drain_timeout_ms)
{
	const sigset_t ends = ending_set();
	sigset_t all = set_of(ignored, COUNT(ignored));
	int result;

	for (size_t i = 0; i < COUNT(ending); i++)
		sigaddset(&all, ending[i]);
	signals->fd = signalfd(-1, &all, SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &ends, NULL);
	/* To the process, not the thread: before Linux 6.10 an io-wq worker reads the signalfd. */
	if (early)
		kill(getpid(), early);

	signals->diagnostics = diagnostics;
	signals->manager = manager;
	signals->drain_timeout_ms = drain_timeout_ms;
	signals->stopping = false;
	signals->io = (struct rollcall_io){
		.size = sizeof(struct rollcall_io),
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
