/* SPDX-License-Identifier: MIT */
/*
 * epoll_datagrams.c - datagrams of the engine epoll: several are received, or sent, with one system
 * call. Each has its completion, as if it had been the only one.
 */
#include <errno.h>

#include "base/base.h"
#include "ring/epoll.h"

_Static_assert(EPOLL_PIECES_MAX <= EPOLL_SENDS_MAX, "the messages are for both");

/* ---- Receiving ---- */

/* What stands in a buffer before the bytes of a datagram: a header, its name and control data. */
static size_t bytes_before(const struct io_uring_sqe *sqe)
{
	const struct msghdr *layout = (const struct msghdr *)(uintptr_t)sqe->addr;

	return sizeof(struct io_uring_recvmsg_out) + layout->msg_namelen + layout->msg_controllen;
}

static void prepare_to_receive(struct epoll_datagrams *datagrams, unsigned index,
			       const struct io_uring_sqe *sqe, const struct io_uring_buf *buffer)
{
	const struct msghdr *layout = (const struct msghdr *)(uintptr_t)sqe->addr;
	struct io_uring_recvmsg_out *out = (void *)(uintptr_t)buffer->addr;
	char *name = (char *)(out + 1), *control = name + layout->msg_namelen;

	datagrams->pieces[index] =
		(struct iovec){ control + layout->msg_controllen, buffer->len - bytes_before(sqe) };
	datagrams->messages[index].msg_hdr = (struct msghdr){
		.msg_name = name,
		.msg_namelen = layout->msg_namelen,
		.msg_iov = &datagrams->pieces[index],
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = layout->msg_controllen,
	};
}

/* Prepares for up to `max` datagrams; returns for how many, 0: the first buffer is too small. */
static unsigned prepare_batch(struct ring *ring, const struct io_uring_sqe *sqe, unsigned max)
{
	const size_t before = bytes_before(sqe);
	unsigned count = 0;

	while (count < max) {
		const struct io_uring_buf *buffer = epoll_op_buffer(ring, sqe, count);

		if (!buffer || buffer->len < before)
			break;
		prepare_to_receive(&ring->epoll->datagrams, count++, sqe, buffer);
	}
	return count;
}

/* How many to ask for: what is not used was laid out in vain. */
static unsigned batch_max(const struct ring *ring, const struct io_uring_sqe *sqe, unsigned pieces)
{
	const unsigned expected = ring->epoll->datagrams.expected + 1;

	/* A multishot that finds the queue full ends with one datagram. */
	if (!(sqe->ioprio & IORING_RECV_MULTISHOT) || epoll_is_full(ring))
		return 1;
	return (unsigned)min_size(min_size(expected, pieces), epoll_space(ring));
}

/* Completes the header; returns the result of the completion. */
static int lay_out(const struct mmsghdr *message, const struct io_uring_sqe *sqe)
{
	struct io_uring_recvmsg_out *out = (struct io_uring_recvmsg_out *)message->msg_hdr.msg_name;

	out[-1] = (struct io_uring_recvmsg_out){
		.namelen = message->msg_hdr.msg_namelen,
		.controllen = (uint32_t)message->msg_hdr.msg_controllen,
		.payloadlen = message->msg_len,
		.flags = (uint32_t)message->msg_hdr.msg_flags,
	};
	return (int)(message->msg_len + bytes_before(sqe));
}

/*
 * Posts what was received. A datagram without bytes ends a multishot, after those that came with
 * it.
 */
static enum epoll_outcome post_received(struct ring *ring, const struct io_uring_sqe *sqe,
					unsigned count)
{
	const struct mmsghdr *messages = ring->epoll->datagrams.messages;
	bool ends = !(sqe->ioprio & IORING_RECV_MULTISHOT);

	for (unsigned i = 0; i < count; i++) {
		const int result = lay_out(&messages[i], sqe);
		const uint32_t flags = epoll_op_take_buffer(ring, sqe);

		ring->epoll->received_bytes += messages[i].msg_len;
		ends |= messages[i].msg_len == 0;
		if (ends && i + 1 == count)
			return epoll_op_finish(ring, sqe, result, flags);
		if (epoll_op_shot(ring, sqe, result, flags))
			return EPOLL_ENDED;
	}
	return EPOLL_YIELDS;
}

