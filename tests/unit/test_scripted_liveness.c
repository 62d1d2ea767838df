/* SPDX-License-Identifier: MIT */
/*
 * TCP connections that were reset without a completion that says so: the server finds them, with
 * few system calls, and none once every silent client was checked.
 */
#include "unit/scripted_server.h"

#include "tcp/liveness.h"

static char received_text[256];
static unsigned disconnected_count;
static int disconnected_reason;

static void on_received(struct rollcall_server *of, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	(void)of;
	(void)client;
	(void)context;
	strncat(received_text, data, bytes);
}

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)client;
	(void)context;
	disconnected_count++;
	disconnected_reason = reason;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	service.received = on_received;
	service.disconnected = on_disconnected;
	received_text[0] = '\0';
	disconnected_count = 0;
	return error;
}

/* Time enough for every silent client to be checked. */
static void pass_silence(void)
{
	pass(LIVENESS_SILENT_MS);
	pass(LIVENESS_SILENT_MS);
}

/* Each client's address is looked up once, when it is accepted. */
static unsigned checks(void)
{
	return kernel.peer_lookups - (unsigned)stats_now().tcp_clients;
}

/* The receive of the client is being cancelled; it is started again. */
static void assert_starts_again(int fd)
{
	struct io_uring_sqe *receive = started(IORING_OP_RECV, fd);
	struct io_uring_sqe *cancel = started(IORING_OP_ASYNC_CANCEL, -1);

	assert_int_equal(cancel->addr, receive->user_data);
	complete(cancel, 0, 0);
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	turn();
	started(IORING_OP_RECV, fd);
}

/* The receive reports the reset, and the client ends. */
static void assert_ends(int fd, int reason)
{
	complete(started(IORING_OP_RECV, fd), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(disconnected_count, 1);
	assert_int_equal(disconnected_reason, reason);
}

/* Data and a reset before the poll was armed: only the data is told. It is found in that turn. */
static void with_first_data(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	kernel.is_reset[fd] = true;
	receive(fd, "xxxx", 4);
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
	assert_int_equal(stats_now().tcp_resets_found, 1);
}

/* What the client had sent before its reset is not lost. */
static void what_is_left(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	kernel.is_reset[fd] = true;
	receive(fd, "hello", 5);
	assert_starts_again(fd);
	receive(fd, " there\n", 7);
	assert_string_equal(received_text, "hello there\n");
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
}

/* One check for each receive that is started, however much it brings; and one more after that when
 * the client falls silent. */
static void few_checks(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	for (int i = 0; i < 20; i++) {
		receive(fd, "hello\n", 6);
		pass(1000);
	}
	assert_int_equal(checks(), 1);
	pass_silence();
	assert_int_equal(checks(), 2);
	for (int i = 0; i < 10; i++)
		pass_silence();
	assert_int_equal(checks(), 2);
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
}

/* The send of an answer fails where the connection was reset: no check. */
static void none_with_an_answer(void **state)
{
	int fd;

	(void)state;
	service.received = echo;
	create_and_listen();
	fd = accept_client();
	kernel.is_reset[fd] = true;
	receive(fd, "hello\n", 6);
	pass_silence();
	pass_silence();
	assert_int_equal(checks(), 0);
	complete(started(IORING_OP_SEND, fd), -EPIPE, 0);
	turn();
	started(IORING_OP_ASYNC_CANCEL, -1);
}

/* A reset that came later is found when the client has been silent for a while. */
static void with_later_data(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "one\n", 4);
	pass(LIVENESS_SILENT_MS - 1);
	kernel.is_reset[fd] = true;
	receive(fd, "two\n", 4);
	assert_int_equal(checks(), 1);
	pass(1);
	assert_int_equal(checks(), 1);
	pass(LIVENESS_SILENT_MS);
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
}

/* One that has sent nothing is checked too, and then the server has nothing to wake up for. */
static void silent_from_the_start(void **state)
{
	int fd, other;

	(void)state;
	create_and_listen();
	fd = accept_client();
	other = accept_client();
	kernel.is_reset[fd] = true;
	pass_silence();
	assert_int_equal(checks(), 2);
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
	pass_silence();
	assert_int_equal(timers_next(&server->hub.timeouts), UINT64_MAX);
	assert_int_equal(checks(), 2);
	started(IORING_OP_RECV, other);
}

/* Many that are silent are checked a few at a time. */
static void many_silent(void **state)
{
	const unsigned clients = 10 * LIVENESS_CHECKS_MAX;
	unsigned turns = 0;

	(void)state;
	create_and_listen();
	for (unsigned i = 0; i < clients; i++)
		complete(started(IORING_OP_ACCEPT, -1), kernel_open(), IORING_CQE_F_MORE);
	turn();
	pass(LIVENESS_SILENT_MS);
	assert_int_equal(checks(), 0);
	for (kernel.now_ns += LIVENESS_SILENT_MS * MILLISECOND_NS; checks() < clients; turns++) {
		const unsigned before = checks();

		turn();
		assert_in_range(checks() - before, 1, LIVENESS_CHECKS_MAX);
		kernel.now_ns += LIVENESS_STEP_MS * MILLISECOND_NS;
	}
	assert_int_equal(turns, 10);
	turn();
	assert_int_equal(timers_next(&server->hub.timeouts), UINT64_MAX);
}

/* Where a client may wait for the place, it is free soon; also where data comes all the time. */
static void full_table(void **state)
{
	int fd, busy;

	(void)state;
	options.tcp_clients_max = 3;
	create_and_listen();
	fd = accept_client();
	busy = accept_client();
	receive(fd, "one\n", 4);
	receive(fd, "two\n", 4);
	kernel.is_reset[fd] = true;
	accept_client();
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	assert_int_equal(checks(), 1);
	for (int i = 0; i < 2; i++) {
		receive(busy, "hello\n", 6);
		pass(LIVENESS_SILENT_FULL_MS);
	}
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
	started(IORING_OP_ACCEPT, -1);
}

/* The same where there are no descriptors for more. */
static void no_descriptors(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	kernel.is_reset[fd] = true;
	complete(started(IORING_OP_ACCEPT, -1), -EMFILE, 0);
	turn();
	pass(LIVENESS_SILENT_FULL_MS);
	complete(started(IORING_OP_ACCEPT, -1), -EMFILE, 0);
	turn();
	pass(LIVENESS_SILENT_FULL_MS);
	assert_starts_again(fd);
	assert_ends(fd, -ECONNRESET);
}

/* What comes after our end is received too, and thrown away: the reset must not be missed. */
static void after_our_end(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	kernel.is_reset[fd] = true;
	receive(fd, "hello\n", 6);
	assert_starts_again(fd);
	assert_ends(fd, -ECANCELED);
}

/* A client that waits for a buffer or for memory is in another list, and is checked after that. */
static void after_waiting(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	pass(LIVENESS_SILENT_MS);
	complete(started(IORING_OP_RECV, fd), -ENOMEM, 0);
	turn();
	assert_null(find_started(IORING_OP_RECV, fd));
	pass(100);
	started(IORING_OP_RECV, fd);
	complete(started(IORING_OP_RECV, fd), -ENOBUFS, 0);
	turn();
	started(IORING_OP_RECV, fd);
	pass_silence();
	assert_int_equal(checks(), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(with_first_data),	   TEST(what_is_left),	  TEST(few_checks),
		TEST(none_with_an_answer), TEST(with_later_data), TEST(silent_from_the_start),
		TEST(many_silent),	   TEST(full_table),	  TEST(no_descriptors),
		TEST(after_our_end),	   TEST(after_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
