/* SPDX-License-Identifier: MIT */
/* Datagrams: the layout in which multishot recvmsg delivers them, its ends, and answering. */
#include <stdio.h>

#include "contract/contract.h"

#define RECEIVE 1
#define SEND 2

#define NAME_BYTES 32
#define CONTROL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

/* What the kernel lays each datagram out by; it has to stay while the receive goes on. */
static struct msghdr layout;
static struct address address;
static int fd;

static struct address address_of(const char *host, uint16_t port)
{
	struct address addresses[2];

	assert_int_equal(socket_resolve(ring, host, port, addresses, 2), 1);
	return addresses[0];
}

static void bind_to(const char *host)
{
	address = address_of(host, 0);
	fd = socket_bind_udp(ring, &address);
	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(socket_local_address(ring, fd, &address), 0);
}

static int set_up(void **state)
{
	layout = (struct msghdr){ .msg_namelen = NAME_BYTES, .msg_controllen = CONTROL_BYTES };
	fd = -1;
	return contract_begin(state);
}

static int tear_down(void **state)
{
	if (fd >= 0)
		close_fd(fd);
	return contract_end(state);
}

static void start(int flags)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_recvmsg_multishot(sqe, fd, &layout, (unsigned)flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	sqe->user_data = RECEIVE;
}

static void end_receive(void)
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

static void take_arrival(struct completion received, struct arrival *arrival)
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

static void receive(struct arrival *arrival)
{
	take_arrival(completion_of(RECEIVE), arrival);
}

static void assert_arrives(const void *payload, size_t bytes)
{
	struct arrival arrival;

	receive(&arrival);
	assert_int_equal(arrival.bytes, bytes);
	assert_memory_equal(arrival.payload, payload, bytes);
	assert_true(arrival.more);
}

/* Header, name, control data and payload stand at fixed places; IPv4 and IPv6. */
static void layout_of_an_arrival(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct arrival arrival;
		struct address own;
		struct peer peer;

		bind_to(hosts[i]);
		assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
		assert_int_equal(peer_address(&peer, &own), 0);
		start(0);
		peer_send_all(&peer, "hello", 5);
		receive(&arrival);
		assert_true(arrival.more);
		assert_int_equal(arrival.payload - arrival.buffer,
				 sizeof(*arrival.out) + NAME_BYTES + CONTROL_BYTES);
		assert_int_equal(arrival.bytes, 5);
		assert_memory_equal(arrival.payload, "hello", 5);
		assert_int_equal(arrival.out->flags & (MSG_TRUNC | MSG_CTRUNC), 0);
		assert_int_equal(arrival.out->controllen, 0);
		assert_true(address_equal(&arrival.from, &own));
		end_receive();
		peer_close(&peer);
		close_fd(fd);
	}
	fd = -1;
}

/* Several from several, each by itself, in order. */
static void several(void **state)
{
	struct peer peers[3];
	struct arrival arrival;

	(void)state;
	bind_to("127.0.0.1");
	for (size_t i = 0; i < COUNT(peers); i++)
		assert_int_equal(peer_open_udp(&peers[i], NULL, &address), 0);
	start(0);
	for (size_t i = 0; i < 30; i++) {
		struct peer *peer = &peers[i % COUNT(peers)];
		char text[8];
		struct address own;

		snprintf(text, sizeof(text), "%zu", i);
		peer_send_all(peer, text, strlen(text));
		receive(&arrival);
		assert_int_equal(arrival.bytes, strlen(text));
		assert_memory_equal(arrival.payload, text, strlen(text));
		assert_int_equal(peer_address(peer, &own), 0);
		assert_true(address_equal(&arrival.from, &own));
	}
	end_receive();
	for (size_t i = 0; i < COUNT(peers); i++)
		peer_close(&peers[i]);
}

/*
 * A datagram of no bytes is one all the same. It ends the multishot (Linux): a good result with a
 * buffer and no F_MORE. Started again it goes on.
 */
static void empty(void **state)
{
	struct arrival arrival;
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	start(0);
	for (int i = 0; i < 3; i++) {
		peer_send_all(&peer, "a", 1);
		assert_arrives("a", 1);
		assert_int_equal(peer_send(&peer, "", 0), 0);
		receive(&arrival);
		assert_int_equal(arrival.bytes, 0);
		assert_false(arrival.more);
		start(0);
	}
	peer_send_all(&peer, "b", 1);
	assert_arrives("b", 1);
	end_receive();
	peer_close(&peer);
}

