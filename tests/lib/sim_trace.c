/* SPDX-License-Identifier: MIT */
/*
 * sim_trace.c - the trace of a run: one event a line, each with the simulated time.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/describe.h"
#include "lib/sim_kernel.h"

/* Milliseconds with three decimals, as arguments of "%llu.%03llu ms". */
#define MS(ns) (unsigned long long)((ns) / 1000000), (unsigned long long)((ns) / 1000 % 1000)

void sim_trace(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	if (!sim->settings.trace)
		return;
	printf("%6llu.%03llu ms  ", MS(sim->now_ns - SIM_START_NS));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "seed %" PRIu64 ", %llu.%03llu ms: ", sim->settings.seed,
		MS(sim->now_ns - SIM_START_NS));
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

/* ---- Submission ---- */

static void trace_cancel(struct sim *sim, const struct io_uring_sqe *sqe)
{
	char text[DESCRIBE_BYTES];

	if (sqe->cancel_flags & IORING_ASYNC_CANCEL_FD)
		sim_trace(sim, "submit: cancel all operations of %s (fd %d)",
			  describe_owner(sqe->user_data, text), sqe->fd);
	else
		sim_trace(sim, "submit: cancel the %s", describe_op(sqe->addr, text));
}

static void trace_send(struct sim *sim, const struct io_uring_sqe *sqe)
{
	char owner[DESCRIBE_BYTES], to[ADDRESS_TEXT_BYTES] = "";
	struct iovec one;
	const struct msghdr message = sqe_message(sqe, &one);
	struct address address = { .bytes = message.msg_namelen };
	size_t bytes = 0;

	for (size_t i = 0; i < message.msg_iovlen; i++)
		bytes += message.msg_iov[i].iov_len;
	describe_owner(sqe->user_data, owner);
	if (sim_file(sim, sqe->fd)->kind != SIM_DATAGRAMS || !message.msg_name) {
		sim_trace(sim, "submit: send %zu bytes to %s", bytes, owner);
		return;
	}
	memcpy(&address.any, message.msg_name, message.msg_namelen);
	address_format(&address, to);
	if (sim_segment_bytes(sim, sqe) > 0)
		sim_trace(sim, "submit: send %zu bytes to %s as datagrams of %zu (%s)", bytes, to,
			  sim_segment_bytes(sim, sqe), owner);
	else
		sim_trace(sim, "submit: send a datagram of %zu bytes to %s (%s)", bytes, to, owner);
}

void sim_trace_submission(struct sim *sim, const struct io_uring_sqe *sqe)
{
	char text[DESCRIBE_BYTES];

	if (!sim->settings.trace)
		return;
	if (sqe->opcode == IORING_OP_ASYNC_CANCEL)
		trace_cancel(sim, sqe);
	else if (sqe_is_send(sqe))
		trace_send(sim, sqe);
	else
		sim_trace(sim, "submit: %s (fd %d)", describe_op(sqe->user_data, text), sqe->fd);
}

/* ---- Completion ---- */

static void trace_error(struct sim *sim, const struct sim_op *op, int error, uint32_t flags)
{
	const char *how = sqe_is_multishot(&op->sqe) ? "ended" : "failed";
	char text[DESCRIBE_BYTES];

	if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL)
		sim_trace(sim, "%s: %s", describe_op(op->sqe.user_data, text),
			  describe_error(error));
	else
		sim_trace(sim, "%s: %s %s: %s%s", describe_owner(op->sqe.user_data, text),
			  describe_verb(op->sqe.user_data), how, describe_error(error),
			  flags & IORING_CQE_F_BUFFER ? ", with a buffer" : "");
}

static void trace_accepted(struct sim *sim, const char *owner, int fd, const char *rest)
{
	char peer[ADDRESS_TEXT_BYTES];

	address_format(&sim_file(sim, fd)->connection->peer, peer);
	sim_trace(sim, "%s accepted %s as fd %d%s", owner, peer, fd, rest);
}

static void trace_datagram(struct sim *sim, const char *owner, const struct sim_datagram *received,
			   const char *rest)
{
	char from[ADDRESS_TEXT_BYTES];

	address_format(&received->from, from);
	if (received->segment_bytes > 0)
		sim_trace(sim, "datagrams of %zu bytes, %zu in all, from %s received on %s%s",
			  received->segment_bytes, received->bytes, from, owner, rest);
	else
		sim_trace(sim, "datagram of %zu bytes from %s received on %s%s", received->bytes,
			  from, owner, rest);
}

static void trace_success(struct sim *sim, const struct sim_op *op, int result, const char *rest)
{
	char owner[DESCRIBE_BYTES], text[DESCRIBE_BYTES];

	describe_owner(op->sqe.user_data, owner);
	switch (op->sqe.opcode) {
	case IORING_OP_ACCEPT:
		trace_accepted(sim, owner, result, rest);
		break;
	case IORING_OP_RECV:
		if (result > 0)
			sim_trace(sim, "%s received %d bytes%s", owner, result, rest);
		else
			sim_trace(sim, "%s: receive ended: end of stream", owner);
		break;
	case IORING_OP_RECVMSG:
		trace_datagram(sim, owner, op->received, rest);
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		sim_trace(sim, "%s: %d bytes sent", owner, result);
		break;
	case IORING_OP_POLL_ADD:
		sim_trace(sim, "%s: the socket takes output", owner);
		break;
	case IORING_OP_CLOSE:
		sim_trace(sim, "%s: descriptor %d closed", owner, op->sqe.fd);
		break;
	case IORING_OP_ASYNC_CANCEL:
		sim_trace(sim, "%s: done", describe_op(op->sqe.user_data, text));
		break;
	default:
		sim_trace(sim, "%s: %d bytes", describe_op(op->sqe.user_data, text), result);
	}
}

void sim_trace_completion(struct sim *sim, const struct sim_op *op, int result, uint32_t flags)
{
	char rest[DESCRIBE_BYTES] = "";

	if (!sim->settings.trace)
		return;
	if (flags & IORING_CQE_F_MORE)
		snprintf(rest, sizeof(rest), ", more to come");
	else if (sqe_is_multishot(&op->sqe))
		snprintf(rest, sizeof(rest), ", %s ended", describe_verb(op->sqe.user_data));
	if (result < 0)
		trace_error(sim, op, -result, flags);
	else
		trace_success(sim, op, result, rest);
}

void sim_trace_turn(struct sim *sim, uint64_t wait_ns)
{
	if (wait_ns == 0)
		sim_trace(sim, "turn, without a wait");
	else if (wait_ns == SIM_NEVER)
		sim_trace(sim, "turn, waits without a limit");
	else
		sim_trace(sim, "turn, waits %llu.%03llu ms at most", MS(wait_ns));
}

void sim_trace_connection(const struct sim_connection *connection, const char *format, ...)
{
	char peer[ADDRESS_TEXT_BYTES], what[DESCRIBE_BYTES];
	va_list arguments;

	if (!connection->sim->settings.trace || connection->is_pipe)
		return;
	address_format(&connection->peer, peer);
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	sim_trace(connection->sim, "network: %s %s", peer, what);
}
