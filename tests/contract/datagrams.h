/* SPDX-License-Identifier: MIT */
/*
 * datagrams.h - a bound socket, a multishot recvmsg on it, and what arrives. For exactly one file
 * of a test.
 */
#ifndef CONTRACT_DATAGRAMS_H
#define CONTRACT_DATAGRAMS_H

#include "contract/contract.h"

#define RECEIVE 1
#define SEND 2

#define NAME_BYTES 32
/* The destination address, and the segment size of a GRO batch. */
#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

/* What the kernel lays each datagram out by; it has to stay while the receive goes on. */
static struct msghdr layout;
static struct address address;
static int fd;

static inline struct address address_of(const char *host, uint16_t port)
{
	struct address addresses[2];

	assert_int_equal(socket_resolve(ring, host, port, addresses, 2), 1);
	return addresses[0];
}

static inline void bind_with_buffers(const char *host, const struct socket_buffers *sizes)
{
	address = address_of(host, 0);
	fd = socket_bind_udp(ring, &address, sizes);
	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(socket_local_address(ring, fd, &address), 0);
}

static inline void bind_to(const char *host)
{
	bind_with_buffers(host, &as_it_likes);
}

static inline int set_up(void **state)
{
	layout = (struct msghdr){ .msg_namelen = NAME_BYTES, .msg_controllen = CONTROL_BYTES };
	fd = -1;
	return contract_begin(state);
}

static inline int tear_down(void **state)
{
	if (fd >= 0)
		close_fd(fd);
	return contract_end(state);
}

static inline void start(int flags)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_recvmsg_multishot(sqe, fd, &layout, (unsigned)flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	sqe->user_data = RECEIVE;
}

static inline void end_receive(void)
{
	assert_int_equal(cancel(RECEIVE), 0);
	assert_int_equal(completion_of(RECEIVE).res, -ECANCELED);
}

/* A datagram that has arrived, copied out of its buffer. */
struct arrival {
	uint8_t buffer[BUFFER_BYTES];
	struct io_uring_recvmsg_out *out;
	uint8_t *payload;
	size_t bytes;
	struct address from;
	bool more;
};

static inline void take_arrival(struct completion received, struct arrival *arrival)
{
	int bytes = (int)take_bytes(&received, arrival->buffer);

	arrival->more = received.flags & IORING_CQE_F_MORE;
	arrival->out = io_uring_recvmsg_validate(arrival->buffer, bytes, &layout);
	assert_non_null(arrival->out);
	arrival->payload = io_uring_recvmsg_payload(arrival->out, &layout);
	arrival->bytes = io_uring_recvmsg_payload_length(arrival->out, bytes, &layout);
	arrival->from.bytes = arrival->out->namelen;
	assert_in_range(arrival->from.bytes, 1, sizeof(arrival->from.v6));
	memcpy(&arrival->from.any, io_uring_recvmsg_name(arrival->out), arrival->from.bytes);
}

static inline void receive(struct arrival *arrival)
{
	take_arrival(completion_of(RECEIVE), arrival);
}

static inline void assert_arrives(const void *payload, size_t bytes)
{
	struct arrival arrival;

	receive(&arrival);
	assert_int_equal(arrival.bytes, bytes);
	assert_memory_equal(arrival.payload, payload, bytes);
	assert_true(arrival.more);
}

/* Whether control data of this kind has come, and its value. */
static inline bool has_control(struct arrival *arrival, int level, int type, void *to, size_t bytes)
{
	struct cmsghdr *header = io_uring_recvmsg_cmsg_firsthdr(arrival->out, &layout);

	for (; header; header = io_uring_recvmsg_cmsg_nexthdr(arrival->out, &layout, header)) {
		if (header->cmsg_level != level || header->cmsg_type != type)
			continue;
		assert_int_equal(header->cmsg_len, CMSG_LEN(bytes));
		memcpy(to, CMSG_DATA(header), bytes);
		return true;
	}
	return false;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
