/* SPDX-License-Identifier: MIT */
/*
 * sim_ring.c - the simulated ring: it carries SQEs out, and posts CQEs, with the kernel's meanings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/describe.h"
#include "lib/sim_kernel.h"

int ring_try_io_uring(void)
{
	return sim_current->settings.io_uring_error;
}

int ring_create(struct ring **out, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns)
{
	struct sim *sim = sim_current;
	struct ring *ring;

	/* It makes no difference to the simulation. */
	(void)spin_ns;
	CHECK(sim && !sim->ring);
	if (engine == RING_IO_URING && sim->settings.io_uring_error)
		return sim->settings.io_uring_error;
	if (sim->halved++ < sim->settings.halvings)
		return -ENOMEM;
	sim_leave_server(sim);
	ring = calloc(1, sizeof(*ring));
	CHECK(ring);
	ring->sq_entries = (unsigned)min_size(sq_entries, sim->settings.sq_entries_max);
	ring->cq_entries = (unsigned)min_size(cq_entries, sim->settings.cq_entries_max);
	ring->sqes = calloc(ring->sq_entries, sizeof(*ring->sqes));
	ring->cqes = calloc(ring->cq_entries, sizeof(*ring->cqes));
	ring->overflow = calloc(SIM_OVERFLOW_MAX, sizeof(*ring->overflow));
	ring->ops = calloc(SIM_OPS_MAX, sizeof(*ring->ops));
	CHECK(ring->sqes && ring->cqes && ring->overflow && ring->ops);
	sim->ring = ring;
	sim_enter_server(sim);
	*out = ring;
	return 0;
}

void ring_destroy(struct ring *ring)
{
	char text[DESCRIBE_BYTES];

	for (unsigned i = 0; i < ring->ops_end; i++)
		if (ring->ops[i].used)
			sim_fail(sim_current,
				 "the ring is destroyed with an operation in flight: %s",
				 describe_op(ring->ops[i].sqe.user_data, text));
	for (uint16_t group = 0; group < RING_GROUPS_MAX; group++)
		ring_buffers_unregister(ring, group);
	free(ring->sqes);
	free(ring->cqes);
	free(ring->overflow);
	free(ring->ops);
	free(ring);
	sim_current->ring = NULL;
}

/* ---- Completions ---- */

static bool cq_is_full(const struct ring *ring)
{
	return ring->cq_count == ring->cq_entries || ring->overflow_count > 0;
}

static void post(const struct sim_op *op, int result, uint32_t flags)
{
	const uint64_t user_data = op->sqe.user_data;
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = result, .flags = flags };
	struct ring *ring = sim_current->ring;

	sim_trace_completion(sim_current, op, result, flags);
	sim_current->progress |= result >= 0;
	sim_current->ended[op->sqe.opcode % SIM_OPCODES][result < 0 ? -result % SIM_ERRORS : 0]++;
	if (cq_is_full(ring)) {
		sim_current->fired[SIM_CQ_OVERFLOW]++;
		CHECK(ring->overflow_count < SIM_OVERFLOW_MAX);
		ring->overflow[ring->overflow_count++] = cqe;
		return;
	}
	ring->cqes[(ring->cq_head + ring->cq_count++) % ring->cq_entries] = cqe;
}

void sim_flush_overflow(struct ring *ring)
{
	unsigned moved = 0;

	while (moved < ring->overflow_count && ring->cq_count < ring->cq_entries)
		ring->cqes[(ring->cq_head + ring->cq_count++) % ring->cq_entries] =
			ring->overflow[moved++];
	memmove(ring->overflow, ring->overflow + moved,
		(ring->overflow_count - moved) * sizeof(*ring->overflow));
	ring->overflow_count -= moved;
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	if (ring->cq_count == 0)
		return false;
	memcpy(cqe, &ring->cqes[ring->cq_head], sizeof(*cqe));
	sim_spend_completion(sim_current);
	ring->cq_head = (ring->cq_head + 1) % ring->cq_entries;
	ring->cq_count--;
	sim_report_received(sim_current, cqe);
	return true;
}

bool sim_finish(struct sim_op *op, int result)
{
	op->used = false;
	post(op, result, 0);
	return true;
}

