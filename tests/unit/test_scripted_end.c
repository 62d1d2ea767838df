/* SPDX-License-Identifier: MIT */
/*
 * How UDP ends: what has arrived is answered, for half of the drain's time; nobody comes any more
 * once the server ends at once; and waiting for buffers does not spin.
 */
#include "unit/scripted_udp.h"

#define ADDRESS "udp://192.0.2.9:7070"

static void stop_twice(rollcall_client client, const void *data, size_t size)
{
	(void)client;
	(void)data;
	(void)size;
	rollcall_stop(server);
	rollcall_stop(server);
}

/* What came in one batch with what ended the server is not delivered, and makes no client. */
static void ended_in_a_batch(void **state)
{
	const struct datagram_in in = datagram_from("192.0.2.1", 2001, "abc");

	(void)state;
	serve(ADDRESS);
	on_message = stop_twice;
	receive_batch(&in, 1);
	turn();
	expect("+0 0:a -0(-108) ");
	assert_int_equal(stats_now().udp_clients, 1);
}

/* The server stops, and its endpoint goes over to what has arrived already. */
static void begin_to_end(void)
{
	rollcall_stop(server);
	turn();
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	complete(started(IORING_OP_RECVMSG, -1), -ECANCELED, 0);
	turn();
	assert_true(started(IORING_OP_RECVMSG, -1)->msg_flags & MSG_DONTWAIT);
}

/* Until nothing is there any more. */
static void all_that_has_arrived(void **state)
{
	(void)state;
	serve(ADDRESS);
	begin_to_end();
	come("192.0.2.1", 2001, "hello");
	expect("+0 0:hello ");
	/* Linux 6.8 ends it after 32 rounds, and more may be there. */
	complete(started(IORING_OP_RECVMSG, -1), -EAGAIN, 0);
	turn();
	assert_true(endpoint_is_busy(server->udp.endpoints[0]));
	complete(started(IORING_OP_RECVMSG, -1), -EAGAIN, 0);
	turn();
	assert_false(endpoint_is_busy(server->udp.endpoints[0]));
	assert_null(find_started(IORING_OP_RECVMSG, -1));
}

/* A client that never stops sending is heard for half of the time; the rest is for answers. */
static void half_of_the_time(void **state)
{
	(void)state;
	options.drain_timeout_ms = 1000;
	serve(ADDRESS);
	begin_to_end();
	pass(499);
	come("192.0.2.1", 2001, "in time");
	expect("+0 0:in time ");
	pass(2);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	come("192.0.2.1", 2001, "late");
	expect("0:late ");
	complete(started(IORING_OP_RECVMSG, -1), -ECANCELED, 0);
	turn();
	assert_false(endpoint_is_busy(server->udp.endpoints[0]));
	assert_null(find_started(IORING_OP_RECVMSG, -1));
}

/* While a cancel is in flight there is no other; then the receive that was started since ends. */
static void ended_while_cancelling(void **state)
{
	(void)state;
	serve(ADDRESS);
	rollcall_stop(server);
	turn();
	complete(started(IORING_OP_RECVMSG, -1), -ECANCELED, 0);
	turn();
	assert_true(started(IORING_OP_RECVMSG, -1)->msg_flags & MSG_DONTWAIT);
	rollcall_stop(server);
	/* Once more changes nothing. */
	rollcall_stop(server);
	turn();
	complete(started(IORING_OP_ASYNC_CANCEL, -1), -ENOENT, 0);
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
	turn();
	turn();
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	complete(started(IORING_OP_RECVMSG, -1), -ECANCELED, 0);
	turn();
	assert_false(endpoint_is_busy(server->udp.endpoints[0]));
}

/* Between two receives there is nothing to cancel. */
static void half_of_the_time_between(void **state)
{
	(void)state;
	options.drain_timeout_ms = 1000;
	serve(ADDRESS);
	begin_to_end();
	complete(started(IORING_OP_RECVMSG, -1), -ENOMEM, 0);
	turn();
	rollcall_stop(server);
	turn();
	assert_false(endpoint_is_busy(server->udp.endpoints[0]));
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
	assert_null(find_started(IORING_OP_RECVMSG, -1));
}

/*
 * The first receive was cancelled; a later one that finds no buffer was not: the pool grows, and at
 * its limit the receive waits, rather than to be started turn by turn.
 */
static void no_buffers_at_the_end(void **state)
{
	(void)state;
	serve(ADDRESS);
	begin_to_end();
	complete(started(IORING_OP_RECVMSG, -1), -ENOBUFS, 0);
	turn();
	assert_int_equal(stats_now().buffers_exhausted, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(ended_in_a_batch),	 UDP_TEST(all_that_has_arrived),
		UDP_TEST(half_of_the_time),	 UDP_TEST(half_of_the_time_between),
		UDP_TEST(no_buffers_at_the_end), UDP_TEST(ended_while_cancelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
