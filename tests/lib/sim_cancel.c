/* SPDX-License-Identifier: MIT */
/*
 * sim_cancel.c - what a cancel does, and how a cancelled operation ends.
 */
#include <errno.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

static bool is_match(const struct sim_op *op, const struct io_uring_sqe *cancel)
{
	if (!op->used || op->sqe.opcode == IORING_OP_ASYNC_CANCEL || op->cancelled)
		return false;
	return cancel->cancel_flags & IORING_ASYNC_CANCEL_FD ? op->sqe.fd == cancel->fd
							     : op->sqe.user_data == cancel->addr;
}

/* By user_data the kernel finds the operation; by descriptor it looks at all that wait. */
static void spend_search(struct sim *sim, const struct io_uring_sqe *cancel)
{
	unsigned waiting = 0;

	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_FD)
		for (unsigned i = 0; i < sim->ring->ops_end; i++)
			waiting += sim->ring->ops[i].used;
	sim_spend_visits(sim, 1 + waiting);
}

bool sim_try_cancel(struct sim *sim, struct sim_op *cancel)
{
	struct ring *ring = sim->ring;
	const bool all = cancel->sqe.cancel_flags & IORING_ASYNC_CANCEL_ALL;
	int found = 0;

	spend_search(sim, &cancel->sqe);
	for (unsigned i = 0; i < ring->ops_end && (all || found == 0); i++) {
		struct sim_op *op = &ring->ops[i];

		if (!is_match(op, &cancel->sqe))
			continue;
		op->last = true;
		if (sim_chance(sim, SIM_CANCEL_LOST) && sim_try(sim, op))
			continue;
		op->cancelled = true;
		found++;
		if (sim_chance(sim, SIM_CANCEL_LATE)) {
			/* It is running just now: it ends by itself, some time later. */
			op->not_before_ns = sim->now_ns + sim_random(sim, 1000000);
			op->running = sim_random(sim, 2);
			if (!all)
				return sim_finish(cancel, -EALREADY);
		}
	}
	if (found == 0)
		return sim_finish(cancel, -ENOENT);
	return sim_finish(cancel, all ? found : 0);
}

/* Ends an operation at once with a result that it may have without a cancel. */
static void end_by_itself(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);

	if (sim_try(sim, op))
		return;
	switch (op->sqe.opcode) {
	case IORING_OP_ACCEPT:
		sim_finish(op, -ECONNABORTED);
		break;
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
		sim_finish(op, -ENOBUFS);
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		file->connection->broken_by_fault = true;
		sim_break(file->connection);
		sim_finish(op, -ECONNRESET);
		break;
	default:
		sim_finish(op, -EAGAIN);
	}
}

void sim_fail_cancel(struct sim *sim, struct sim_op *cancel, int error)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->ops_end; i++) {
		struct sim_op *op = &ring->ops[i];

		if (!is_match(op, &cancel->sqe))
			continue;
		op->last = true;
		if (error == ENOENT)
			end_by_itself(sim, op);
		else
			op->cancelled = true;
	}
	sim_finish(cancel, -error);
}

bool sim_end_cancelled(struct sim *sim, struct sim_op *op)
{
	size_t bytes;

	/* The kernel may have read the data until now. */
	if (sqe_is_send(&op->sqe) && sim_digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the data of a send in flight was changed (fd %d)", op->sqe.fd);
	if (op->sqe.flags & IOSQE_BUFFER_SELECT && sim_chance(sim, SIM_CANCEL_ENOBUFS))
		return sim_finish(op, -ENOBUFS);
	return sim_finish(op, -ECANCELED);
}
