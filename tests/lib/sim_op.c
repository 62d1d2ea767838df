/* SPDX-License-Identifier: MIT */
/*
 * sim_op.c - what each operation does: each try returns whether it has ended.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/base.h"
#include "lib/describe.h"
#include "lib/sim_kernel.h"

static bool try_accept(struct sim *sim, struct sim_op *op)
{
	static const struct {
		enum sim_fault fault;
		int error;
	} faults[] = {
		{ SIM_ACCEPT_EMFILE, -EMFILE },
		{ SIM_ACCEPT_ENFILE, -ENFILE },
		{ SIM_ACCEPT_ENOBUFS, -ENOBUFS },
		{ SIM_ACCEPT_ENOMEM, -ENOMEM },
	};
	struct sim_file *listener = sim_file(sim, op->sqe.fd);

	while (listener->connection) {
		struct sim_connection *first = listener->connection;
		int fd;

		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
			if (sim_chance(sim, faults[i].fault))
				return sim_finish(op, faults[i].error);
		if (sim_chance(sim, SIM_ACCEPT_ECONNABORTED)) {
			listener->connection = first->next;
			sim_abort(first);
			return sim_finish(op, -ECONNABORTED);
		}
		fd = sim_open(sim, SIM_STREAM);
		if (fd < 0)
			return sim_finish(op, fd);
		listener->connection = first->next;
		sim_file(sim, fd)->connection = first;
		sim_file(sim, fd)->address = first->local;
		first->accepted = true;
		if (!(op->sqe.ioprio & IORING_ACCEPT_MULTISHOT))
			return sim_finish(op, fd);
		if (sim_post_shot(op, fd, 0))
			return true;
	}
	return false;
}

/*
 * Data and a reset are one event to a poll that is armed after both, or whose wake-up is handled
 * after both: the receive runs once, and takes the data. What is still queued makes it run again; a
 * reset does not, and no event follows (Linux 6.12 to 6.18; later wake-ups: before a fix of 2026).
 */
static bool loses_reset(struct sim *sim, const struct sim_op *op, bool fresh)
{
	const struct sim_connection *connection = sim_file(sim, op->sqe.fd)->connection;

	if (fresh || !connection->broken || connection->in.count > 0 ||
	    op->sqe.msg_flags & MSG_DONTWAIT)
		return false;
	return sim_chance(sim, op->woken ? SIM_RESET_UNREPORTED_LATER : SIM_RESET_UNREPORTED_FIRST);
}

static bool try_receive(struct sim *sim, struct sim_op *op)
{
	struct sim_connection *connection = sim_file(sim, op->sqe.fd)->connection;
	const bool fresh = op->fresh, once = !(op->sqe.ioprio & IORING_RECV_MULTISHOT);

	if (sim_file(sim, op->sqe.fd)->kind != SIM_STREAM)
		return sim_finish(op, -ENOTSOCK);
	if (op->event_lost)
		return false;
	op->fresh = false;
	if (!connection->served)
		sim_excuse(connection, sim->now_ns);
	connection->served = true;
	for (;;) {
		struct sim_buffer *buffer = sim_first_buffer(op->sqe.buf_group);
		size_t bytes;
		int result;

		/* An empty group fails a new receive at once, even where no data waits. */
		if (!buffer && (fresh || connection->in.count > 0))
			return sim_finish(op, -ENOBUFS);
		if (connection->in.count > 0) {
			if (sim_chance(sim, SIM_NO_BUFFERS))
				return sim_finish(op, -ENOBUFS);
			if (sim_chance(sim, SIM_RECEIVE_ENOMEM)) {
				sim_excuse(connection, sim->now_ns + SIM_REST_NS);
				return sim_finish(op, -ENOMEM);
			}
			if (sim_chance(sim, SIM_RECEIVE_ECONNRESET)) {
				connection->broken_by_fault = true;
				sim_break(connection);
				return sim_finish(op, -ECONNRESET);
			}
		}
		bytes = buffer ? min_size(buffer->bytes, connection->in.count) : 0;
		if (once && op->sqe.len > 0)
			bytes = min_size(bytes, op->sqe.len);
		if (bytes > 1 && sim_chance(sim, SIM_SHORT_RECEIVE))
			bytes = 1 + sim_random(sim, (uint32_t)bytes - 1);
		else if (bytes > 1 && op->sqe.msg_flags & MSG_DONTWAIT && sim_random(sim, 2))
			bytes /= 2; /* the last input arrives in parts */
		result = sim_stream_receive(connection, buffer ? buffer->data : NULL, bytes);
		if (result == -EAGAIN && !(op->sqe.msg_flags & MSG_DONTWAIT))
			return false;
		if (result == -EAGAIN && buffer && sim_chance(sim, SIM_EAGAIN_BUFFER))
			return sim_finish_with_buffer(op, result);
		if (result <= 0)
			return sim_finish(op, result);
		if (once)
			return sim_finish_with_buffer(op, result);
		if (sim_post_shot(op, result, sim_take_buffer(op->sqe.buf_group)))
			return true;
		if (loses_reset(sim, op, fresh)) {
			op->event_lost = true;
			return false;
		}
		op->woken |= !fresh;
		if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_EARLY_EAGAIN))
			return sim_finish(op, -EAGAIN);
		/* The rest may be received only after the server has seen this. */
		if (sim_random(sim, 4) == 0)
			return false;
	}
}

