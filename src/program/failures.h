/* SPDX-License-Identifier: MIT */
/*
 * failures.h - explains a failed library call to the user: the cause, what to do, and the exit
 * code. Pure functions of the error and the kernel's facts; any thread.
 */
#ifndef PROGRAM_FAILURES_H
#define PROGRAM_FAILURES_H

#include "program/kernel.h"

struct failure {
	int exit_code;	 /* of sysexits.h */
	char cause[512]; /* "io_uring is forbidden: ..." */
	char cure[512];	 /* what to do about it; empty if unknown */
};

/* For what rollcall_create() returned. */
void failure_of_create(struct failure *failure, int error, const struct kernel_facts *facts);

/* For what rollcall_listen() returned for `address`, like "tcp://localhost:8080". */
void failure_of_listen(struct failure *failure, int error, const char *address,
		       const struct kernel_facts *facts);

/* For a server that has no file descriptor left for its first client. */
void failure_of_clients(struct failure *failure, const struct kernel_facts *facts);

/* For a LISTEN_FDS that is not a number. */
void failure_of_sockets(struct failure *failure);

/* For what rollcall_adopt() returned for a descriptor passed by the service manager. */
void failure_of_adopt(struct failure *failure, int error, int fd);

/* For what rollcall_run() returned. */
void failure_of_run(struct failure *failure, int error);

#endif
