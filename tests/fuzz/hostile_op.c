/* SPDX-License-Identifier: MIT */
#include "fuzz/hostile_op.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/base.h"
#include "lib/describe.h"
#include "lib/sqe.h"

#define ERRNO_MAX 133

static uint16_t word(void)
{
	uint16_t high = hostile_byte();

	return (uint16_t)(high << 8 | hostile_byte());
}

static void post(struct ring *ring, const struct hostile_op *op, int result, uint32_t flags)
{
	const struct io_uring_cqe cqe = {
		.user_data = op->sqe.user_data,
		.res = result,
		.flags = flags,
	};

	CHECK(ring->cq_count < HOSTILE_CQES_MAX);
	memcpy(&ring->cqes[ring->cq_count++], &cqe, sizeof(cqe));
}

/* The last completion of an operation. */
static void finish(struct ring *ring, struct hostile_op *op, int result, uint32_t flags)
{
	post(ring, op, result, flags);
	*op = ring->ops[--ring->ops_count];
}

/* ---- What is sent: at the end it must be what it was when it was submitted ---- */

static uint64_t mix(uint64_t sum, const uint8_t *data, size_t bytes, size_t *total)
{
	*total += bytes;
	while (bytes-- > 0)
		sum = (sum ^ *data++) * 0x100000001b3;
	return sum;
}

static uint64_t digest(const struct io_uring_sqe *sqe, size_t *total)
{
	size_t address_bytes = 0;
	struct msghdr message;
	struct iovec one;
	uint64_t sum;

	*total = 0;
	if (!sqe_is_send(sqe))
		return mix(0, (const void *)(uintptr_t)sqe->addr, sqe->len, total);
	message = sqe_message(sqe, &one);
	sum = mix(0, message.msg_name, message.msg_namelen, &address_bytes);
	for (size_t i = 0; i < message.msg_iovlen; i++)
		sum = mix(sum, message.msg_iov[i].iov_base, message.msg_iov[i].iov_len, total);
	return sum;
}

static bool sends(const struct io_uring_sqe *sqe)
{
	return sqe_is_send(sqe) || sqe->opcode == IORING_OP_WRITE;
}

/* ---- Submission ---- */

static bool is_match(const struct hostile_op *op, const struct io_uring_sqe *cancel)
{
	if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL || op->sqe.opcode == IORING_OP_CLOSE)
		return false;
	return cancel->cancel_flags & IORING_ASYNC_CANCEL_FD ? op->sqe.fd == cancel->fd
							     : op->sqe.user_data == cancel->addr;
}

/* What is to be cancelled ends soon, whatever the cancel itself says, and whenever. */
static void cancel(struct ring *ring, struct hostile_op *cancelling)
{
	unsigned found = 0;

	if (cancelling->sqe.cancel_flags & IORING_ASYNC_CANCEL_FD)
		hostile_file(cancelling->sqe.fd);
	for (unsigned i = 0; i < ring->ops_count; i++) {
		if (!is_match(&ring->ops[i], &cancelling->sqe))
			continue;
		ring->ops[i].cancelled = true;
		found++;
	}
	cancelling->digest = found;
}

/* The descriptor may be another's from now on. */
static void close_file(struct ring *ring, const struct hostile_op *closing)
{
	for (unsigned i = 0; i < ring->ops_count; i++)
		CHECK(&ring->ops[i] == closing || ring->ops[i].sqe.fd != closing->sqe.fd ||
		      ring->ops[i].sqe.opcode == IORING_OP_ASYNC_CANCEL);
	hostile_file(closing->sqe.fd)->open = false;
}

void hostile_submit(struct ring *ring)
{
	for (unsigned i = 0; i < ring->sq_count; i++) {
		struct hostile_op *op = &ring->ops[ring->ops_count];
		size_t total;

		CHECK(ring->ops_count < HOSTILE_OPS_MAX);
		*op = (struct hostile_op){ .sqe = ring->sqes[i] };
		ring->ops_count++;
		if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL)
			cancel(ring, op);
		else if (op->sqe.opcode == IORING_OP_CLOSE)
			close_file(ring, op);
		else
			hostile_file(op->sqe.fd);
		if (sends(&op->sqe))
			op->digest = digest(&op->sqe, &total);
	}
	ring->sq_count = 0;
}

