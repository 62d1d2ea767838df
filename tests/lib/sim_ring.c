/* SPDX-License-Identifier: MIT */
/*
 * sim_ring.c - the simulated ring: it carries SQEs out, and posts CQEs, with the kernel's meanings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* Completions come in each turn at the latest after so long: a turn costs some time. */
#define TURN_NS_MAX 20000

/* Of a buffer that is given back: enough to be noticed. */
#define SPOILT_BYTES 128

/* The largest datagrams of IPv4 and of IPv6. */
#define UDP4_BYTES_MAX 65507
#define UDP6_BYTES_MAX 65527

/* Turns in a row in which every completion is an error, and nothing else happens. */
#define FRUITLESS_MAX 200

int ring_create(struct ring **out, unsigned sq_entries, unsigned cq_entries)
{
	struct sim *sim = sim_current;
	struct ring *ring;

	CHECK(sim && !sim->ring);
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
	for (unsigned i = 0; i < ring->ops_end; i++)
		if (ring->ops[i].used)
			sim_fail(sim_current,
				 "the ring is destroyed with an operation in flight: %llx",
				 (unsigned long long)ring->ops[i].sqe.user_data);
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

static void post(struct ring *ring, uint64_t user_data, int result, uint32_t flags)
{
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = result, .flags = flags };

	sim_trace(sim_current, "  cqe kind %llu id %llu: %d%s",
		  (unsigned long long)(user_data >> 56),
		  (unsigned long long)(user_data & (((uint64_t)1 << 56) - 1)), result,
		  flags & IORING_CQE_F_MORE ? " more" : "");
	sim_current->progress |= result >= 0;
	if (cq_is_full(ring)) {
		sim_current->fired[SIM_CQ_OVERFLOW]++;
		CHECK(ring->overflow_count < SIM_OVERFLOW_MAX);
		ring->overflow[ring->overflow_count++] = cqe;
		return;
	}
	ring->cqes[(ring->cq_head + ring->cq_count++) % ring->cq_entries] = cqe;
}

static void flush_overflow(struct ring *ring)
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
	ring->cq_head = (ring->cq_head + 1) % ring->cq_entries;
	ring->cq_count--;
	return true;
}

/* Ends an operation. */
static bool finish(struct sim_op *op, int result)
{
	op->used = false;
	post(sim_current->ring, op->sqe.user_data, result, 0);
	return true;
}

/*
 * One result of a multishot. A full CQ ends it, and chance may too. Returns whether it has ended.
 */
static bool post_shot(struct sim_op *op, int result, uint32_t flags)
{
	bool end = cq_is_full(sim_current->ring) || sim_chance(sim_current, SIM_MULTISHOT_END);

	op->used = !end;
	post(sim_current->ring, op->sqe.user_data, result, flags | (end ? 0 : IORING_CQE_F_MORE));
	return end;
}

/* ---- Buffers ---- */

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct sim_group *to = &ring->groups[group];

	CHECK(group < RING_GROUPS_MAX && !to->buffers);
	sim_leave_server(sim_current);
	to->buffers = calloc(entries, sizeof(*to->buffers));
	to->given = calloc(entries, sizeof(*to->given));
	CHECK(to->buffers && to->given);
	sim_enter_server(sim_current);
	to->entries = entries;
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	free(ring->groups[group].buffers);
	free(ring->groups[group].given);
	ring->groups[group] = (struct sim_group){ 0 };
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct sim_group *to = &ring->groups[group];

	if (id >= to->entries || to->given[id])
		sim_fail(sim_current, "buffer %u of group %u is given twice", id, group);
	to->given[id] = true;
	/* Whoever still reads it gets something else. */
	memset(buffer, 0xdb, min_size(bytes, SPOILT_BYTES));
	to->buffers[(to->head + to->count++) % to->entries] =
		(struct sim_buffer){ .data = buffer, .bytes = bytes, .id = id };
}

static struct sim_buffer *first_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];

	return from->count ? &from->buffers[from->head] : NULL;
}