enum epoll_outcome epoll_datagrams_receive(struct ring *ring, const struct io_uring_sqe *sqe,
					   struct descriptor *descriptor, unsigned *pieces)
{
	struct epoll_datagrams *datagrams = &ring->epoll->datagrams;
	const unsigned asked = prepare_batch(ring, sqe, batch_max(ring, sqe, *pieces));
	int count;

	if (asked == 0)
		return epoll_op_finish(ring, sqe, -EFAULT, 0);
	count = recvmmsg(sqe->fd, datagrams->messages, asked, (int)sqe->msg_flags | MSG_DONTWAIT,
			 NULL);
	if (count < 0 && errno == EAGAIN) {
		descriptor->is_empty = true;
		return epoll_op_would_block(ring, sqe);
	}
	if (count < 0)
		return epoll_op_finish(ring, sqe, -errno, 0);
	*pieces -= (unsigned)count;
	datagrams->expected = 2 * (unsigned)count;
	/* An error ends a batch too: the next call returns it. */
	if ((unsigned)count < asked && !descriptor->has_more)
		descriptor->is_empty = true;
	return post_received(ring, sqe, (unsigned)count);
}

/* ---- Sending ---- */

static const struct io_uring_sqe *sqe_at(const struct ring *ring, unsigned index)
{
	const struct io_uring_sq *sq = &ring->uring.sq;

	return &sq->sqes[(sq->sqe_head + index) & sq->ring_mask];
}

static bool is_send(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_SENDMSG || sqe->opcode == IORING_OP_SEND;
}

static bool is_alike(const struct io_uring_sqe *sqe, const struct io_uring_sqe *first)
{
	return sqe->fd == first->fd && is_send(sqe) && sqe->msg_flags == first->msg_flags;
}

/* How many sends on the same socket are first in the queue. */
static unsigned count_alike(const struct ring *ring)
{
	const struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned max = (unsigned)min_size(sq->sqe_tail - sq->sqe_head, EPOLL_SENDS_MAX);
	const struct io_uring_sqe *first = sqe_at(ring, 0);
	unsigned count = 1;

	if (!is_send(first))
		return 0;
	while (count < max && is_alike(sqe_at(ring, count), first))
		count++;
	return count;
}

static void prepare_to_send(struct epoll_datagrams *datagrams, unsigned index,
			    const struct io_uring_sqe *sqe)
{
	struct msghdr *message = &datagrams->messages[index].msg_hdr;

	if (sqe->opcode == IORING_OP_SENDMSG) {
		*message = *(const struct msghdr *)(uintptr_t)sqe->addr;
		return;
	}
	datagrams->pieces[index] = (struct iovec){ (void *)(uintptr_t)sqe->addr, sqe->len };
	*message = (struct msghdr){
		.msg_name = (void *)(uintptr_t)sqe->addr2,
		.msg_namelen = sqe->addr_len,
		.msg_iov = &datagrams->pieces[index],
		.msg_iovlen = 1,
	};
}

unsigned epoll_datagrams_send(struct ring *ring)
{
	struct epoll_datagrams *datagrams = &ring->epoll->datagrams;
	const struct io_uring_sqe *first = sqe_at(ring, 0);
	const unsigned count = count_alike(ring);
	const struct descriptor *descriptor;
	int sent;

	if (count < 2)
		return 0;
	descriptor = epoll_find(ring->epoll, first->fd);
	if (descriptor && descriptor->is_closed)
		return 0;
	for (unsigned i = 0; i < count; i++)
		prepare_to_send(datagrams, i, sqe_at(ring, i));
	/* Ends before one that fails, which then is the first of a call, and gets its error. */
	sent = sendmmsg(first->fd, datagrams->messages, count,
			(int)first->msg_flags | MSG_DONTWAIT | MSG_NOSIGNAL);
	for (int i = 0; i < sent; i++)
		epoll_post(ring, sqe_at(ring, (unsigned)i)->user_data,
			   (int)datagrams->messages[i].msg_len, 0);
	return sent > 0 ? (unsigned)sent : 0;
}
