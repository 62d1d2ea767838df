/* SPDX-License-Identifier: MIT */
/* How much a socket of datagrams holds, and the count of those that it dropped. */
#include "contract/datagrams.h"

/* As many datagrams as surely do not fit. */
#define TOO_MANY 200

/* What was asked for is had, if it is not more than any system allows; a little is had always. */
static void sizes_granted(void **state)
{
	static const struct socket_buffers asked[] = {
		{ 0, 0 }, { 1, 1 }, { 65536, 65536 }, { 100000, 0 }, { 0, 100000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct socket_buffers had = { 0 };

		bind_with_buffers("127.0.0.1", &asked[i]);
		socket_buffer_sizes(ring, fd, &had);
		if (asked[i].receive_bytes > 1)
			assert_int_equal(had.receive_bytes, asked[i].receive_bytes);
		if (asked[i].send_bytes > 1)
			assert_int_equal(had.send_bytes, asked[i].send_bytes);
		assert_in_range(had.receive_bytes, 256, 1 << 30);
		assert_in_range(had.send_bytes, 256, 1 << 30);
		close_fd(fd);
	}
	fd = -1;
}

/* Sends `count` datagrams of one byte; the first differs from the later. */
static void send_many(struct peer *peer, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		peer_send_all(peer, &(uint8_t){ (uint8_t)i }, 1);
	turn();
}

/* Takes those that have come, in order; returns how many. */
static unsigned take_all(void)
{
	struct completion received;
	struct arrival arrival;
	unsigned count = 0;

	start(0);
	while (completion_now(RECEIVE, &received)) {
		if (received.res == -ENOBUFS) {
			start(0);
			continue;
		}
		take_arrival(received, &arrival);
		assert_int_equal(arrival.payload[0], (uint8_t)count++);
		if (!arrival.more)
			start(0);
	}
	end_receive();
	return count;
}

/* A socket drops what does not fit into its buffer, and counts it at once. */
static void drops_are_counted(void **state)
{
	const struct socket_buffers little = { .receive_bytes = 8192 };
	uint32_t dropped = 0;
	struct peer peer;

	(void)state;
	bind_with_buffers("127.0.0.1", &little);
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (int round = 0; round < 3; round++) {
		uint32_t drops;

		send_many(&peer, TOO_MANY);
		drops = socket_drops(ring, fd) - dropped;
		assert_in_range(drops, 1, TOO_MANY - 1);
		assert_int_equal(take_all(), TOO_MANY - drops);
		dropped += drops;
	}
	send_many(&peer, 1);
	assert_int_equal(take_all(), 1);
	assert_int_equal(socket_drops(ring, fd), dropped);
	peer_close(&peer);
}

/* While its buffer has space, nothing is dropped. */
static void no_drops(void **state)
{
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	send_many(&peer, 50);
	assert_int_equal(take_all(), 50);
	assert_int_equal(socket_drops(ring, fd), 0);
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sizes_granted),
		TEST(drops_are_counted),
		TEST(no_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
