/* SPDX-License-Identifier: MIT */
/*
 * How a listener ends: connections that are in its backlog when the server is told to stop are
 * accepted, within limits, as the close of the socket would reset them.
 */
#include "unit/scripted_server.h"

#define DRAIN_MS 10000

static int begin(void **state)
{
	int error = scripted_begin(state);

	options.drain_timeout_ms = DRAIN_MS;
	service.received = send_back;
	return error;
}

/* Whether an accept is in flight that is to go on. */
static bool is_accepting(void)
{
	const struct operation *accept = &server->tcp.listeners[0]->accept;

	return find_started(IORING_OP_ACCEPT, -1) && accept->in_flight && !accept->cancel_in_flight;
}

/* The cancel of the accept takes effect, and the socket is closed. */
static void assert_closes(void)
{
	const unsigned files = count_open_files();

	assert_true(server->tcp.listeners[0]->accept.cancel_in_flight);
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	assert_null(find_started(IORING_OP_ACCEPT, -1));
	assert_int_equal(count_open_files(), files - 1);
}

/* While the server waits, its accept brings a client; as many are left in the backlog. */
static int accept_and_leave(uint32_t backlog)
{
	struct io_uring_sqe *accept = started(IORING_OP_ACCEPT, -1);
	const int fd = kernel_open();

	complete(accept, fd, accept->ioprio & IORING_ACCEPT_MULTISHOT ? IORING_CQE_F_MORE : 0);
	kernel.backlog = backlog;
	assert_int_equal(server_turn(server, 0), 0);
	server_flush(server);
	return fd;
}

/* With an empty backlog the accept is cancelled at once. */
static void empty(void **state)
{
	(void)state;
	create_and_listen();
	rollcall_stop(server);
	turn();
	assert_closes();
	assert_false(server_is_busy(server));
}

/* Those that wait are clients like others: what they send is answered. */
static void some(void **state)
{
	int first, second;

	(void)state;
	create_and_listen();
	kernel.backlog = 2;
	rollcall_stop(server);
	turn();
	assert_true(is_accepting());
	first = accept_and_leave(1);
	assert_true(is_accepting());
	second = accept_and_leave(0);
	assert_closes();
	receive(first, "hello\n", 6);
	receive(second, "hello\n", 6);
	started(IORING_OP_SEND, first);
	started(IORING_OP_SEND, second);
	assert_int_equal(stats_now().tcp_clients, 2);
}

/* An accept that has ended is started again, and so is one that the kernel had no memory for. */
static void ended_accept(void **state)
{
	(void)state;
	create_and_listen();
	kernel.backlog = 2;
	complete(started(IORING_OP_ACCEPT, -1), -ENOMEM, 0);
	turn();
	rollcall_stop(server);
	turn();
	assert_false(is_accepting());
	assert_true(server_is_busy(server));
	pass(LISTENER_RETRY_NS / MILLISECOND_NS);
	complete(started(IORING_OP_ACCEPT, -1), kernel_open(), 0);
	kernel.backlog = 1;
	turn();
	accept_and_leave(0);
	assert_closes();
	assert_int_equal(stats_now().tcp_clients, 2);
}

/* Connections come as fast as they are accepted: no more are than the backlog can have held. */
static void never_empty(void **state)
{
	(void)state;
	options.tcp_clients_max = 2 * SOCKET_BACKLOG;
	create_and_listen();
	kernel.backlog = 1;
	rollcall_stop(server);
	for (unsigned i = 0; i < SOCKET_BACKLOG; i++) {
		assert_true(is_accepting());
		complete(started(IORING_OP_ACCEPT, -1), kernel_open(), IORING_CQE_F_MORE);
		if (i % 256 == 255)
			turn();
	}
	assert_closes();
	assert_int_equal(stats_now().tcp_clients, SOCKET_BACKLOG);
}

/* One that is not accepted, for whatever reason, is given up after half of the time. */
static void half_of_the_time(void **state)
{
	(void)state;
	create_and_listen();
	kernel.backlog = 1;
	rollcall_stop(server);
	pass_in_steps(DRAIN_MS / 2 - 1);
	assert_true(is_accepting());
	pass(1);
	assert_closes();
	assert_false(server_is_busy(server));
}

/* A second stop does not wait for it. */
static void stopped_twice(void **state)
{
	(void)state;
	create_and_listen();
	kernel.backlog = 1;
	rollcall_stop(server);
	turn();
	assert_true(is_accepting());
	rollcall_stop(server);
	turn();
	assert_closes();
}

/*
 * While all places are taken, they wait until one is free: in the drain no client gives way, even
 * of a source that holds more.
 */
static void full_table(void **state)
{
	int first, second, waiting;

	(void)state;
	options.tcp_clients_max = 2;
	create_and_listen();
	first = accept_client();
	second = accept_client();
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	receive(first, "not whole", 9);
	receive(second, "not whole", 9);
	kernel.backlog = 1;
	rollcall_stop(server);
	turn();
	kernel.peer_hosts[kernel.files_count] = 1;
	waiting = accept_and_leave(0);
	pass_in_steps(DRAIN_MS / 4);
	assert_int_equal(kernel.resets, 0);
	assert_null(find_started(IORING_OP_RECV, waiting));
	assert_true(kernel.is_open[waiting]);

	complete(started(IORING_OP_RECV, first), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, first), 0, 0);
	turn();
	started(IORING_OP_RECV, waiting);
	assert_true(server->tcp.listeners[0]->accept.cancel_in_flight);
	assert_int_equal(stats_now().tcp_clients, 3);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty),
		TEST(some),
		TEST(ended_accept),
		TEST(never_empty),
		TEST(half_of_the_time),
		TEST(stopped_twice),
		TEST(full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
