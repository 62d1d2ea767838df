/* SPDX-License-Identifier: MIT */
/*
 * sqe.h - an SQE as io_uring_get_sqe() hands it out: what the io_uring_prep_*() helpers leave alone
 * is 0, and what they fill in is anything before. (Older liburing, as 2.3, has them fill in all.)
 */
#ifndef LIB_SQE_H
#define LIB_SQE_H

#include <liburing.h>
#include <string.h>

static inline void sqe_hand_out(struct io_uring_sqe *sqe)
{
	memset(sqe, 0xee, sizeof(*sqe));
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
	sqe->addr3 = 0;
	sqe->__pad2[0] = 0;
}

#endif
