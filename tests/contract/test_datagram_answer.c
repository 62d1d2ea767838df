/* SPDX-License-Identifier: MIT */
/* Datagrams: which address was asked, and answering from it, to peers that may be gone. */
#include "contract/datagrams.h"

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
	struct address asked, asked_first;
	struct peer peer, first;
	uint8_t byte;

	(void)state;
	bind_to("0.0.0.0");
	asked = address_of("127.0.0.2", address_port(&address));
	assert_int_equal(peer_open_udp(&peer, NULL, &asked), 0);
	asked_first = address_of("127.0.0.1", address_port(&address));
	assert_int_equal(peer_open_udp(&first, NULL, &asked_first), 0);
	peer_send_all(&peer, "?", 1);
	assert_int_equal(send_to(&first, NULL, "0", 1), 1);
	assert_int_equal(peer_await(&first, &byte, 1), 1);
	peer_close(&first);
	assert_int_equal(send_to(&peer, NULL, "1", 1), 1);
	turn();
	assert_int_equal(send_to(&peer, &asked, "2", 1), 1);
	assert_int_equal(peer_await(&peer, &byte, 1), 1);
	assert_int_equal(byte, '2');
	assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
	peer_close(&peer);
}

/* The same without a message, to an address; to none if `peer` is NULL. */
static int send_plainly_to(const struct peer *peer, const void *data, size_t bytes)
{
	struct address to = { 0 };
	struct io_uring_sqe *sqe;

	if (peer)
		assert_int_equal(peer_address(peer, &to), 0);
	sqe = sqe_get();
	io_uring_prep_send(sqe, fd, data, bytes, MSG_NOSIGNAL);
	if (peer)
		io_uring_prep_send_set_addr(sqe, &to.any, (uint16_t)to.bytes);
	sqe->user_data = SEND;
	return completion_of(SEND).res;
}

/*
 * The largest datagram of IPv4 can be sent, one byte more cannot; one of no bytes can. Either way.
 */
static void sizes(void **state)
{
	static const struct {
		size_t bytes;
		int result;
	} cases[] = { { 65507, 65507 }, { 65508, -EMSGSIZE }, { 0, 0 } };
	static uint8_t sent[65508], received[65536];
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 256);
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t bytes = cases[i / 2].bytes;
		const int result = i % 2 ? send_plainly_to(&peer, sent, bytes)
					 : send_to(&peer, NULL, sent, bytes);

		assert_int_equal(result, cases[i / 2].result);
		if (result < 0)
			continue;
		assert_int_equal(peer_await(&peer, received, sizeof(received)), result);
		assert_memory_equal(received, sent, bytes);
	}
	peer_close(&peer);
}

/* A datagram without an address is an error: it does not go to the last one. */
static void to_nobody(void **state)
{
	struct peer peer;
	uint8_t byte;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	assert_int_equal(send_plainly_to(&peer, "x", 1), 1);
	assert_int_equal(peer_await(&peer, &byte, 1), 1);
	assert_int_equal(send_plainly_to(NULL, "y", 1), -EDESTADDRREQ);
	assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wildcard),	 TEST(source_of_an_answer), TEST(sizes),
		TEST(to_nobody), TEST(peer_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