static uint32_t take_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];
	uint16_t id = from->buffers[from->head].id;

	from->given[id] = false;
	from->head = (from->head + 1) % from->entries;
	from->count--;
	return IORING_CQE_F_BUFFER | (uint32_t)id << IORING_CQE_BUFFER_SHIFT;
}

static bool finish_with_buffer(struct sim_op *op, int result)
{
	op->used = false;
	post(sim_current->ring, op->sqe.user_data, result, take_buffer(op->sqe.buf_group));
	return true;
}

/* ---- Operations: each try returns whether it has ended ---- */

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
				return finish(op, faults[i].error);
		if (sim_chance(sim, SIM_ACCEPT_ECONNABORTED)) {
			listener->connection = first->next;
			sim_abort(first);
			return finish(op, -ECONNABORTED);
		}
		fd = sim_open(sim, SIM_STREAM);
		if (fd < 0)
			return finish(op, fd);
		listener->connection = first->next;
		sim_file(sim, fd)->connection = first;
		sim_file(sim, fd)->address = first->local;
		first->accepted = true;
		if (!(op->sqe.ioprio & IORING_ACCEPT_MULTISHOT))
			return finish(op, fd);
		if (post_shot(op, fd, 0))
			return true;
	}
	return false;
}

static bool try_receive(struct sim *sim, struct sim_op *op)
{
	struct sim_connection *connection = sim_file(sim, op->sqe.fd)->connection;
	const bool fresh = op->fresh;

	if (sim_file(sim, op->sqe.fd)->kind != SIM_STREAM)
		return finish(op, -ENOTSOCK);
	op->fresh = false;
	for (;;) {
		struct sim_buffer *buffer = first_buffer(op->sqe.buf_group);
		size_t bytes;
		int result;

		/* An empty group fails a new receive at once, even where no data waits. */
		if (!buffer && (fresh || connection->in.count > 0))
			return finish(op, -ENOBUFS);
		if (connection->in.count > 0) {
			if (sim_chance(sim, SIM_NO_BUFFERS))
				return finish(op, -ENOBUFS);
			if (sim_chance(sim, SIM_RECEIVE_ENOMEM))
				return finish(op, -ENOMEM);
			if (sim_chance(sim, SIM_RECEIVE_ECONNRESET)) {
				connection->broken_by_fault = true;
				sim_break(connection);
				return finish(op, -ECONNRESET);
			}
		}
		bytes = buffer ? min_size(buffer->bytes, connection->in.count) : 0;
		if (bytes > 1 && sim_chance(sim, SIM_SHORT_RECEIVE))
			bytes = 1 + sim_random(sim, (uint32_t)bytes - 1);
		else if (bytes > 1 && op->sqe.msg_flags & MSG_DONTWAIT && sim_random(sim, 2))
			bytes /= 2; /* the last input comes in parts */
		result = sim_stream_receive(connection, buffer ? buffer->data : NULL, bytes);
		if (result == -EAGAIN && !(op->sqe.msg_flags & MSG_DONTWAIT))
			return false;
		if (result == -EAGAIN && buffer && sim_chance(sim, SIM_EAGAIN_BUFFER))
			return finish_with_buffer(op, result);
		if (result <= 0)
			return finish(op, result);
		if (post_shot(op, result, take_buffer(op->sqe.buf_group)))
			return true;
		if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_EARLY_EAGAIN))
			return finish(op, -EAGAIN);
		/* The rest may be received only after the server has seen this. */
		if (sim_random(sim, 4) == 0)
			return false;
	}
}

