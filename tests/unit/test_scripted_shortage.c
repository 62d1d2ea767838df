/* SPDX-License-Identifier: MIT */
/*
 * When memory is short, the clients that hold most and have got on least are ended, until it is not
 * short any more; clients that get on are served.
 */
#include "unit/scripted_server.h"

#include "tcp/shortage.h"

/* 256 blocks, of which an unfinished message of HOARD_BYTES takes 16. */
#define MEMORY_BYTES (1 << 20)
#define HOARD_BYTES 60000
#define ENOUGH 13 /* of them make memory scarce */

static const uint8_t hoard[HOARD_BYTES];
static unsigned ended_count, refused_count;
static rollcall_client ended[64];

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)context;
	if (reason == -ENOSPC)
		ended[ended_count++] = client;
	refused_count += reason == -ENOBUFS;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	options.memory_bytes_max = MEMORY_BYTES;
	options.send_queue_bytes = options.send_queue_bytes_max = MEMORY_BYTES / 2;
	options.message_timeout_ms = options.send_timeout_ms = 0;
	service.received = send_back;
	service.disconnected = on_disconnected;
	ended_count = refused_count = 0;
	memset(ended, 0xff, sizeof(ended));
	return error;
}

/* Many of these may come in one turn. */
static void receive_in_turn(int fd, const void *data, size_t bytes)
{
	memcpy(next_buffer(BUFFERS_TCP), data, bytes);
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, bytes);
}

static void accept_and_hoard(unsigned count)
{
	while (count-- > 0)
		receive(accept_client(), hoard, HOARD_BYTES);
}

/* The first client, for which more is queued than others hoard, and which takes little of it. */
static void accept_slow_reader(void)
{
	int fd = accept_client();

	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(rollcall_send(server, 0, hoard, HOARD_BYTES), 0);
	turn();
	complete(started(IORING_OP_SENDMSG, fd), 100, 0);
	turn();
}

/* What is cancelled ends, and what is closed is closed. */
static void let_them_close(void)
{
	struct io_uring_sqe *cancel, *close;

	while ((cancel = find_started(IORING_OP_ASYNC_CANCEL, -1))) {
		const uint64_t cancelled = cancel->addr;

		complete(cancel, 0, 0);
		for (unsigned i = kernel.started_count; i-- > 0;)
			if (kernel.started[i].user_data == cancelled)
				complete(&kernel.started[i], -ECANCELED, 0);
		turn();
	}
	while ((close = find_started(IORING_OP_CLOSE, -1)))
		complete(close, 0, 0);
	turn();
}

/* Of the clients with as much, the one that has held it longest goes first, reset. */
static void longest_first(void **state)
{
	int behaved;

	(void)state;
	create_and_listen();
	behaved = accept_client();
	receive(behaved, "a", 1);
	accept_and_hoard(1);
	pass_in_steps(8000);
	accept_and_hoard(ENOUGH - 3);
	pass_in_steps(2000);
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	accept_and_hoard(1);
	assert_int_equal(stats_now().tcp_ended_memory, 1);
	assert_int_equal(kernel.resets, 1);
	assert_in_range(stats_now().memory_bytes_now, 1, MEMORY_BYTES / 4 * 3);
	receive(behaved, "\n", 1);
	assert_non_null(find_started(IORING_OP_SEND, behaved));
	complete(started(IORING_OP_SEND, behaved), 2, 0);
	turn();
	let_them_close();
	assert_int_equal(ended_count, 1);
	assert_int_equal(ended[0], 1);
}

/* And of those that have held it as long, the one that holds most. */
static void most_first(void **state)
{
	(void)state;
	create_and_listen();
	for (unsigned i = 0; i < 8; i++)
		receive(accept_client(), hoard, 4000);
	accept_and_hoard(ENOUGH - 1);
	pass_in_steps(2000);
	assert_int_equal(stats_now().tcp_ended_memory, 1);
	let_them_close();
	assert_int_equal(ended[0], 8);
}

/*
 * Those that have held it for a short time are not ended, until only the reserve is left: then as
 * many as use it, and a bit more, and those last that hold little.
 */
static void just_begun(void **state)
{
	int behaved;

	(void)state;
	create_and_listen();
	behaved = accept_client();
	receive(behaved, "a", 1);
	accept_and_hoard(ENOUGH);
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	for (unsigned i = 0; i < 7; i++)
		receive(accept_client(), hoard, 4000);
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	for (unsigned i = 0; i < 10; i++)
		receive(accept_client(), hoard, 4000);
	assert_int_equal(stats_now().tcp_ended_memory, 1);
	let_them_close();
	assert_in_range(ended[0], 1, ENOUGH);
	receive(behaved, "\n", 1);
	assert_non_null(find_started(IORING_OP_SEND, behaved));
}

