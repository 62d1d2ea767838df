/* SPDX-License-Identifier: MIT */
/* GSO batches, sent with one sendmsg (UDP_SEGMENT), and GRO batches, received in one completion
 * (UDP_GRO). */
#include "contract/datagrams.h"

#include <netinet/udp.h>

#include "lib/kernel.h"

/* More are refused: since Linux 6.9, and before. */
#define SEGMENTS_MAX 128
#define SEGMENTS_MAX_BEFORE 64

#define WHOLE_ON_LOOPBACK "a GSO batch arrives as single datagrams on loopback"

static uint8_t pattern[70000];

static void make_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
}

/* Sends to the peer in segments of this size: the result. */
static int send_segments(const struct peer *peer, size_t bytes, uint16_t segment_bytes)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(segment_bytes))] = { 0 };
	struct iovec piece = { pattern, bytes };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = (struct cmsghdr *)control;
	struct io_uring_sqe *sqe;
	struct address to;

	assert_int_equal(peer_address(peer, &to), 0);
	message.msg_name = &to.any;
	message.msg_namelen = to.bytes;
	header->cmsg_level = SOL_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof(segment_bytes));
	memcpy(CMSG_DATA(header), &segment_bytes, sizeof(segment_bytes));
	sqe = sqe_get();
	io_uring_prep_sendmsg(sqe, fd, &message, MSG_NOSIGNAL);
	sqe->user_data = SEND;
	return completion_of(SEND).res;
}

/* The peer gets as many datagrams as there are segments, in order; the last may be shorter. */
static void gso_batch(void **state)
{
	static const struct {
		size_t bytes;
		uint16_t segment_bytes;
		unsigned datagrams;
	} cases[] = {
		{ 30, 10, 3 },	     { 31, 10, 4 },	  { 640, 10, 64 }, { 64, 1, 64 },
		{ 65507, 1472, 45 }, { 65507, 40000, 2 }, { 100, 100, 1 }, { 100, 200, 1 },
		{ 65507, 65507, 1 }, { 100, 0, 1 },	  { 0, 10, 1 },
	};
	static uint8_t received[65536];
	struct peer peer;

	(void)state;
	make_pattern();
	bind_to("127.0.0.1");
	assert_true(socket_sends_batches(ring, fd));
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t at = 0;

		assert_int_equal(send_segments(&peer, cases[i].bytes, cases[i].segment_bytes),
				 cases[i].bytes);
		for (unsigned count = 0; count < cases[i].datagrams; count++) {
			size_t bytes = cases[i].bytes - at;

			if (cases[i].segment_bytes > 0 && bytes > cases[i].segment_bytes)
				bytes = cases[i].segment_bytes;
			assert_int_equal(peer_await(&peer, received, sizeof(received)), bytes);
			assert_memory_equal(received, pattern + at, bytes);
			at += bytes;
		}
		assert_int_equal(at, cases[i].bytes);
		assert_int_equal(peer_receive(&peer, received, sizeof(received)), -EAGAIN);
	}
	peer_close(&peer);
}

/* Too many segments, and too many bytes in all, however they are split. Nothing leaves then. */
static void gso_batch_refused(void **state)
{
	static const struct {
		size_t bytes;
		uint16_t segment_bytes;
		int error;
	} cases[] = {
		{ SEGMENTS_MAX + 1, 1, -EINVAL }, { 10 * SEGMENTS_MAX + 1, 10, -EINVAL },
		{ 65507, 500, -EINVAL },	  { 65508, 1472, -EMSGSIZE },
		{ 65508, 40000, -EMSGSIZE },	  { 66000, 100, -EMSGSIZE },
	};
	struct peer peer;
	uint8_t byte;
	int result;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(send_segments(&peer, cases[i].bytes, cases[i].segment_bytes),
				 cases[i].error);
		turn();
		assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
	}
	result = send_segments(&peer, SEGMENTS_MAX_BEFORE + 1, 1);
	assert_true(result == -EINVAL || result == SEGMENTS_MAX_BEFORE + 1);
	/* Before Linux 6.14 the segment counts, even where it is not filled. */
	result = send_segments(&peer, 65507, UINT16_MAX);
	assert_true(result == -EINVAL || result == 65507);
	peer_close(&peer);
}

