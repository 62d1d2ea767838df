/* SPDX-License-Identifier: MIT */
/*
 * A message that has begun has to end within the message timeout, which only the server's own waits
 * extend. The client sees an orderly end behind its answers.
 */
#include "unit/scripted_server.h"

static int disconnected_reason;

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)client;
	(void)context;
	disconnected_reason = reason;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	options.message_timeout_ms = 10000;
	options.send_timeout_ms = 0;
	service.received = send_back;
	service.disconnected = on_disconnected;
	disconnected_reason = 1;
	return error;
}

/* What was asked before is answered; what follows the byte that began it does not extend it. */
static void never_ended(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	pass_in_steps(60000);
	receive(fd, "a\nb", 3);
	for (unsigned i = 0; i < 9; i++) {
		pass_in_steps(1000);
		receive(fd, "b", 1);
	}
	pass_in_steps(900);
	assert_int_equal(stats_now().tcp_message_timeouts, 0);
	assert_in_range(stats_now().memory_bytes_now, 1, 4096);
	pass_in_steps(200);
	assert_int_equal(kernel.shutdowns, 0);
	assert_int_equal(stats_now().tcp_message_timeouts, 1);
	assert_int_equal(stats_now().memory_bytes_now, 0);
	complete(started(IORING_OP_SEND, fd), 2, 0);
	turn();
	assert_int_equal(kernel.shutdowns, 1);
	complete(started(IORING_OP_RECV, fd), 0, 0);
	turn();
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(disconnected_reason, -ENODATA);
}

/* Each message has its own time, in whatever order the clients' messages begin and end. */
static void each_its_own(void **state)
{
	int first, second, third;

	(void)state;
	create_and_listen();
	first = accept_client();
	second = accept_client();
	third = accept_client();
	receive(first, "a", 1);
	receive(second, "b", 1);
	receive(third, "c", 1);
	pass_in_steps(6000);
	receive(second, "b\nb", 3);
	receive(third, "c\n", 2);
	pass_in_steps(6000);
	assert_int_equal(stats_now().tcp_message_timeouts, 1);
	receive(third, "c", 1);
	pass_in_steps(6000);
	assert_int_equal(stats_now().tcp_message_timeouts, 2);
	pass_in_steps(2000);
	assert_int_equal(stats_now().tcp_message_timeouts, 2);
	pass_in_steps(3000);
	assert_int_equal(stats_now().tcp_message_timeouts, 3);
}

/* A client that is paused cannot send the rest. */
static void paused(void **state)
{
	static const uint8_t answer[5000];
	int fd;

	(void)state;
	options.send_queue_bytes = 4096;
	create_and_listen();
	fd = accept_client();
	receive(fd, "a", 1);
	assert_int_equal(rollcall_send(server, 0, answer, sizeof(answer)), 0);
	turn();
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	pass_in_steps(35000);
	assert_int_equal(stats_now().tcp_message_timeouts, 0);
	complete(started(IORING_OP_SENDMSG, fd), sizeof(answer), 0);
	pass_in_steps(4000);
	assert_int_equal(stats_now().tcp_message_timeouts, 0);
	pass_in_steps(7000);
	assert_int_equal(stats_now().tcp_message_timeouts, 1);
}

/* Nor does the time count in which the process is stopped. */
static void stopped(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "a", 1);
	pass_in_steps(5000);
	pass(60000);
	pass_in_steps(4800);
	assert_int_equal(stats_now().tcp_message_timeouts, 0);
	pass_in_steps(400);
	assert_int_equal(stats_now().tcp_message_timeouts, 1);
}

/* When places get short the time does too, at once for a message that has begun long before. */
static void places_are_short(void **state)
{
	int fd;

	(void)state;
	options.tcp_clients_max = 3;
	options.message_timeout_ms = 60000;
	create_and_listen();
	fd = accept_client();
	receive(fd, "a", 1);
	accept_client();
	pass_in_steps(20000);
	assert_int_equal(stats_now().tcp_message_timeouts, 0);
	accept_client();
	pass_in_steps(200);
	assert_int_equal(stats_now().tcp_message_timeouts, 1);
}

/* A timeout of 0 is none, also while places are short. */
static void no_timeout(void **state)
{
	int fd;

	(void)state;
	options.tcp_clients_max = 1;
	options.message_timeout_ms = 0;
	create_and_listen();
	fd = accept_client();
	receive(fd, "a", 1);
	pass_in_steps(100000);
	assert_int_equal(timers_next(&server->hub.timeouts), UINT64_MAX);
	receive(fd, "\n", 1);
	complete(started(IORING_OP_SEND, fd), 2, 0);
	turn();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scripted_end)
	const struct CMUnitTest tests[] = {
		TEST(never_ended), TEST(each_its_own),	   TEST(paused),
		TEST(stopped),	   TEST(places_are_short), TEST(no_timeout),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
