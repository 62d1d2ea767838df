/* SPDX-License-Identifier: MIT */
/*
 * epoll_op.c - what each operation of the engine epoll does, and the completions that it posts,
 * with the meanings of Linux's io_uring.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "ring/epoll.h"

/* The file offset that means the current position. */
#define CURRENT_POSITION ((uint64_t)-1)

bool epoll_op_is_known(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_POLL_ADD:
	case IORING_OP_READ:
	case IORING_OP_WRITE:
		return true;
	default:
		return false;
	}
}

enum epoll_side epoll_op_side(const struct io_uring_sqe *sqe)
{
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_READ:
		return EPOLL_READS;
	default:
		return EPOLL_WRITES;
	}
}

/* The 16-bit halves are swapped where the higher one comes first (io_uring_enter(2)). */
static uint32_t polled_events(const struct io_uring_sqe *sqe)
{
	const uint32_t events = sqe->poll32_events;

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? events : events << 16 | events >> 16;
}

uint32_t epoll_op_events(const struct io_uring_sqe *sqe)
{
	if (sqe->opcode == IORING_OP_POLL_ADD)
		return polled_events(sqe) | EPOLLRDHUP;
	return epoll_op_side(sqe) == EPOLL_READS ? EPOLLIN | EPOLLPRI | EPOLLRDHUP
						 : EPOLLOUT | EPOLLRDHUP;
}

bool epoll_op_is_of_socket(const struct io_uring_sqe *sqe)
{
	return sqe->opcode != IORING_OP_READ && sqe->opcode != IORING_OP_WRITE;
}

enum epoll_outcome epoll_op_finish(struct ring *ring, const struct io_uring_sqe *sqe, int result,
				   uint32_t flags)
{
	epoll_post(ring, sqe->user_data, result, flags);
	return EPOLL_ENDED;
}

bool epoll_op_shot(struct ring *ring, const struct io_uring_sqe *sqe, int result, uint32_t flags)
{
	const bool ends = epoll_is_full(ring);

	epoll_post(ring, sqe->user_data, result, ends ? flags : flags | IORING_CQE_F_MORE);
	return ends;
}

enum epoll_outcome epoll_op_would_block(struct ring *ring, const struct io_uring_sqe *sqe)
{
	return sqe->msg_flags & MSG_DONTWAIT ? epoll_op_finish(ring, sqe, -EAGAIN, 0)
					     : EPOLL_BLOCKED;
}

/* ---- Buffers: the one that was given last is filled first, as it is in the CPU's caches ---- */

const struct io_uring_buf *epoll_op_buffer(const struct ring *ring, const struct io_uring_sqe *sqe,
					   unsigned index)
{
	const struct buffer_group *group = &ring->groups[sqe->buf_group % ENGINE_GROUPS];

	if (!group->entries || group->entries->tail <= index)
		return NULL;
	return &group->entries->bufs[group->entries->tail - 1 - index];
}

uint32_t epoll_op_take_buffer(struct ring *ring, const struct io_uring_sqe *sqe)
{
	const uint32_t id = epoll_op_buffer(ring, sqe, 0)->bid;

	ring->groups[sqe->buf_group % ENGINE_GROUPS].entries->tail--;
	return id << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER;
}

/* ---- Sockets ---- */

/* A listening socket that blocks would stop the server if another process accepts its client. */
static int make_listener(struct descriptor *descriptor, int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	descriptor->is_listener = true;
	return 0;
}

static enum epoll_outcome try_accept(struct ring *ring, const struct io_uring_sqe *sqe,
				     struct descriptor *descriptor)
{
	const int error = descriptor->is_listener ? 0 : make_listener(descriptor, sqe->fd);

