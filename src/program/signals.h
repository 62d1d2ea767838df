/* SPDX-License-Identifier: MIT */
/*
 * signals.h - handles signals as events of the server's loop. All functions belong to the server's
 * thread.
 *
 * SIGTERM and SIGINT: the first stops the server, which then drains its clients; a second one ends
 * the process at once. Signals within SIGNALS_ONE_MS of the first count as the same request:
 * timeout(1) signals its child and then its own process group, and Ctrl-C in a shell is sent by the
 * terminal and by parent processes that forward it.
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

/* Shorter than the time in which a user presses Ctrl-C twice. */
#define SIGNALS_ONE_MS 100

struct signals {
	int fd;
	struct signalfd_siginfo info;
	struct rollcall_io io;
	struct rollcall_timer *again; /* runs for SIGNALS_ONE_MS after the first signal */
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
 * Reads signals from a signalfd through the ring of `server`, the held ones first, until the
 * process ends. When a signal stops the server, the manager is notified with drain_timeout_ms.
 * Returns 0 or
 * -errno. The structs must outlive the server.
 */
int signals_start(struct signals *signals, struct rollcall_server *server,
		  struct diagnostics *diagnostics, struct manager *manager,
		  uint64_t drain_timeout_ms);

#endif
