/* SPDX-License-Identifier: MIT */
/*
 * results.h - with which errors each operation ends: a new opcode gets one row here.
 */
#ifndef TESTS_SIM_RESULTS_H
#define TESTS_SIM_RESULTS_H

#include <errno.h>
#include <linux/io_uring.h>

#include "lib/sim.h"

#define RESULTS_ERRORS_MAX 12

/* Each list of errors ends with 0. */
static const struct results {
	int opcode;

	/* What it can end with, as its manual page and the kernel say: the torture tries each. */
	int possible[RESULTS_ERRORS_MAX];

	/* What it must have ended with in many runs: each is a branch of the error handling. */
	int expected[RESULTS_ERRORS_MAX];
} results[] = {
	{ IORING_OP_ACCEPT,
	  { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EAGAIN, EPERM, EPROTO, EINVAL },
	  { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, ECANCELED } },
	{ IORING_OP_RECV,
	  { ENOBUFS, ENOMEM, EINTR, ECONNRESET, ETIMEDOUT, ENOTCONN, EHOSTUNREACH, EFAULT },
	  { ENOBUFS, ENOMEM, ECONNRESET, EAGAIN, ECANCELED } },
	{ IORING_OP_SEND,
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EINTR, EAGAIN, ETIMEDOUT, EHOSTUNREACH },
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EAGAIN } },
	{ IORING_OP_POLL_ADD, { ENOMEM, EINTR, EAGAIN }, { ECANCELED } },
	{ IORING_OP_SENDMSG,
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EINTR, EAGAIN, EPERM, EMSGSIZE, ENETUNREACH },
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EAGAIN } },
	{ IORING_OP_RECVMSG,
	  { ENOBUFS, ENOMEM, EINTR, EAGAIN, ECONNREFUSED, EFAULT, ENETDOWN },
	  { ENOBUFS, ENOMEM, EAGAIN, ECANCELED } },
	{ IORING_OP_READ, { ENOMEM, EINTR, EAGAIN, EIO }, { 0 } },
	{ IORING_OP_ASYNC_CANCEL, { ENOENT, EALREADY }, { ENOENT, EALREADY } },
	{ IORING_OP_CLOSE, { EINTR, EIO, ENOSPC }, { 0 } },
	{ SIM_ALLOCATION, { ENOMEM }, { 0 } },
};

#define RESULTS_COUNT (sizeof(results) / sizeof(*results))

#endif