static size_t send_pieces(const struct io_uring_sqe *sqe, struct iovec *one,
			  const struct iovec **pieces)
{
	if (sqe->opcode == IORING_OP_SENDMSG) {
		const struct msghdr *message = (const void *)(uintptr_t)sqe->addr;

		*pieces = message->msg_iov;
		return message->msg_iovlen;
	}
	*one = (struct iovec){ (void *)(uintptr_t)sqe->addr, sqe->len };
	*pieces = one;
	return 1;
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

/* What a send will read, so that a change before it is done is noticed. */
static uint64_t digest(const struct io_uring_sqe *sqe, size_t *bytes)
{
	const struct iovec *pieces;
	struct iovec one;
	size_t count = send_pieces(sqe, &one, &pieces);
	uint64_t sum = 0;

	*bytes = 0;
	for (size_t i = 0; i < count; i++) {
		sum = mix(sum, pieces[i].iov_base, pieces[i].iov_len);
		*bytes += pieces[i].iov_len;
	}
	return sum;
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
	const struct iovec *pieces;
	struct iovec one;
	size_t count = send_pieces(&op->sqe, &one, &pieces), bytes;
	int result;

	if (!op->fresh && sim_stream_is_full(connection))
		return false;
	if (digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "what is being sent was changed (fd %d)", op->sqe.fd);
	if (op->fresh)
		for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
			if (sim_chance(sim, faults[i].fault)) {
				if (i < 2) {
					connection->broken_by_fault = true;
					sim_break(connection);
				}
				return finish(op, faults[i].error);
			}
	op->fresh = false;
	if (bytes > 1 && sim_chance(sim, SIM_SHORT_SEND))
		bytes = 1 + sim_random(sim, (uint32_t)bytes - 1);
	result = sim_stream_send(connection, pieces, count, bytes);
	if (result == -EAGAIN && !(op->sqe.msg_flags & MSG_DONTWAIT))
		return false;
	return finish(op, result);
}

/* Where the server says the datagram leaves from; else the socket's own address. */
static struct address source_of(const struct sim_file *file, const struct msghdr *message)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	struct address from = file->address;

	/* The way to all that are here begins at the loopback address. */
	if (address_is_wildcard(&from) && from.any.sa_family == AF_INET)
		from.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (address_is_wildcard(&from))
		from.v6.sin6_addr = in6addr_loopback;
	if (header && header->cmsg_level == IPPROTO_IP)
		memcpy(&from.v4.sin_addr,
		       CMSG_DATA(header) + offsetof(struct in_pktinfo, ipi_spec_dst), 4);
	else if (header)
		memcpy(&from.v6.sin6_addr, CMSG_DATA(header), 16);
	return from;
}

static bool try_send_datagram(struct sim *sim, struct sim_op *op)
{
	const struct msghdr *message = (const void *)(uintptr_t)op->sqe.addr;
	struct address from = source_of(sim_file(sim, op->sqe.fd), message), to = { 0 };
	size_t bytes;

	if (digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "the datagram being sent was changed");
	if (bytes > (from.any.sa_family == AF_INET ? UDP4_BYTES_MAX : UDP6_BYTES_MAX))
		return finish(op, -EMSGSIZE);
	if (sim_chance(sim, SIM_UDP_SEND_ERROR))
		return finish(op, -ENOBUFS);
	memcpy(&to.any, message->msg_name, message->msg_namelen);
	to.bytes = message->msg_namelen;
	sim_transmit(sim, &from, &to, message->msg_iov, message->msg_iovlen);
	return finish(op, (int)bytes);
}

/* On a wildcard address, the address that was asked; returns the bytes of control data. */
static size_t lay_out_control(const struct sim_file *file, const struct sim_datagram *datagram,
			      struct cmsghdr *header)
{
	const struct in6_pktinfo info6 = { .ipi6_addr = datagram->to.v6.sin6_addr };
	const struct in_pktinfo info = { .ipi_spec_dst = datagram->to.v4.sin_addr,
					 .ipi_addr = datagram->to.v4.sin_addr };

	if (!address_is_wildcard(&file->address))
		return 0;
	if (file->address.any.sa_family == AF_INET) {
		*header = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		return CMSG_SPACE(sizeof(info));
	}
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(info6)), IPPROTO_IPV6, IPV6_PKTINFO };
	memcpy(CMSG_DATA(header), &info6, sizeof(info6));
	return CMSG_SPACE(sizeof(info6));
}

static size_t head_bytes(const struct msghdr *layout)
{
	return sizeof(struct io_uring_recvmsg_out) + layout->msg_namelen + layout->msg_controllen;
}

