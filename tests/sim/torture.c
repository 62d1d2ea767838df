/* SPDX-License-Identifier: MIT */
#include "sim/torture.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>

#define ERRORS_MAX 12

/* What each operation can end with, as its manual page and the kernel say. */
static const struct {
	const char *name;
	int opcode;
	int errors[ERRORS_MAX];
} kinds[] = {
	{ "accept",
	  IORING_OP_ACCEPT,
	  { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EAGAIN, EPERM, EPROTO, EINVAL } },
	{ "recv",
	  IORING_OP_RECV,
	  { ENOBUFS, ENOMEM, EINTR, ECONNRESET, ETIMEDOUT, ENOTCONN, EHOSTUNREACH, EFAULT } },
	{ "send",
	  IORING_OP_SEND,
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EINTR, EAGAIN, ETIMEDOUT, EHOSTUNREACH } },
	{ "sendmsg",
	  IORING_OP_SENDMSG,
	  { EPIPE, ECONNRESET, ENOMEM, ENOBUFS, EINTR, EAGAIN, EPERM, EMSGSIZE, ENETUNREACH } },
	{ "recvmsg",
	  IORING_OP_RECVMSG,
	  { ENOBUFS, ENOMEM, EINTR, EAGAIN, ECONNREFUSED, EFAULT, ENETDOWN } },
	{ "read", IORING_OP_READ, { ENOMEM, EINTR, EAGAIN, EIO } },
	{ "cancel", IORING_OP_ASYNC_CANCEL, { ENOENT, EALREADY } },
	{ "close", IORING_OP_CLOSE, { EINTR, EIO, ENOSPC } },
	{ "allocation", SIM_ALLOCATION, { ENOMEM } },
};

static struct sim_failure now;

const struct sim_failure *torture_now(void)
{
	return &now;
}

unsigned torture(struct run_totals *totals)
{
	unsigned all = 0;

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
		unsigned count = 0;

		for (int i = 0; i < ERRORS_MAX && kinds[kind].errors[i]; i++) {
			now = (struct sim_failure){ kinds[kind].opcode, 1, kinds[kind].errors[i] };
			for (; run_with_failure(&now, false, totals); now.nth++)
				count++;
		}
		printf("  %-12s %6u failures\n", kinds[kind].name, count);
		/* A kind that never came would show nothing. */
		if (count == 0)
			return 0;
		all += count;
	}
	return all;
}