/* ---- Results as the script says ---- */

/* Any errno, the likely ones more often. */
static int script_error(void)
{
	static const uint8_t likely[] = { ECANCELED, EINTR,	 EAGAIN, ENOBUFS, ENOMEM,
					  EMFILE,    ECONNRESET, EPIPE,	 ENFILE,  ETIMEDOUT };
	const uint8_t byte = hostile_byte();

	return byte % 2 ? -likely[byte / 2 % sizeof(likely)] : -(1 + byte % ERRNO_MAX);
}

static struct hostile_buffer *first_buffer(struct ring *ring, uint16_t group)
{
	struct hostile_group *from = &ring->groups[group];

	return from->count ? &from->buffers[from->head] : NULL;
}

/* The server gets the oldest buffer. */
static uint32_t take_buffer(struct ring *ring, uint16_t group)
{
	struct hostile_group *from = &ring->groups[group];
	uint16_t id = from->buffers[from->head].id;

	from->given[id] = false;
	from->head = (from->head + 1) % from->entries;
	from->count--;
	return IORING_CQE_F_BUFFER | (uint32_t)id << IORING_CQE_BUFFER_SHIFT;
}

/* Lines, length prefixes, or bytes of the script. Returns how many there are. */
static size_t fill(uint8_t *to, size_t capacity)
{
	const uint8_t what = hostile_byte();
	size_t bytes = min_size(what & 0x40 ? word() : hostile_byte() % 32u, capacity);

	ASAN_UNPOISON_MEMORY_REGION(to, bytes);
	for (size_t i = 0; i < bytes; i++)
		to[i] = what % 4 == 0	? (uint8_t) "hello\r\n"[i % 7]
			: what % 4 == 1 ? (uint8_t) "\0\0\0\3abc"[i % 7]
			: what % 4 == 2 ? 'A'
					: hostile_byte();
	return bytes;
}

/* An error or the end, which takes a buffer with it now and then (before Linux 6.8). */
static void fail_receive(struct ring *ring, struct hostile_op *op, int result, bool with_buffer)
{
	struct hostile_buffer *buffer = first_buffer(ring, op->sqe.buf_group);
	uint32_t flags = 0;

	if (with_buffer && buffer && result != -ENOBUFS) {
		ASAN_UNPOISON_MEMORY_REGION(buffer->data, buffer->bytes);
		flags = take_buffer(ring, op->sqe.buf_group);
	}
	finish(ring, op, result, flags);
}

/* A good result of a multishot, by chance the last. */
static void post_shot(struct ring *ring, struct hostile_op *op, int result, uint32_t flags,
		      bool last)
{
	if (last)
		finish(ring, op, result, flags);
	else
		post(ring, op, result, flags | IORING_CQE_F_MORE);
}

static void receive(struct ring *ring, struct hostile_op *op)
{
	const uint8_t how = hostile_byte();
	struct hostile_buffer *buffer = first_buffer(ring, op->sqe.buf_group);
	size_t bytes;

	if (how % 8 == 7)
		return fail_receive(ring, op, script_error(), how & 0x10);
	if (how % 8 == 6)
		return fail_receive(ring, op, 0, how & 0x10);
	if (!buffer)
		return finish(ring, op, -ENOBUFS, 0);
	bytes = fill(buffer->data, buffer->bytes);
	if (bytes == 0)
		return fail_receive(ring, op, -EAGAIN, how & 0x10);
	post_shot(ring, op, (int)bytes, take_buffer(ring, op->sqe.buf_group), how & 0x20);
}