/* Lays a datagram out as io_uring does (Linux 6.0); returns the result of the completion. */
static int lay_out(const struct sim_file *file, const struct sim_datagram *datagram,
		   const struct msghdr *layout, struct sim_buffer *buffer, bool truncate)
{
	const size_t head = head_bytes(layout);
	const size_t bytes = min_size(datagram->bytes, buffer->bytes - head);
	struct io_uring_recvmsg_out *out = (void *)buffer->data;
	uint8_t *at = buffer->data + sizeof(*out);

	memset(buffer->data, 0, head);
	out->namelen = datagram->from.bytes;
	out->payloadlen = (uint32_t)datagram->bytes;
	out->flags = truncate || bytes < datagram->bytes ? MSG_TRUNC : 0;
	memcpy(at, &datagram->from.any, datagram->from.bytes);
	at += layout->msg_namelen;
	if (layout->msg_controllen > 0)
		out->controllen = (uint32_t)lay_out_control(file, datagram, (void *)at);
	memcpy(buffer->data + head, datagram->data, bytes);
	return (int)(head + bytes);
}

static bool try_receive_datagrams(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	const struct msghdr *layout = (const void *)(uintptr_t)op->sqe.addr;
	const struct sim_buffer *next = first_buffer(op->sqe.buf_group);

	if (!next && op->fresh)
		return finish(op, -ENOBUFS);
	if (next && next->bytes < head_bytes(layout))
		return finish(op, -EFAULT);
	op->fresh = false;
	while (file->datagrams) {
		struct sim_datagram *first = file->datagrams;
		struct sim_buffer *buffer = first_buffer(op->sqe.buf_group);
		bool last = first->bytes == 0;
		int result;

		if (!buffer || sim_chance(sim, SIM_NO_BUFFERS))
			return finish(op, -ENOBUFS);
		if (sim_chance(sim, SIM_UDP_RECEIVE_ERROR))
			return finish(op, -ENOMEM);
		result = lay_out(file, first, layout, buffer, sim_chance(sim, SIM_UDP_TRUNCATE));
		file->datagrams = first->next;
		free(first);
		if (last) {
			/* A datagram of length zero ends the multishot. */
			return finish_with_buffer(op, result);
		}
		if (post_shot(op, result, take_buffer(op->sqe.buf_group)))
			return true;
		if (op->sqe.msg_flags & MSG_DONTWAIT && sim_chance(sim, SIM_EARLY_EAGAIN))
			return finish(op, -EAGAIN);
	}
	return op->sqe.msg_flags & MSG_DONTWAIT ? finish(op, -EAGAIN) : false;
}

static bool try_read(struct sim *sim, struct sim_op *op)
{
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	void *to = (void *)(uintptr_t)op->sqe.addr;

	if (file->kind == SIM_PIPE) {
		int result = sim_stream_receive(file->connection, to, op->sqe.len);

		return result == -EAGAIN ? false : finish(op, result);
	}
	if (file->event == 0)
		return false;
	memcpy(to, &file->event, sizeof(file->event));
	file->event = 0;
	return finish(op, sizeof(file->event));
}

static bool try_write(struct sim *sim, struct sim_op *op)
{
	const struct iovec piece = { (void *)(uintptr_t)op->sqe.addr, op->sqe.len };
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	int result;

	if (file->kind != SIM_PIPE)
		sim_fail(sim, "a write to descriptor %d is not simulated", op->sqe.fd);
	result = sim_stream_send(file->connection, &piece, 1, piece.iov_len);
	return result == -EAGAIN ? false : finish(op, result);
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
	if (sim_ends_rudely(file) && !sim->settings.tolerant)
		sim_fail(sim, "descriptor %d is closed, but was never shut down", op->sqe.fd);
	if (!file->closed)
		sim_close_file(sim, op->sqe.fd);
	return finish(op, 0);
}

/* What was closed under an operation is open until that ends (Linux). */
static void close_released(struct sim *sim)
{
	for (int fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].closed && !is_in_use(sim->ring, fd, NULL))
			sim_close_file(sim, fd);
}