	if (error)
		return epoll_op_finish(ring, sqe, error, 0);
	for (unsigned pieces = 0; pieces < EPOLL_PIECES_MAX; pieces++) {
		const int fd = accept4(sqe->fd, NULL, NULL, (int)sqe->accept_flags);

		if (fd < 0 && errno == EAGAIN)
			return EPOLL_BLOCKED;
		if (fd < 0)
			return epoll_op_finish(ring, sqe, -errno, 0);
		epoll_accepted(ring, fd);
		if (!(sqe->ioprio & IORING_ACCEPT_MULTISHOT))
			return epoll_op_finish(ring, sqe, fd, 0);
		if (epoll_op_shot(ring, sqe, fd, 0))
			return EPOLL_ENDED;
	}
	return EPOLL_YIELDS;
}

/*
 * Receives into a buffer. A stream that has filled less than was asked for is empty, unless its end
 * or an error follows, or urgent data, which a receive stops at.
 */
static ssize_t receive_bytes(const struct io_uring_sqe *sqe, struct descriptor *descriptor,
			     const struct io_uring_buf *buffer)
{
	const bool once = !(sqe->ioprio & IORING_RECV_MULTISHOT);
	const size_t bytes = once && sqe->len > 0 ? min_size(sqe->len, buffer->len) : buffer->len;
	const ssize_t result = recv(sqe->fd, (void *)(uintptr_t)buffer->addr, bytes,
				    (int)sqe->msg_flags | MSG_DONTWAIT);

	if (result > 0 && (size_t)result < bytes && descriptor->is_accepted &&
	    !descriptor->has_more)
		descriptor->is_empty = true;
	return result;
}

/* Receives one piece, of datagrams up to `*pieces`. EPOLL_YIELDS: there may be more. */
static enum epoll_outcome receive(struct ring *ring, const struct io_uring_sqe *sqe,
				  struct descriptor *descriptor, unsigned *pieces)
{
	const struct io_uring_buf *buffer = epoll_op_buffer(ring, sqe, 0);
	ssize_t result;

	/* At once, even where nothing has arrived. */
	if (!buffer)
		return epoll_op_finish(ring, sqe, -ENOBUFS, 0);
	if (descriptor->is_empty && !(sqe->msg_flags & MSG_DONTWAIT))
		return EPOLL_BLOCKED;
	if (sqe->opcode == IORING_OP_RECVMSG)
		return epoll_datagrams_receive(ring, sqe, descriptor, pieces);
	--*pieces;
	result = receive_bytes(sqe, descriptor, buffer);
	if (result < 0 && errno == EAGAIN) {
		descriptor->is_empty = true;
		return epoll_op_would_block(ring, sqe);
	}
	if (result <= 0)
		return epoll_op_finish(ring, sqe, result < 0 ? -errno : 0, 0);
	ring->epoll->received_bytes += (size_t)result;
	if (!(sqe->ioprio & IORING_RECV_MULTISHOT))
		return epoll_op_finish(ring, sqe, (int)result, epoll_op_take_buffer(ring, sqe));
	return epoll_op_shot(ring, sqe, (int)result, epoll_op_take_buffer(ring, sqe))
		       ? EPOLL_ENDED
		       : EPOLL_YIELDS;
}

static enum epoll_outcome try_receive(struct ring *ring, const struct io_uring_sqe *sqe,
				      struct descriptor *descriptor)
{
	unsigned pieces = EPOLL_PIECES_MAX;
	enum epoll_outcome outcome = EPOLL_YIELDS;

	/* Receives without a buffer group are not used. */
	if (!(sqe->flags & IOSQE_BUFFER_SELECT))
		return epoll_op_finish(ring, sqe, -EINVAL, 0);
	while (pieces > 0 && outcome == EPOLL_YIELDS)
		outcome = receive(ring, sqe, descriptor, &pieces);
	return outcome;
}

/* Sends what fits: short sends are not continued. Without SIGPIPE, as io_uring does. */
static enum epoll_outcome try_send(struct ring *ring, const struct io_uring_sqe *sqe)
{
	const int flags = (int)sqe->msg_flags | MSG_DONTWAIT | MSG_NOSIGNAL;
	const void *data = (const void *)(uintptr_t)sqe->addr;
	ssize_t result;

