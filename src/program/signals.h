/* SPDX-License-Identifier: MIT */
/*
 * signals.h - SIGTERM and SIGINT as events of the server's loop: the first stops the server, which
 * then finishes with its clients; the second ends the process at once. All functions belong to the
 * server's thread.
 */
#ifndef PROGRAM_SIGNALS_H
#define PROGRAM_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>

#include "program/diagnostics.h"
#include "program/manager.h"
#include "rollcall.h"

struct signals {
	int fd;
	sigset_t mask;
	struct signalfd_siginfo info;
	struct rollcall_io io;
	struct diagnostics *diagnostics;
	struct manager *manager;
	uint64_t drain_timeout_ms;
	bool stopping;
};

/*
 * Keeps a signal that comes while the server is being set up for signals_start(): clients may be
 * there by then, and process 1 of a container would not even be ended by it. The second one ends
 * the process at once.
 */
void signals_catch(void);

/*
 * Blocks both signals and has `server` read them from a signalfd, the kept one first, until the
 * process ends. The manager is told when they stop the server, and that it may take
 * drain_timeout_ms. Returns 0 or -errno. The structs must outlive the server.
 */
int signals_start(struct signals *signals, struct rollcall_server *server,
		  struct diagnostics *diagnostics, struct manager *manager,
		  uint64_t drain_timeout_ms);

#endif
