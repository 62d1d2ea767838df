/* SPDX-License-Identifier: MIT */
/* Datagrams: the layout in which multishot recvmsg delivers them, and every way that it ends. */
#include <stdio.h>

#include "contract/datagrams.h"

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

/* One that just fits into a buffer is whole; for a larger one MSG_TRUNC says that it was cut. */
static void truncated(void **state)
{
	static uint8_t bytes[BUFFER_BYTES];
	const size_t capacity =
		BUFFER_BYTES - sizeof(struct io_uring_recvmsg_out) - NAME_BYTES - CONTROL_BYTES;
	struct arrival arrival;
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 3);
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	start(0);
	for (size_t more = 0; more <= 1; more++) {
		peer_send_all(&peer, bytes, capacity + more);
		receive(&arrival);
		assert_int_equal(arrival.out->flags & MSG_TRUNC, more ? MSG_TRUNC : 0);
		assert_int_equal(arrival.bytes, capacity);
		assert_memory_equal(arrival.payload, bytes, capacity);
	}
	end_receive();
	peer_close(&peer);
}

/* A buffer smaller than the header is refused with EFAULT. */
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
static void buffers_exhausted(void **state)
{
	struct completion held[BUFFERS], failed;
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
	failed = completion_of(RECEIVE);
	assert_int_equal(failed.res, -ENOBUFS);
	assert_false(failed.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout_of_an_arrival),
		TEST(several),
		TEST(empty),
		TEST(truncated),
		TEST(buffer_too_small),
		TEST(buffers_exhausted),
		TEST(do_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