/* The address of the sender and the one that was asked, from the script. */
static void lay_out_head(const struct hostile_op *op, const struct msghdr *layout, uint8_t *at,
			 uint8_t how)
{
	struct io_uring_recvmsg_out *out = (void *)at;
	const bool v4 = hostile_file(op->sqe.fd)->address.any.sa_family == AF_INET;
	struct address from = { .any.sa_family = v4 ? AF_INET : AF_INET6 };
	struct cmsghdr *header = (void *)(at + sizeof(*out) + layout->msg_namelen);
	const size_t info_bytes = v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo);

	address_set_port(&from, how & 0x40 ? hostile_byte() : 5000 + hostile_byte() % 8);
	if (v4)
		from.v4.sin_addr.s_addr = htonl(how & 0x80 ? (uint32_t)word() << 16 : 0x7f000001);
	else
		from.v6.sin6_addr.s6_addr[how & 0x80 ? 0 : 15] = hostile_byte();
	out->namelen = v4 ? sizeof(from.v4) : sizeof(from.v6);
	memcpy(out + 1, &from.any, out->namelen);
	if (layout->msg_controllen == 0)
		return;
	header->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	header->cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO;
	header->cmsg_len = CMSG_LEN(info_bytes);
	memset(CMSG_DATA(header), hostile_byte(), info_bytes);
	out->controllen = (uint32_t)CMSG_SPACE(info_bytes);
}

static void receive_datagram(struct ring *ring, struct hostile_op *op)
{
	const struct msghdr *layout = (const void *)(uintptr_t)op->sqe.addr;
	const size_t head =
		sizeof(struct io_uring_recvmsg_out) + layout->msg_namelen + layout->msg_controllen;
	const uint8_t how = hostile_byte();
	struct hostile_buffer *buffer = first_buffer(ring, op->sqe.buf_group);
	struct io_uring_recvmsg_out *out;
	size_t bytes;

	if (how % 8 == 7)
		return fail_receive(ring, op, script_error(), how & 0x10);
	if (!buffer)
		return finish(ring, op, -ENOBUFS, 0);
	out = (void *)buffer->data;
	ASAN_UNPOISON_MEMORY_REGION(out, head);
	memset(out, 0, head);
	lay_out_head(op, layout, buffer->data, how);
	bytes = fill(buffer->data + head, buffer->bytes - head);
	out->payloadlen = (uint32_t)bytes;
	if (how % 8 == 6) {
		out->flags = MSG_TRUNC;
		out->payloadlen += hostile_byte();
	}
	/* A datagram of length zero ends the multishot. */
	post_shot(ring, op, (int)(head + bytes), take_buffer(ring, op->sqe.buf_group),
		  bytes == 0 || how & 0x20);
}

static void accept_one(struct ring *ring, struct hostile_op *op)
{
	const uint8_t how = hostile_byte();
	int fd;

	if (how % 4 == 3)
		return finish(ring, op, script_error(), 0);
	fd = hostile_open();
	if (fd < 0)
		return finish(ring, op, fd, 0);
	if (op->sqe.ioprio & IORING_ACCEPT_MULTISHOT)
		post_shot(ring, op, fd, 0, how & 0x20);
	else
		finish(ring, op, fd, 0);
}

/* Whether it is for a datagram, which goes in full or not at all. */
static bool is_addressed(const struct io_uring_sqe *sqe)
{
	struct iovec one;

	return sqe_is_send(sqe) && sqe_message(sqe, &one).msg_name;
}

/* In full, in part or not at all. */
static void end_send(struct ring *ring, struct hostile_op *op)
{
	const uint8_t how = hostile_byte();
	const bool datagram = is_addressed(&op->sqe);
	size_t total;

	CHECK(digest(&op->sqe, &total) == op->digest);
	if (how % 4 == 3)
		return finish(ring, op, script_error(), 0);
	if (how % 4 == 2 && total > 1 && !datagram)
		total = 1 + word() % total;
	finish(ring, op, (int)total, 0);
}

static void read_file(struct ring *ring, struct hostile_op *op, bool well)
{
	struct hostile_file *file = hostile_file(op->sqe.fd);

	if (!well)
		return finish(ring, op, script_error(), 0);
	if (file->event == 0)
		return;
	memcpy((void *)(uintptr_t)op->sqe.addr, &file->event, sizeof(file->event));
	file->event = 0;
	finish(ring, op, sizeof(file->event), 0);
}