static uint64_t mix(uint64_t sum, const uint8_t *data, size_t bytes)
{
	uint64_t word = bytes;

	for (; bytes >= 8; data += 8, bytes -= 8) {
		memcpy(&word, data, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 29;
	}
	while (bytes-- > 0)
		sum = (sum ^ *data++) * 0x9e3779b97f4a7c15;
	return sum;
}

uint64_t sim_digest(const struct io_uring_sqe *sqe, size_t *bytes)
{
	struct iovec one;
	const struct msghdr message = sqe_message(sqe, &one);
	uint64_t sum = mix(0, message.msg_name, message.msg_namelen);

	*bytes = 0;
	for (size_t i = 0; i < message.msg_iovlen; i++) {
		sum = mix(sum, message.msg_iov[i].iov_base, message.msg_iov[i].iov_len);
		*bytes += message.msg_iov[i].iov_len;
	}
	return sum;
}

/*
 * A send that does not fit. It waits for the socket by a poll, which reports the peer's FIN too: so
 * after one the poll ends at once, every time, and io-wq makes a worker that waits (io_uring.c).
 */
static bool wait_to_send(struct sim *sim, struct sim_op *op)
{
	if (op->in_thread || !sim_file(sim, op->sqe.fd)->connection->client_ended)
		return false;
	if (sim->settings.no_threads)
		return sim_finish(op, -ECANCELED);
	op->in_thread = true;
	sim->workers++;
	sim_trace(sim, "a worker of io-wq waits to send (fd %d)", op->sqe.fd);
	return false;
}

static bool try_send(struct sim *sim, struct sim_op *op)
{
	static const struct {
		enum sim_fault fault;
		int error;
	} faults[] = {
		{ SIM_SEND_EPIPE, -EPIPE },
		{ SIM_SEND_ECONNRESET, -ECONNRESET },
		{ SIM_SEND_ENOMEM, -ENOMEM },
		{ SIM_SEND_ENOBUFS, -ENOBUFS },
	};
	struct sim_connection *connection = sim_file(sim, op->sqe.fd)->connection;
	struct iovec one;
	const struct msghdr message = sqe_message(&op->sqe, &one);
	size_t bytes;
	int result;

	if (!op->fresh && sim_stream_is_full(connection))
		return wait_to_send(sim, op);
	if (sim_digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the data of a send in flight was changed (fd %d)", op->sqe.fd);
	if (op->fresh)
		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
			if (sim_chance(sim, faults[i].fault)) {
				sim_excuse(connection, sim->now_ns + SIM_REST_NS);
				if (i < 2) {
					connection->broken_by_fault = true;
					sim_break(connection);
				}
				return sim_finish(op, faults[i].error);
			}
	op->fresh = false;
	if (bytes > 1 && sim_chance(sim, SIM_SHORT_SEND))
		bytes = 1 + sim_random(sim, (uint32_t)bytes - 1);
	result = sim_stream_send(connection, message.msg_iov, message.msg_iovlen, bytes);
	if (result == -EAGAIN && !(op->sqe.msg_flags & MSG_DONTWAIT))
		return wait_to_send(sim, op);
	return sim_finish(op, result);
}

/*
 * As tcp_poll(): writable when a third of the buffer is free. POLLRDHUP is reported, asked for or
 * not (io_uring/poll.c, IO_POLL_UNMASK). A multishot poll reports events, not the state.
 */
static bool try_poll(struct sim *sim, struct sim_op *op)
{
	const struct sim_connection *connection = sim_file(sim, op->sqe.fd)->connection;
	const bool many = op->sqe.len & IORING_POLL_ADD_MULTI, fresh = op->fresh;
	bool writable;
	int events;

	if (sim_file(sim, op->sqe.fd)->kind != SIM_STREAM)
		return sim_finish(op, POLLNVAL);
	if (connection->broken)
		return sim_finish(op, POLLOUT | POLLERR | POLLHUP);
	writable =
		3 * (connection->out.capacity - connection->out.count) >= connection->out.capacity;
	events = (writable ? POLLOUT : 0) | (connection->client_ended ? POLLRDHUP : 0);
	op->fresh = false;
	if (!many)
		return events ? sim_finish(op, events) : false;
	if (events && (fresh || (writable && !op->polled_out))) {
		op->polled_out = writable;
		return sim_post_shot(op, events, 0);
	}
	op->polled_out = writable;
	return false;
}

static bool try_read(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	void *to = (void *)(uintptr_t)op->sqe.addr;

	if (file->kind == SIM_PIPE) {
		int result = sim_stream_receive(file->connection, to, op->sqe.len);

		return result == -EAGAIN ? false : sim_finish(op, result);
	}
	if (file->event == 0)
		return false;
	memcpy(to, &file->event, sizeof(file->event));
	file->event = 0;
	return sim_finish(op, sizeof(file->event));
}

static bool try_write(struct sim *sim, struct sim_op *op)
{
	const struct iovec piece = { (void *)(uintptr_t)op->sqe.addr, op->sqe.len };
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	int result;

	if (file->kind != SIM_PIPE)
		sim_fail(sim, "a write to descriptor %d is not simulated", op->sqe.fd);
	result = sim_stream_send(file->connection, &piece, 1, piece.iov_len);
	return result == -EAGAIN ? false : sim_finish(op, result);
}

static bool is_in_use(const struct ring *ring, int fd, const struct sim_op *except)
{
	for (unsigned i = 0; i < ring->ops_end; i++)
		if (ring->ops[i].used && &ring->ops[i] != except && ring->ops[i].sqe.fd == fd &&
		    ring->ops[i].sqe.opcode != IORING_OP_ASYNC_CANCEL)
			return true;
	return false;
}

static bool try_close(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);

	file->closed = is_in_use(sim->ring, op->sqe.fd, op);
	if (file->closed && !sim->settings.tolerant)
		sim_fail(sim, "descriptor %d is closed with an operation in flight", op->sqe.fd);
	if (sim_lacks_shutdown(file) && !sim->settings.tolerant)
		sim_fail(sim,
			 "descriptor %d is closed, but was not shut down, or has unread output",
			 op->sqe.fd);
	if (!file->closed)
		sim_close_file(sim, op->sqe.fd);
	return sim_finish(op, 0);
}

void sim_close_released(struct sim *sim)
{
	for (int fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].closed && !is_in_use(sim->ring, fd, NULL))
			sim_close_file(sim, fd);
}

