/* SPDX-License-Identifier: MIT */
/*
 * scripted_server.h - the whole server on a scripted kernel, turn by turn. For exactly one file of
 * a test.
 */
#ifndef UNIT_SCRIPTED_SERVER_H
#define UNIT_SCRIPTED_SERVER_H

#include <poll.h>

#include "unit/scripted_kernel.h"

#include "server/server.h"
#include "udp/endpoint.h"

static struct rollcall_server *server;
static struct rollcall_options options;
static struct rollcall_service service;

/* Set-up of cmocka: small defaults, a silent service, and no server yet. */
static inline int scripted_begin(void **state)
{
	(void)state;
	kernel_begin();
	rollcall_options_defaults(&options);
	options.tcp_clients_max = options.udp_clients_max = 4096;
	options.log_level = ROLLCALL_LOG_ERROR;
	service = (struct rollcall_service){ .size = sizeof(service),
					     .framing = ROLLCALL_FRAMING_LINES };
	server = NULL;
	return 0;
}

/* Whatever a test did, the server can end, and then nothing is in flight and nothing open. */
static inline int scripted_end(void **state)
{
	(void)state;
	kernel.kind = true;
	kernel.sqes_left = UINT32_MAX;
	rollcall_destroy(server);
	server = NULL;
	assert_int_equal(kernel.started_count, 0);
	assert_int_equal(count_open_files(), 0);
	return 0;
}

static inline void create(void)
{
	assert_int_equal(rollcall_create(&server, &options), 0);
}

static inline int listen_on(const char *text)
{
	return rollcall_listen(server, text, &service, NULL);
}

/* Starts what is due, takes what the test has completed, and starts what is due then. */
static inline void turn(void)
{
	server_flush(server);
	assert_int_equal(server_turn(server, 0), 0);
	server_flush(server);
}

/* A server with a TCP listener that accepts. */
static inline void create_and_listen(void)
{
	create();
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), 0);
	turn();
}

#define MILLISECOND_NS 1000000ull

/* Time passes, and what is due then is done. */
static inline void pass(uint64_t ms)
{
	kernel.now_ns += ms * MILLISECOND_NS;
	turn();
}

/* Time passes in small steps, as a long one is a stall of the process. */
static inline void pass_in_steps(uint64_t ms)
{
	for (; ms > 100; ms -= 100)
		pass(100);
	pass(ms);
}

/* A received() of services that send back what they receive. */
static inline void send_back(struct rollcall_server *of, rollcall_client client, const void *data,
			     size_t bytes, void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static inline struct rollcall_stats stats_now(void)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };

	assert_int_equal(rollcall_get_stats(server, &stats), 0);
	return stats;
}

/* The memory of the buffer that the kernel fills next. */
static inline uint8_t *next_buffer(uint16_t group)
{
	return buffers_data(&server->hub.buffers[group],
			    fake_groups[group].ids[fake_groups[group].first]);
}

/* Completes a receive with `bytes` bytes in that buffer. */
static inline void complete_with_buffer_flags(struct io_uring_sqe *sqe, uint16_t group,
					      size_t bytes, uint32_t flags)
{
	struct fake_group *from = &fake_groups[group];
	const uint32_t id = from->ids[from->first];

	assert_in_range(from->count, 1, from->entries);
	from->first = (from->first + 1) % FAKE_BUFFERS_MAX;
	from->count--;
	complete(sqe, (int)bytes, flags | IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT);
}

/* It stays in flight. */
static inline void complete_with_buffer(struct io_uring_sqe *sqe, uint16_t group, size_t bytes)
{
	complete_with_buffer_flags(sqe, group, bytes, IORING_CQE_F_MORE);
}

/* ---- TCP ---- */

/* A new client of the only listener. */
static inline int accept_client(void)
{
	int fd = kernel_open();

	complete(started(IORING_OP_ACCEPT, -1), fd, IORING_CQE_F_MORE);
	turn();
	return fd;
}

static inline void receive(int fd, const void *data, size_t bytes)
{
	memcpy(next_buffer(BUFFERS_TCP), data, bytes);
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, bytes);
	turn();
}

/* The socket of a client was full, and takes output again. */
static inline void take_output(int fd)
{
	complete(started(IORING_OP_POLL_ADD, fd), POLLOUT, 0);
	turn();
}

/* ---- UDP ---- */

/* A datagram as the kernel lays it out; from and control may be what it would never send. */
struct datagram_in {
	unsigned endpoint; /* its index */
	struct address from;
	const void *control;
	size_t control_bytes;
	unsigned flags;
	const void *data;
	size_t bytes;
};

/* IORING_CQE_F_MORE in the flags: more may come. */
static inline void receive_datagram_flags(const struct datagram_in *in, uint32_t flags)
{
	struct io_uring_sqe *sqe =
		started(IORING_OP_RECVMSG, server->udp.endpoints[in->endpoint]->fd);
	const struct msghdr *layout = (const struct msghdr *)(uintptr_t)sqe->addr;
	const struct io_uring_recvmsg_out out = {
		.namelen = in->from.bytes,
		.controllen = (uint32_t)in->control_bytes,
		.payloadlen = (uint32_t)in->bytes,
		.flags = in->flags,
	};
	uint8_t *buffer = next_buffer(BUFFERS_UDP);
	uint8_t *name = buffer + sizeof(out);
	uint8_t *control = name + layout->msg_namelen;
	uint8_t *data = control + layout->msg_controllen;

	assert_in_range(in->control_bytes, 0, layout->msg_controllen);
	memcpy(buffer, &out, sizeof(out));
	memcpy(name, &in->from.any, min_size(in->from.bytes, layout->msg_namelen));
	if (in->control_bytes > 0)
		memcpy(control, in->control, in->control_bytes);
	memcpy(data, in->data, in->bytes);
	complete_with_buffer_flags(sqe, BUFFERS_UDP, (size_t)(data + in->bytes - buffer), flags);
	turn();
}

static inline void receive_datagram(const struct datagram_in *in)
{
	receive_datagram_flags(in, IORING_CQE_F_MORE);
}

#define SCRIPTED_TEST(test) cmocka_unit_test_setup_teardown(test, scripted_begin, scripted_end)

#endif
