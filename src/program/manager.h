/* SPDX-License-Identifier: MIT */
/*
 * manager.h - what a service manager such as systemd hands over, and what it wants to be told: the
 * sockets of sd_listen_fds(3), and the messages of sd_notify(3). Without one nothing is done. All
 * functions belong to the server's thread.
 */
#ifndef PROGRAM_MANAGER_H
#define PROGRAM_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "program/diagnostics.h"
#include "rollcall.h"

/* The sockets that are handed over have descriptors from here on. */
#define MANAGER_SOCKETS_FIRST 3

/* How many those are: 0 also if they are for another process. -EINVAL: LISTEN_FDS is no number. */
int manager_sockets(void);

struct manager {
	int fd; /* -1: nobody wants to be told */
	struct sockaddr_un address;
	socklen_t address_bytes;
	bool warned;	      /* that it cannot be told, since it last could */
	uint64_t watchdog_ms; /* how often to tell that the loop turns; 0: never */
	struct rollcall_timer *watchdog;
	struct diagnostics *diagnostics;
};

/* Reads the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. */
void manager_init(struct manager *manager, struct diagnostics *diagnostics);

/*
 * Tells that the server listens, and from then on, twice in the time of the watchdog, that its loop
 * turns. To be called before rollcall_run(); both must outlive the server.
 */
void manager_ready(struct manager *manager, struct rollcall_server *server);

/* Tells that the server stops, and how long that may take. */
void manager_stopping(struct manager *manager, const char *status, uint64_t drain_timeout_ms);

#endif
