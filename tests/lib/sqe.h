/* SPDX-License-Identifier: MIT */
/*
 * sqe.h - an SQE as io_uring_get_sqe() hands it out: what the io_uring_prep_*() helpers leave alone
 * is 0, and what they fill in has any value. (Older liburing, as 2.3, has them fill in all.) And
 * the data of a send, in either of its two forms.
 */
#ifndef LIB_SQE_H
#define LIB_SQE_H

#include <liburing.h>
#include <stdbool.h>
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

static inline bool sqe_is_send(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_SEND || sqe->opcode == IORING_OP_SENDMSG;
}

static inline bool sqe_is_multishot(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
		return sqe->ioprio & IORING_ACCEPT_MULTISHOT;
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
		return sqe->ioprio & IORING_RECV_MULTISHOT;
	default:
		return false;
	}
}

/* Data and destination, if any, of a send; `one` must live as long as the result. */
static inline struct msghdr sqe_message(const struct io_uring_sqe *sqe, struct iovec *one)
{
	if (sqe->opcode == IORING_OP_SENDMSG)
		return *(const struct msghdr *)(uintptr_t)sqe->addr;
	*one = (struct iovec){ (void *)(uintptr_t)sqe->addr, sqe->len };
	return (struct msghdr){
		.msg_name = (void *)(uintptr_t)sqe->addr2,
		.msg_namelen = sqe->addr_len,
		.msg_iov = one,
		.msg_iovlen = 1,
	};
}

#endif