/* A GSO batch arrives as a GRO batch: one completion, with the size of all but the last. */
static void gro_batch(void **state)
{
	static const struct {
		size_t bytes, segment_bytes;
		bool told;
	} cases[] = {
		{ 30, 10, true }, { 31, 10, true },    { 64, 1, true },	   { 3500, 1000, true },
		{ 11, 10, true }, { 100, 100, false }, { 50, 100, false },
	};
	struct arrival arrival;
	struct address own;
	struct peer peer;

	(void)state;
	needs_linux(5, 11, WHOLE_ON_LOOPBACK);
	make_pattern();
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	assert_int_equal(peer_address(&peer, &own), 0);
	start(0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		int segment_bytes = 0;

		assert_int_equal(peer_send_segments(&peer, pattern, cases[i].bytes,
						    cases[i].segment_bytes),
				 cases[i].bytes);
		receive(&arrival);
		assert_true(arrival.more);
		assert_int_equal(arrival.bytes, cases[i].bytes);
		assert_memory_equal(arrival.payload, pattern, cases[i].bytes);
		assert_true(address_equal(&arrival.from, &own));
		assert_int_equal(arrival.out->flags & (MSG_TRUNC | MSG_CTRUNC), 0);
		assert_int_equal(has_control(&arrival, SOL_UDP, UDP_GRO, &segment_bytes,
					     sizeof(segment_bytes)),
				 cases[i].told);
		assert_int_equal(segment_bytes, cases[i].told ? cases[i].segment_bytes : 0);
	}
	end_receive();
	peer_close(&peer);
}

/* On a wildcard address they come with the address asked too. */
static void gro_batch_on_wildcard(void **state)
{
	struct arrival arrival;
	struct in_pktinfo info;
	struct address to;
	struct peer peer;
	int segment_bytes;

	(void)state;
	needs_linux(5, 11, WHOLE_ON_LOOPBACK);
	bind_to("0.0.0.0");
	to = address_of("127.0.0.3", address_port(&address));
	assert_int_equal(peer_open_udp(&peer, NULL, &to), 0);
	start(0);
	assert_int_equal(peer_send_segments(&peer, "aabbc", 5, 2), 5);
	receive(&arrival);
	assert_int_equal(arrival.bytes, 5);
	assert_true(has_control(&arrival, SOL_UDP, UDP_GRO, &segment_bytes, sizeof(segment_bytes)));
	assert_int_equal(segment_bytes, 2);
	assert_true(has_control(&arrival, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info)));
	assert_int_equal(info.ipi_addr.s_addr, to.v4.sin_addr.s_addr);
	end_receive();
	peer_close(&peer);
}

/* What is larger than a buffer is cut, in the middle of a datagram. */
static void gro_batch_truncated(void **state)
{
	const size_t capacity =
		BUFFER_BYTES - sizeof(struct io_uring_recvmsg_out) - NAME_BYTES - CONTROL_BYTES;
	struct arrival arrival;
	struct peer peer;

	(void)state;
	needs_linux(5, 11, WHOLE_ON_LOOPBACK);
	make_pattern();
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	start(0);
	for (size_t more = 0; more <= 1; more++) {
		assert_int_equal(peer_send_segments(&peer, pattern, capacity + more, 1000),
				 capacity + more);
		receive(&arrival);
		assert_int_equal(arrival.out->flags & MSG_TRUNC, more ? MSG_TRUNC : 0);
		assert_int_equal(arrival.bytes, capacity);
	}
	/* The rest is lost. */
	peer_send_all(&peer, "x", 1);
	assert_arrives("x", 1);
	end_receive();
	peer_close(&peer);
}

/* Control data that does not fit is cut, with MSG_CTRUNC; the datagrams come all the same. */
static void control_buffer_size(void **state)
{
	static const struct {
		size_t capacity;
		bool cut;
		size_t bytes;
	} cases[] = {
		{ CMSG_SPACE(sizeof(int)), false, CMSG_SPACE(sizeof(int)) },
		{ CMSG_LEN(sizeof(int)), false, CMSG_LEN(sizeof(int)) },
		{ CMSG_LEN(2), true, CMSG_LEN(2) },
		{ sizeof(struct cmsghdr), true, sizeof(struct cmsghdr) },
		{ sizeof(struct cmsghdr) - 8, true, 0 },
		{ 0, true, 0 },
	};
	struct arrival arrival;
	struct peer peer;

	(void)state;
	needs_linux(5, 11, WHOLE_ON_LOOPBACK);
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		layout.msg_controllen = cases[i].capacity;
		start(0);
		assert_int_equal(peer_send_segments(&peer, "aabb", 4, 2), 4);
		receive(&arrival);
		assert_int_equal(arrival.bytes, 4);
		assert_memory_equal(arrival.payload, "aabb", 4);
		assert_int_equal(arrival.out->flags & MSG_CTRUNC, cases[i].cut ? MSG_CTRUNC : 0);
		assert_int_equal(arrival.out->controllen, cases[i].bytes);
		end_receive();
	}
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gso_batch),	   TEST(gso_batch_refused),
		TEST(gro_batch),	   TEST(gro_batch_on_wildcard),
		TEST(gro_batch_truncated), TEST(control_buffer_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