/* One that just fits into a buffer is whole; of a larger one MSG_TRUNC says that the end is missing. */
static void truncated(void **state)
{
	static uint8_t bytes[BUFFER_BYTES];
	const size_t room = BUFFER_BYTES - sizeof(struct io_uring_recvmsg_out) - NAME_BYTES -
			    CONTROL_BYTES;
	struct arrival arrival;
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 3);
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	start(0);
	for (size_t more = 0; more <= 1; more++) {
		peer_send_all(&peer, bytes, room + more);
		receive(&arrival);
		assert_int_equal(arrival.out->flags & MSG_TRUNC, more ? MSG_TRUNC : 0);
		assert_int_equal(arrival.bytes, room);
		assert_memory_equal(arrival.payload, bytes, room);
	}
	end_receive();
	peer_close(&peer);
}

/* A buffer that has no room for the header is refused with EFAULT. */
static void buffer_too_small(void **state)
{
	struct buffers small;
	struct completion failed;
	struct io_uring_sqe *sqe;
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(buffers_init(&small, ring, 1, 64, 1, 1), 0);
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	sqe = sqe_get();
	io_uring_prep_recvmsg_multishot(sqe, fd, &layout, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	sqe->user_data = RECEIVE;
	peer_send_all(&peer, "x", 1);
	failed = completion_of(RECEIVE);
	assert_int_equal(failed.res, -EFAULT);
	assert_false(failed.flags & IORING_CQE_F_MORE);
	buffers_destroy(&small);
	peer_close(&peer);
}

/* Without a buffer it ends with ENOBUFS; the datagrams wait, and come when there is one again. */
static void buffers_run_dry(void **state)
{
	struct completion held[BUFFERS], dry;
	struct arrival arrival;
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	start(0);
	for (uint8_t i = 0; i <= BUFFERS; i++)
		peer_send_all(&peer, &i, 1);
	for (uint8_t i = 0; i < BUFFERS; i++)
		held[i] = completion_of(RECEIVE);
	dry = completion_of(RECEIVE);
	assert_int_equal(dry.res, -ENOBUFS);
	assert_false(dry.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
	for (uint8_t i = 0; i < BUFFERS; i++) {
		take_arrival(held[i], &arrival);
		assert_int_equal(arrival.payload[0], i);
	}
	start(0);
	assert_arrives(&(uint8_t){ BUFFERS }, 1);
	end_receive();
	peer_close(&peer);
}

/* With MSG_DONTWAIT it ends with EAGAIN, after what has arrived. */
static void do_not_wait(void **state)
{
	unsigned arrived = 0;
	struct completion received;
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	start(MSG_DONTWAIT);
	received = completion_of(RECEIVE);
	assert_int_equal(received.res, -EAGAIN);
	assert_false(received.flags & IORING_CQE_F_MORE);
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (int i = 0; i < 5; i++)
		peer_send_all(&peer, "x", 1);
	while (arrived < 5) {
		start(MSG_DONTWAIT);
		while ((received = completion_of(RECEIVE)).res > 0) {
			struct arrival arrival;

			take_arrival(received, &arrival);
			arrived++;
			if (!arrival.more)
				break;
		}
	}
	assert_int_equal(received.res, -EAGAIN);
	peer_close(&peer);
}

/* The control data of an arrival: the address that was asked. */
static struct address asked_address(struct arrival *arrival)
{
	struct cmsghdr *header = io_uring_recvmsg_cmsg_firsthdr(arrival->out, &layout);
	struct address asked = { .any.sa_family = arrival->from.any.sa_family };

	assert_non_null(header);
	if (asked.any.sa_family == AF_INET) {
		struct in_pktinfo info;

		assert_int_equal(header->cmsg_type, IP_PKTINFO);
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		asked.v4.sin_addr = info.ipi_addr;
	} else {
		struct in6_pktinfo info;

		assert_int_equal(header->cmsg_type, IPV6_PKTINFO);
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		asked.v6.sin6_addr = info.ipi6_addr;
	}
	return asked;
}

/* On a wildcard address each datagram comes with the address that it was sent to. */
static void wildcard(void **state)
{
	static const struct {
		const char *bound, *asked;
	} cases[] = {
		{ "0.0.0.0", "127.0.0.1" },
		{ "0.0.0.0", "127.0.0.2" },
		{ "0.0.0.0", "127.200.0.7" },
		{ "::", "::1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arrival arrival;
		struct address to, asked;
		struct peer peer;

		bind_to(cases[i].bound);
		to = address_of(cases[i].asked, address_port(&address));
		assert_int_equal(peer_open_udp(&peer, NULL, &to), 0);
		start(0);
		peer_send_all(&peer, "x", 1);
		receive(&arrival);
		asked = asked_address(&arrival);
		assert_true(address_same_host(&asked, &to));
		end_receive();
		peer_close(&peer);
		close_fd(fd);
	}
	fd = -1;
}

/* Sends to the peer, from a given source address unless NULL. */
static int send_to(const struct peer *peer, const struct address *source, void *data, size_t bytes)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct iovec part = { data, bytes };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header = (struct cmsghdr *)control;
	struct address to;
	struct io_uring_sqe *sqe;

	assert_int_equal(peer_address(peer, &to), 0);
	message.msg_name = &to.any;
	message.msg_namelen = to.bytes;
	if (source) {
		struct in_pktinfo info = { .ipi_spec_dst = source->v4.sin_addr };

		header->cmsg_level = IPPROTO_IP;
		header->cmsg_type = IP_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
	}
	sqe = sqe_get();
	io_uring_prep_sendmsg(sqe, fd, &message, MSG_NOSIGNAL);
	sqe->user_data = SEND;
	return completion_of(SEND).res;
}

/*
 * A peer that has asked one address takes answers from that one only. From a wildcard socket they
 * leave from another, unless the message names the source.
 */
static void source_of_an_answer(void **state)
{
	struct address asked;
	struct peer peer;
	uint8_t byte;

	(void)state;
	bind_to("0.0.0.0");
	asked = address_of("127.0.0.2", address_port(&address));
	assert_int_equal(peer_open_udp(&peer, NULL, &asked), 0);
	peer_send_all(&peer, "?", 1);
	assert_int_equal(send_to(&peer, NULL, "1", 1), 1);
	turn();
	assert_int_equal(send_to(&peer, &asked, "2", 1), 1);
	assert_int_equal(peer_await(&peer, &byte, 1), 1);
	assert_int_equal(byte, '2');
	assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
	peer_close(&peer);
}

/* The largest datagram of IPv4 can be sent, one byte more cannot; one of no bytes can. */
static void sizes(void **state)
{
	static uint8_t bytes[65508], received[65536];
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	assert_int_equal(send_to(&peer, NULL, bytes, 65507), 65507);
	assert_int_equal(peer_await(&peer, received, sizeof(received)), 65507);
	assert_int_equal(send_to(&peer, NULL, bytes, 65508), -EMSGSIZE);
	assert_int_equal(send_to(&peer, NULL, bytes, 0), 0);
	assert_int_equal(peer_await(&peer, received, sizeof(received)), 0);
	peer_close(&peer);
}

/* A peer that is gone (its host answers with ICMP) does not disturb those that are there. */
static void peer_gone(void **state)
{
	struct peer gone, stays;
	struct address address_gone;
	uint8_t byte;

	(void)state;
	bind_to("127.0.0.1");
	start(0);
	assert_int_equal(peer_open_udp(&gone, NULL, &address), 0);
	assert_int_equal(peer_open_udp(&stays, NULL, &address), 0);
	assert_int_equal(peer_address(&gone, &address_gone), 0);
	for (int i = 0; i < 3; i++) {
		struct msghdr message = { .msg_name = &address_gone.any,
					  .msg_namelen = address_gone.bytes };
		struct io_uring_sqe *sqe = sqe_get();

		peer_close(&gone);
		io_uring_prep_sendmsg(sqe, fd, &message, 0);
		sqe->user_data = SEND;
		assert_int_equal(completion_of(SEND).res, 0);
		turn();
		assert_int_equal(send_to(&stays, NULL, "x", 1), 1);
		assert_int_equal(peer_await(&stays, &byte, 1), 1);
		peer_send_all(&stays, "y", 1);
		assert_arrives("y", 1);
	}
	end_receive();
	peer_close(&stays);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout_of_an_arrival), TEST(several), TEST(empty), TEST(truncated),
		TEST(buffer_too_small), TEST(buffers_run_dry), TEST(do_not_wait), TEST(wildcard),
		TEST(source_of_an_answer), TEST(sizes), TEST(peer_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