bool sim_finish_with_buffer(struct sim_op *op, int result)
{
	op->used = false;
	post(op, result, sim_take_buffer(op->sqe.buf_group));
	return true;
}

bool sim_post_shot(struct sim_op *op, int result, uint32_t flags)
{
	bool end = cq_is_full(sim_current->ring) || op->last ||
		   sim_chance(sim_current, SIM_MULTISHOT_END);

	op->used = !end;
	post(op, result, flags | (end ? 0 : IORING_CQE_F_MORE));
	return end;
}

/* ---- Submission ---- */

static struct sim_op *new_op(struct sim *sim)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->ops_end; i++)
		if (!ring->ops[i].used)
			return &ring->ops[i];
	if (ring->ops_end == SIM_OPS_MAX)
		sim_fail(sim, "more than %u operations in flight", SIM_OPS_MAX);
	return &ring->ops[ring->ops_end++];
}

/* Most errors end a connection; close(2) closes the descriptor even if it fails. */
static void fail_on_purpose(struct sim *sim, struct sim_op *op)
{
	const int error = sim->settings.failure.error;
	struct sim_file *file;
	const bool passing =
		error == EINTR || error == EAGAIN || error == ENOBUFS || error == ENOMEM;

	if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL) {
		sim_fail_cancel(sim, op, error);
		return;
	}
	file = sim_file(sim, op->sqe.fd);
	if (file->kind == SIM_DATAGRAMS && sqe_is_send(&op->sqe) && error == EAGAIN) {
		sim_refuse_datagram(sim, op);
		return;
	}
	if (op->sqe.opcode == IORING_OP_CLOSE) {
		sim_close_file(sim, op->sqe.fd);
	} else if (file->kind == SIM_STREAM && !passing) {
		file->connection->broken_by_fault = true;
		sim_break(file->connection);
	}
	sim_finish(op, -error);
}

static void make_late(struct sim *sim, struct sim_op *op)
{
	op->not_before_ns = sim->now_ns + sim_random(sim, 5000000);
	if (op->sqe.fd >= 0 && sim_file(sim, op->sqe.fd)->kind == SIM_STREAM)
		sim_excuse(sim_file(sim, op->sqe.fd)->connection, op->not_before_ns);
}

/* Completes during submission, with or without success (io_uring/net.c, Linux 6.1). */
static bool completes_at_once(const struct io_uring_sqe *sqe)
{
	return sqe_is_send(sqe) && sqe->msg_flags & MSG_DONTWAIT;
}

/* Receives during submission, if something is queued. */
static bool receives_at_once(struct sim *sim, const struct io_uring_sqe *sqe)
{
	const struct sim_file *file;

	if (sqe->opcode != IORING_OP_RECV && sqe->opcode != IORING_OP_RECVMSG)
		return false;
	file = sim_file(sim, sqe->fd);
	return file->kind == SIM_STREAM ? file->connection->in.count > 0 : file->datagrams != NULL;
}

void sim_submit(struct sim *sim)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->sq_count; i++) {
		struct sim_op *op = new_op(sim);
		const struct io_uring_sqe *sqe = &ring->sqes[i];
		size_t bytes;

		*op = (struct sim_op){ .sqe = *sqe, .used = true, .fresh = true };
		sim_trace_submission(sim, sqe);
		sim_spend_submission(sim);
		if (sqe_is_send(sqe))
			op->digest = sim_digest(sqe, &bytes);
		if (sim_fails(sim, sqe->opcode))
			fail_on_purpose(sim, op);
		else if (!completes_at_once(sqe) && !receives_at_once(sim, sqe) &&
			 sim_chance(sim, SIM_LATE))
			make_late(sim, op);
		else
			sim_try(sim, op);
		CHECK(!op->used || !completes_at_once(sqe));
	}
	ring->sq_count = 0;
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe;

	/* As if the queue were full, and the kernel had consumed nothing. */
	if (sim_chance(sim_current, SIM_SQ_FULL))
		return NULL;
	if (ring->sq_count == ring->sq_entries)
		sim_submit(sim_current);
	sqe = &ring->sqes[ring->sq_count++];
	sqe_hand_out(sqe);
	return sqe;
}
