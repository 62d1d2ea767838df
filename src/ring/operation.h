/* SPDX-License-Identifier: MIT */
/*
 * operation.h - an operation that is cancelled by its user_data, such as a multishot accept: at
 * most one is in flight, and at most one cancel.
 */
#ifndef RING_OPERATION_H
#define RING_OPERATION_H

#include "ring/op.h"
#include "ring/ring.h"

struct operation {
	uint64_t user_data;
	bool in_flight;
	bool cancelled; /* a cancel was submitted for it */
	bool cancel_in_flight;
};

/* Puts the operation in flight whose SQE is prepared, all but its user_data. */
static inline void operation_start(struct operation *operation, struct io_uring_sqe *sqe,
				   enum op_kind kind, uint64_t id)
{
	CHECK(!operation->in_flight);
	sqe->user_data = operation->user_data = op_pack(kind, id);
	operation->in_flight = true;
	operation->cancelled = false;
}

/*
 * Whether a cancel is due: the operation is in flight, and no cancel was submitted for it. While a
 * cancel of an earlier one is in flight, it has to wait.
 */
static inline bool operation_is_to_cancel(const struct operation *operation)
{
	return operation->in_flight && !operation->cancelled && !operation->cancel_in_flight;
}

/* Submits a cancel; `kind` is that of its completion. false: the submission queue is full. */
static inline bool operation_cancel(struct operation *operation, struct ring *ring,
				    enum op_kind kind)
{
	struct io_uring_sqe *sqe = ring_sqe(ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, operation->user_data, 0);
	sqe->user_data = op_pack(kind, op_id(operation->user_data));
	operation->cancelled = true;
	operation->cancel_in_flight = true;
	return true;
}

/* Whether a completion of the operation or of its cancel is still to come. */
static inline bool operation_is_busy(const struct operation *operation)
{
	return operation->in_flight || operation->cancel_in_flight;
}

#endif