static bool is_match(const struct sim_op *op, const struct io_uring_sqe *cancel)
{
	if (!op->used || op->sqe.opcode == IORING_OP_ASYNC_CANCEL || op->cancelled)
		return false;
	return cancel->cancel_flags & IORING_ASYNC_CANCEL_FD ? op->sqe.fd == cancel->fd
							     : op->sqe.user_data == cancel->addr;
}

static bool try_cancel(struct sim *sim, struct sim_op *cancel)
{
	struct ring *ring = sim->ring;
	const bool all = cancel->sqe.cancel_flags & IORING_ASYNC_CANCEL_ALL;
	int found = 0;

	for (unsigned i = 0; i < ring->ops_end && (all || found == 0); i++) {
		struct sim_op *op = &ring->ops[i];

		if (!is_match(op, &cancel->sqe))
			continue;
		op->cancelled = true;
		found++;
		if (sim_chance(sim, SIM_CANCEL_LATE)) {
			/* It is just running: it ends by itself, some time later. */
			op->not_before_ns = sim->now_ns + sim_random(sim, 1000000);
			if (!all)
				return finish(cancel, -EALREADY);
		}
	}
	if (found == 0)
		return finish(cancel, -ENOENT);
	return finish(cancel, all ? found : 0);
}

static bool end_cancelled(struct sim *sim, struct sim_op *op)
{
	const bool sends = op->sqe.opcode == IORING_OP_SEND || op->sqe.opcode == IORING_OP_SENDMSG;
	size_t bytes;

	/* Until now the kernel may have read it. */
	if (sends && digest(&op->sqe, &bytes) != op->digest)
		sim_fail(sim, "what was being sent was changed (fd %d)", op->sqe.fd);
	return finish(op, -ECANCELED);
}

static bool try_one(struct sim *sim, struct sim_op *op)
{
	if (op->cancelled)
		return end_cancelled(sim, op);
	if (op->sqe.opcode >= IORING_OP_LAST)
		return finish(op, -EINVAL);
	switch (op->sqe.opcode) {
	case IORING_OP_NOP:
		return finish(op, 0);
	case IORING_OP_ACCEPT:
		return try_accept(sim, op);
	case IORING_OP_RECV:
		return try_receive(sim, op);
	case IORING_OP_SENDMSG:
		if (sim_file(sim, op->sqe.fd)->kind == SIM_DATAGRAMS)
			return try_send_datagram(sim, op);
		return try_send(sim, op);
	case IORING_OP_SEND:
		return try_send(sim, op);
	case IORING_OP_RECVMSG:
		return try_receive_datagrams(sim, op);
	case IORING_OP_READ:
		return try_read(sim, op);
	case IORING_OP_WRITE:
		return try_write(sim, op);
	case IORING_OP_CLOSE:
		return try_close(sim, op);
	case IORING_OP_ASYNC_CANCEL:
		return try_cancel(sim, op);
	default:
		sim_fail(sim, "opcode %u is not simulated", op->sqe.opcode);
	}
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

/* After most errors a connection is no more; a descriptor is closed, whatever close says. */
static void fail_on_purpose(struct sim *sim, struct sim_op *op)
{
	const int error = sim->settings.failure.error;
	struct sim_file *file = sim_file(sim, op->sqe.fd);
	const bool passing =
		error == EINTR || error == EAGAIN || error == ENOBUFS || error == ENOMEM;

	if (op->sqe.opcode == IORING_OP_CLOSE) {
		sim_close_file(sim, op->sqe.fd);
	} else if (file->kind == SIM_STREAM && !passing) {
		file->connection->broken_by_fault = true;
		sim_break(file->connection);
	}
	finish(op, -error);
}

static void submit(struct sim *sim)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->sq_count; i++) {
		struct sim_op *op = new_op(sim);
		const struct io_uring_sqe *sqe = &ring->sqes[i];
		size_t bytes;

		*op = (struct sim_op){ .sqe = *sqe, .used = true, .fresh = true };
		sim_trace(sim, "  sqe op %u kind %llu id %llu fd %d", sqe->opcode,
			  (unsigned long long)(sqe->user_data >> 56),
			  (unsigned long long)(sqe->user_data & (((uint64_t)1 << 56) - 1)),
			  sqe->fd);
		if (sqe->opcode == IORING_OP_SEND || sqe->opcode == IORING_OP_SENDMSG)
			op->digest = digest(sqe, &bytes);
		if (sim_fails(sim, sqe->opcode))
			fail_on_purpose(sim, op);
		else if (sim_chance(sim, SIM_LATE))
			op->not_before_ns = sim->now_ns + sim_random(sim, 5000000);
		else
			try_one(sim, op);
	}
	ring->sq_count = 0;
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe;

	/* As if the queue were full, and the kernel took nothing from it. */
	if (sim_chance(sim_current, SIM_SQ_FULL))
		return NULL;
	if (ring->sq_count == ring->sq_entries)
		submit(sim_current);
	sqe = &ring->sqes[ring->sq_count++];
	memset(sqe, 0xee, sizeof(*sqe));
	return sqe;
}

