/* SPDX-License-Identifier: MIT */
/*
 * signals.h - the signals that matter, as events of the server's loop. All functions belong to the
 * server's thread.
 *
 * SIGTERM and SIGINT: the first stops the server, which then finishes with its clients; a second
 * one ends the process at once. Those that arrive within SIGNALS_ONE_MS of the first are the same
 * request: timeout(1) signals its child and then its own process group, and a shell's Ctrl-C comes
 * from the terminal and from parents that pass it on.
 * SIGHUP, SIGUSR1, SIGUSR2: logged and ignored. Their default action would end the server without
 * a drain.
 */
#ifndef PROGRAM_SIGNALS_H
#define PROGRAM_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>

#include "program/diagnostics.h"
#include "program/manager.h"
#include "rollcall.h"

/* Shorter than a person takes to press Ctrl-C twice. */
#define SIGNALS_ONE_MS 100

struct signals {
	int fd;
	struct signalfd_siginfo info;
	struct rollcall_io io;
	struct rollcall_timer *again; /* runs until a second signal counts */
	struct diagnostics *diagnostics;
	struct manager *manager;
	uint64_t drain_timeout_ms;
	bool stopping;
};

/*
 * Holds signals that arrive during start-up until signals_start(): clients may already be
 * connected, and as PID 1 the default action would not end us. A second SIGTERM or SIGINT ends the
 * process at once.
 */
void signals_catch(void);

/*
 * Reads the signals from a signalfd through the ring of `server`, the held ones first, until the
 * process ends. The manager is told when they stop the server, and that it may take
 * drain_timeout_ms. Returns 0 or -errno. The structs must outlive the server.
 */
int signals_start(struct signals *signals, struct rollcall_server *server,
		  struct diagnostics *diagnostics, struct manager *manager,
		  uint64_t drain_timeout_ms);

#endif
