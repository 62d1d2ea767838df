/* SPDX-License-Identifier: MIT */
/*
 * manager.h - the interface to a service manager such as systemd: the sockets of sd_listen_fds(3),
 * and the messages of sd_notify(3). Without a manager the functions do nothing. All functions
 * belong to the server's thread.
 */
#ifndef PROGRAM_MANAGER_H
#define PROGRAM_MANAGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "program/diagnostics.h"
#include "rollcall.h"

/* The first file descriptor of the passed sockets. */
#define MANAGER_SOCKETS_FIRST 3

/* The number of passed sockets; 0 if they are for another process. -EINVAL: LISTEN_FDS is not a
 * number. */
int manager_sockets(void);

struct manager {
	int fd; /* of the notifications; -1: no NOTIFY_SOCKET */
	struct sockaddr_un address;
	socklen_t address_bytes;
	bool warned;	      /* about a failed notification, since the last that succeeded */
	uint64_t watchdog_ms; /* interval of watchdog notifications; 0: none */
	struct rollcall_timer *watchdog;
	struct diagnostics *diagnostics;
};

/* Reads the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. */
void manager_init(struct manager *manager, struct diagnostics *diagnostics);

/*
 * Sends READY=1 and starts the watchdog timer, which sends WATCHDOG=1 twice in each watchdog period
 * while the loop runs. Call it before rollcall_run(). The struct must outlive the server.
 */
void manager_ready(struct manager *manager, struct rollcall_server *server);

/* Sends STOPPING=1 with a status, and asks for the time that the drain may take. */
void manager_stopping(struct manager *manager, const char *status, uint64_t drain_timeout_ms);

#endif