/* ---- Waiting ---- */

/* Tries all operations that may go on, from a random one on; returns when to try others. */
static uint64_t try_all(struct sim *sim)
{
	struct ring *ring = sim->ring;
	const unsigned start = ring->ops_end ? sim_random(sim, ring->ops_end) : 0;
	uint64_t next_ns = SIM_NEVER;

	for (unsigned i = 0; i < ring->ops_end; i++) {
		struct sim_op *op = &ring->ops[(start + i) % ring->ops_end];

		if (!op->used)
			continue;
		if (op->not_before_ns > sim->now_ns)
			next_ns = op->not_before_ns < next_ns ? op->not_before_ns : next_ns;
		else
			try_one(sim, op);
	}
	if (sim->settings.tolerant)
		close_released(sim);
	return next_ns;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Lets time pass and the world act until there is a completion, or it is late enough. */
static void wait_until(struct sim *sim, uint64_t deadline_ns)
{
	for (;;) {
		uint64_t next_ns = sim->world(sim->context);

		next_ns = earliest(next_ns, sim_deliver(sim));
		next_ns = earliest(next_ns, try_all(sim));
		if (sim->ring->cq_count > 0 || sim->now_ns >= deadline_ns)
			return;
		next_ns = earliest(next_ns, deadline_ns);
		if (next_ns == SIM_NEVER)
			sim_fail(sim, "the server waits for ever, and nothing will ever come");
		if (next_ns > sim->now_ns)
			sim->now_ns = next_ns;
		sim->progress = true;
	}
}

/* A server that turns on and on, and gets nothing but errors, spins. */
static void check_progress(struct sim *sim)
{
	sim->fruitless = sim->progress ? 0 : sim->fruitless + 1;
	sim->progress = false;
	if (sim->fruitless > FRUITLESS_MAX)
		sim_fail(sim, "the server spins: %u turns without progress", sim->fruitless);
}

static void enter(struct sim *sim, uint64_t wait_ns)
{
	struct ring *ring = sim->ring;
	uint64_t deadline_ns = SIM_NEVER;

	sim_trace(sim, "turn at %llu us", (unsigned long long)(sim->now_ns / 1000));
	check_progress(sim);
	sim->now_ns += 1 + sim_random(sim, TURN_NS_MAX);
	flush_overflow(ring);
	if (sim_chance(sim, SIM_ENTER_EBUSY) || sim_chance(sim, SIM_ENTER_EAGAIN))
		return;
	submit(sim);
	if (sim_chance(sim, SIM_ENTER_EINTR))
		return;
	if (wait_ns < SIM_NEVER - sim->now_ns) {
		deadline_ns = sim->now_ns + wait_ns;
		if (sim_chance(sim, SIM_TIMEOUT_LATE))
			deadline_ns += sim_random(sim, 1000000);
	}
	wait_until(sim, deadline_ns);
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	CHECK(ring == sim_current->ring);
	sim_leave_server(sim_current);
	enter(sim_current, wait_ns);
	sim_enter_server(sim_current);
	return 0;
}

uint64_t ring_clock_ns(struct ring *ring)
{
	(void)ring;
	return sim_current->now_ns;
}

void ring_pause(uint64_t ns)
{
	sim_current->now_ns += ns;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = (uint8_t)sim_random(sim_current, 256);
}
