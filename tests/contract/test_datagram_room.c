/* SPDX-License-Identifier: MIT */
/* How much a socket of datagrams holds, and what it tells of those that it dropped. */
#include "contract/datagrams.h"

/* As many datagrams as surely do not fit. */
#define TOO_MANY 200

/* What was asked for is had, if it is not more than any system allows; a little is had always. */
static void room_is_had(void **state)
{
	static const struct socket_room asked[] = {
		{ 0, 0 }, { 1, 1 }, { 65536, 65536 }, { 100000, 0 }, { 0, 100000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct socket_room had = { 0 };

		bind_with_room("127.0.0.1", &asked[i]);
		socket_room(ring, fd, &had);
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

/* Sends so many, one byte each, that tell the first from the later. */
static void send_many(struct peer *peer, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		peer_send_all(peer, &(uint8_t){ (uint8_t)i }, 1);
	turn();
}

/* Takes those that have come, in order; returns how many. None tells of drops before `drops`. */
static unsigned take_all(uint32_t drops_before)
{
	struct completion received;
	struct arrival arrival;
	unsigned count = 0;

	start(0);
	while (completion_now(RECEIVE, &received)) {
		uint32_t drops = 0;

		if (received.res == -ENOBUFS) {
			start(0);
			continue;
		}
		take_arrival(received, &arrival);
		assert_int_equal(arrival.payload[0], (uint8_t)count++);
		has_control(&arrival, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
		assert_int_equal(drops, drops_before);
		if (!arrival.more)
			start(0);
	}
	end_receive();
	return count;
}

/*
 * A socket drops what it has no room for. It tells how many it has ever dropped with those that
 * come after, and not with those that were there before.
 */
static void drops_are_told(void **state)
{
	const struct socket_room little = { .receive_bytes = 8192 };
	uint32_t dropped = 0;
	struct peer peer;

	(void)state;
	bind_with_room("127.0.0.1", &little);
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	for (int round = 0; round < 3; round++) {
		unsigned taken;

		send_many(&peer, TOO_MANY);
		taken = take_all(dropped);
		assert_in_range(taken, 1, TOO_MANY - 1);
		dropped += TOO_MANY - taken;
	}
	send_many(&peer, 1);
	assert_int_equal(take_all(dropped), 1);
	peer_close(&peer);
}

/* As long as it has room, nothing is dropped, and nothing told. */
static void no_drops(void **state)
{
	struct peer peer;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
	send_many(&peer, 50);
	assert_int_equal(take_all(0), 50);
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(room_is_had),
		TEST(drops_are_told),
		TEST(no_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