	if (sqe->opcode == IORING_OP_SENDMSG)
		result = sendmsg(sqe->fd, data, flags);
	else
		result = sendto(sqe->fd, data, sqe->len, flags,
				(const struct sockaddr *)(uintptr_t)sqe->addr2, sqe->addr_len);
	if (result < 0 && errno == EAGAIN)
		return epoll_op_would_block(ring, sqe);
	return epoll_op_finish(ring, sqe, result < 0 ? -errno : (int)result, 0);
}

/* A poll is tried by events only. POLLRDHUP is reported, asked for or not. */
static enum epoll_outcome try_poll(struct ring *ring, const struct io_uring_sqe *sqe,
				   const struct descriptor *descriptor)
{
	const uint32_t reported = polled_events(sqe) | POLLERR | POLLHUP | POLLRDHUP;
	const int result = (int)(descriptor->events & reported);

	if (result == 0)
		return EPOLL_BLOCKED;
	if (!(sqe->len & IORING_POLL_ADD_MULTI))
		return epoll_op_finish(ring, sqe, result, 0);
	return epoll_op_shot(ring, sqe, result, 0) ? EPOLL_ENDED : EPOLL_BLOCKED;
}

/* ---- Files, pipes and terminals ---- */

static bool is_ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 0) > 0;
}

/* What has no position is read and written without (ESPIPE). */
static ssize_t read_at(const struct io_uring_sqe *sqe)
{
	void *to = (void *)(uintptr_t)sqe->addr;
	ssize_t result;

	if (sqe->off != CURRENT_POSITION) {
		result = pread(sqe->fd, to, sqe->len, (off_t)sqe->off);
		if (result >= 0 || errno != ESPIPE)
			return result;
	}
	return read(sqe->fd, to, sqe->len);
}

static enum epoll_outcome try_read(struct ring *ring, const struct io_uring_sqe *sqe)
{
	ssize_t result;

	if (!is_ready(sqe->fd, POLLIN))
		return EPOLL_BLOCKED;
	result = read_at(sqe);
	if (result < 0 && errno == EAGAIN)
		return EPOLL_BLOCKED;
	return epoll_op_finish(ring, sqe, result < 0 ? -errno : (int)result, 0);
}

/* As much as can be written to what poll(2) calls ready. */
static ssize_t write_some(const struct io_uring_sqe *sqe)
{
	const void *data = (const void *)(uintptr_t)sqe->addr;
	struct stat status;

	if (fstat(sqe->fd, &status))
		return -1;
	if (S_ISSOCK(status.st_mode))
		return send(sqe->fd, data, sqe->len, MSG_DONTWAIT);
	if (!S_ISREG(status.st_mode))
		return write(sqe->fd, data, min_size(sqe->len, PIPE_BUF));
	if (sqe->off == CURRENT_POSITION)
		return write(sqe->fd, data, sqe->len);
	return pwrite(sqe->fd, data, sqe->len, (off_t)sqe->off);
}

static enum epoll_outcome try_write(struct ring *ring, const struct io_uring_sqe *sqe)
{
	ssize_t result;

	if (!is_ready(sqe->fd, POLLOUT))
		return EPOLL_BLOCKED;
	result = write_some(sqe);
	if (result < 0 && errno == EAGAIN)
		return EPOLL_BLOCKED;
	return epoll_op_finish(ring, sqe, result < 0 ? -errno : (int)result, 0);
}

enum epoll_outcome epoll_op_try(struct ring *ring, const struct io_uring_sqe *sqe,
				struct descriptor *descriptor)
{
	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
		return try_accept(ring, sqe, descriptor);
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
		return try_receive(ring, sqe, descriptor);
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		return try_send(ring, sqe);
	case IORING_OP_POLL_ADD:
		return try_poll(ring, sqe, descriptor);
	case IORING_OP_READ:
		return try_read(ring, sqe);
	default:
		CHECK(sqe->opcode == IORING_OP_WRITE);
		return try_write(ring, sqe);
	}
}
