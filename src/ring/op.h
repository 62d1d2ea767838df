/* SPDX-License-Identifier: MIT */
/*
 * op.h - what a completion belongs to, packed into its user_data.
 *
 * The upper 8 bits are the kind of the operation, the lower 56 bits its owner: a client ID, or the
 * number of a listener, an endpoint or a slot. Never a pointer or a file descriptor: by the time of
 * a late completion, those may have been reused.
 */
#ifndef RING_OP_H
#define RING_OP_H

#include "base/base.h"

enum op_kind {
	OP_TCP_ACCEPT,	      /* listener; multishot */
	OP_TCP_ACCEPT_CANCEL, /* listener */
	OP_TCP_RECEIVE,	      /* client; multishot */
	OP_TCP_SEND,	      /* client */
	OP_TCP_POLL,	      /* client; until the socket takes output */
	OP_TCP_CANCEL,	      /* client */
	OP_TCP_CLOSE,	      /* client */
	OP_UDP_RECEIVE,	      /* endpoint; multishot */
	OP_UDP_CANCEL,	      /* endpoint */
	OP_UDP_SEND,	      /* send slot */
	OP_WAKE,	      /* the eventfd behind rollcall_post() */
	OP_WAKE_CANCEL,
	OP_FILE,	/* slot of rollcall_read() and rollcall_write() */
	OP_FILE_CANCEL, /* the same */
};

#define OP_ID_BITS 56
#define OP_ID_MAX (((uint64_t)1 << OP_ID_BITS) - 1)

static inline uint64_t op_pack(enum op_kind kind, uint64_t id)
{
	CHECK(id <= OP_ID_MAX);
	return (uint64_t)kind << OP_ID_BITS | id;
}

static inline enum op_kind op_kind(uint64_t user_data)
{
	return (enum op_kind)(user_data >> OP_ID_BITS);
}

static inline uint64_t op_id(uint64_t user_data)
{
	return user_data & OP_ID_MAX;
}

#endif