static bool try_operation(struct sim *sim, struct sim_op *op)
{
	char text[DESCRIBE_BYTES];

	if (op->sqe.opcode >= IORING_OP_LAST)
		return sim_finish(op, -EINVAL);
	switch (op->sqe.opcode) {
	case IORING_OP_NOP:
		return sim_finish(op, 0);
	case IORING_OP_ACCEPT:
		return try_accept(sim, op);
	case IORING_OP_RECV:
		return try_receive(sim, op);
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		if (sim_file(sim, op->sqe.fd)->kind == SIM_DATAGRAMS)
			return sim_try_send_datagram(sim, op);
		return try_send(sim, op);
	case IORING_OP_POLL_ADD:
		return try_poll(sim, op);
	case IORING_OP_RECVMSG:
		return sim_try_receive_datagrams(sim, op);
	case IORING_OP_READ:
		return try_read(sim, op);
	case IORING_OP_WRITE:
		return try_write(sim, op);
	case IORING_OP_CLOSE:
		return try_close(sim, op);
	case IORING_OP_ASYNC_CANCEL:
		return sim_try_cancel(sim, op);
	default:
		sim_fail(sim, "opcode %u is not simulated: %s", op->sqe.opcode,
			 describe_op(op->sqe.user_data, text));
	}
}

bool sim_try(struct sim *sim, struct sim_op *op)
{
	if (!op->cancelled)
		return try_operation(sim, op);
	return (op->running && try_operation(sim, op)) || sim_end_cancelled(sim, op);
}