/* However much comes in one turn, a client that sends a line, or a part of one, is served. */
static void in_one_turn(void **state)
{
	int behaved, other, hoarders[5];

	(void)state;
	create_and_listen();
	behaved = accept_client();
	other = accept_client();
	accept_and_hoard(ENOUGH - 1);
	for (unsigned i = 0; i < 5; i++)
		hoarders[i] = accept_client();
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	for (unsigned i = 0; i < 5; i++)
		receive_in_turn(hoarders[i], hoard, HOARD_BYTES);
	receive_in_turn(behaved, "line\n", 5);
	receive_in_turn(other, "li", 2);
	turn();
	assert_non_null(find_started(IORING_OP_SEND, behaved));
	receive(other, "ne\n", 3);
	assert_non_null(find_started(IORING_OP_SEND, other));
	let_them_close();
	assert_int_equal(refused_count, 3);
	assert_in_range(stats_now().memory_bytes_now, 1, MEMORY_BYTES / 8 * 7);
}

/* For a message that has no space in this turn, those give way that hold more for longer. */
static void space_for_a_message(void **state)
{
	int hoarders[2], behaved;

	(void)state;
	service.received = NULL;
	create_and_listen();
	accept_and_hoard(ENOUGH - 1);
	for (unsigned i = 0; i < 2; i++)
		hoarders[i] = accept_client();
	behaved = accept_client();
	pass(100);
	for (unsigned i = 0; i < 2; i++)
		receive_in_turn(hoarders[i], hoard, HOARD_BYTES);
	receive_in_turn(behaved, hoard, 5000);
	turn();
	receive(behaved, "\n", 1);
	assert_int_equal(stats_now().messages_received, 1);
	let_them_close();
	assert_int_equal(refused_count, 0);
	assert_int_equal(ended_count, 1);
	assert_in_range(ended[0], 0, ENOUGH - 2);
}

/* If none may be ended yet, they are looked at again soon, whether or not anything happens. */
static void looked_at_again(void **state)
{
	(void)state;
	create_and_listen();
	accept_and_hoard(ENOUGH);
	for (unsigned ms = 0; stats_now().tcp_ended_memory == 0; ms += SHORTAGE_RETRY_MS) {
		assert_in_range(timers_next(&server->hub.timers), 0,
				kernel.now_ns + SHORTAGE_RETRY_MS * MILLISECOND_NS);
		pass(SHORTAGE_RETRY_MS);
		assert_in_range(ms, 0, SHORTAGE_HELD_MS + SHORTAGE_RETRY_MS);
	}
	assert_int_equal(stats_now().tcp_ended_memory, 2);
	assert_int_equal(timers_next(&server->hub.timers), UINT64_MAX);
}

/* A message whose rest came during a stall of the process is not in its way. */
static void after_a_stall(void **state)
{
	(void)state;
	create_and_listen();
	accept_and_hoard(ENOUGH - 1);
	kernel.now_ns += 60000 * MILLISECOND_NS;
	accept_and_hoard(1);
	pass_in_steps(SHORTAGE_STALL_MS - 100);
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	pass_in_steps(200);
	assert_int_equal(stats_now().tcp_ended_memory, 2);
}

/* Whether a client has taken output since the last check is asked before it is ended. */
static void taken_meanwhile(void **state)
{
	(void)state;
	create_and_listen();
	accept_slow_reader();
	accept_and_hoard(6);
	pass_in_steps(3000);
	kernel.delivery.acked += 1000000;
	receive(accept_client(), hoard, 30000);
	assert_int_equal(stats_now().tcp_ended_memory, 0);
	pass(SHORTAGE_RETRY_MS);
	assert_int_equal(stats_now().tcp_ended_memory, 1);
	let_them_close();
	assert_int_equal(ended[0], 1);
}

/* And one that has not, and holds more than all others, goes. */
static void not_taken(void **state)
{
	(void)state;
	create_and_listen();
	accept_slow_reader();
	accept_and_hoard(6);
	pass_in_steps(3000);
	receive(accept_client(), hoard, 30000);
	assert_int_equal(stats_now().tcp_ended_memory, 1);
	assert_in_range(stats_now().memory_bytes_now, 1, 7 * 65536);
	let_them_close();
	assert_int_equal(ended[0], 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scripted_end)
	const struct CMUnitTest tests[] = {
		TEST(longest_first), TEST(most_first),		TEST(just_begun),
		TEST(in_one_turn),   TEST(space_for_a_message), TEST(looked_at_again),
		TEST(after_a_stall), TEST(taken_meanwhile),	TEST(not_taken),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