static void end_cancel(struct ring *ring, struct hostile_op *op)
{
	const uint8_t how = hostile_byte();
	const int found = (int)op->digest;
	const bool all = op->sqe.cancel_flags & IORING_ASYNC_CANCEL_ALL;

	if (found == 0)
		finish(ring, op, -ENOENT, 0);
	else if (how % 4 == 3)
		finish(ring, op, script_error(), 0);
	else if (how % 4 == 2)
		finish(ring, op, -EALREADY, 0);
	else
		finish(ring, op, all ? found : 0, 0);
}

void hostile_complete(struct ring *ring)
{
	char text[DESCRIBE_BYTES];
	struct hostile_op *op;

	if (ring->ops_count == 0)
		return;
	op = &ring->ops[hostile_byte() % ring->ops_count];
	/* It may as well go on for a while, or end by itself. */
	if (op->cancelled && hostile_byte() % 2)
		return finish(ring, op, -ECANCELED, 0);
	switch (op->sqe.opcode) {
	case IORING_OP_ACCEPT:
		return accept_one(ring, op);
	case IORING_OP_RECV:
		return receive(ring, op);
	case IORING_OP_RECVMSG:
		return receive_datagram(ring, op);
	case IORING_OP_POLL_ADD:
		return finish(ring, op, hostile_byte() % 4 == 3 ? script_error() : POLLOUT, 0);
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_WRITE:
		return end_send(ring, op);
	case IORING_OP_READ:
		return read_file(ring, op, hostile_byte() % 4 != 3);
	case IORING_OP_ASYNC_CANCEL:
		return end_cancel(ring, op);
	case IORING_OP_CLOSE:
		return finish(ring, op, hostile_byte() % 4 == 3 ? script_error() : 0, 0);
	default:
		fprintf(stderr, "opcode %u is not simulated: %s\n", op->sqe.opcode,
			describe_op(op->sqe.user_data, text));
		abort();
	}
}

/* ---- Results when the script has ended ---- */

static void complete_kindly(struct ring *ring, struct hostile_op *op)
{
	const bool at_once = op->sqe.msg_flags & MSG_DONTWAIT;

	if (op->cancelled)
		return finish(ring, op, -ECANCELED, 0);
	switch (op->sqe.opcode) {
	case IORING_OP_ACCEPT:
		return;
	case IORING_OP_RECV:
		if (!first_buffer(ring, op->sqe.buf_group))
			return finish(ring, op, -ENOBUFS, 0);
		/* Every second peer says no more, and does not end either. */
		if (at_once || op->sqe.fd % 2)
			finish(ring, op, at_once ? -EAGAIN : 0, 0);
		return;
	case IORING_OP_RECVMSG:
		if (at_once)
			finish(ring, op, -EAGAIN, 0);
		return;
	case IORING_OP_READ:
		return read_file(ring, op, true);
	case IORING_OP_CLOSE:
		return finish(ring, op, 0, 0);
	case IORING_OP_POLL_ADD:
		return finish(ring, op, POLLOUT, 0);
	case IORING_OP_ASYNC_CANCEL:
		return end_cancel(ring, op);
	default:
		return end_send(ring, op);
	}
}

/* What a server has in flight at all times, and would start again. */
static bool waits(const struct hostile_op *op)
{
	return op->sqe.opcode == IORING_OP_ACCEPT || op->sqe.opcode == IORING_OP_RECV ||
	       op->sqe.opcode == IORING_OP_RECVMSG || op->sqe.opcode == IORING_OP_READ;
}

bool hostile_complete_all(struct ring *ring, bool barren)
{
	/* From the end: what ends takes the last one's place. */
	for (unsigned i = ring->ops_count; i-- > 0;) {
		struct hostile_op *op = &ring->ops[i];

		if (barren && waits(op))
			finish(ring, op, -ENOMEM, 0);
		else
			complete_kindly(ring, op);
	}
	return ring->cq_count > 0;
}
