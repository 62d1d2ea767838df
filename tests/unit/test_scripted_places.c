/* SPDX-License-Identifier: MIT */
/*
 * Places of TCP clients: when all are taken, the source that holds most gives way to one that holds
 * fewer; and a limit for each source.
 */
#include "unit/scripted_server.h"

#include "tcp/shortage.h"

#define PLACES 8

static int disconnected_reason;
static rollcall_client disconnected_client;

static void on_received(struct rollcall_server *of, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	(void)of;
	(void)client;
	(void)data;
	(void)bytes;
	(void)context;
}

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)context;
	disconnected_client = client;
	disconnected_reason = reason;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	options.tcp_clients_max = PLACES;
	service.received = on_received;
	service.disconnected = on_disconnected;
	disconnected_reason = 1;
	return error;
}

static int connect_from(uint8_t host)
{
	struct io_uring_sqe *accept = started(IORING_OP_ACCEPT, -1);
	int fd = kernel_open();

	kernel.peer_hosts[fd] = host;
	complete(accept, fd, accept->ioprio & IORING_ACCEPT_MULTISHOT ? IORING_CQE_F_MORE : 0);
	turn();
	return fd;
}

/*
 * All places are taken by one source, the first for 10 ms longer; and the multishot accept has been
 * cancelled.
 */
static int fill_from(uint8_t host)
{
	int first = connect_from(host);

	pass(10);
	for (unsigned i = 1; i < PLACES; i++)
		connect_from(host);
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	return first;
}

/* The client on fd is being ended with a reset: its operations end, and it closes. */
static void assert_gives_way(int fd, rollcall_client client)
{
	assert_int_equal(kernel.resets, 1);
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(disconnected_client, client);
	assert_int_equal(disconnected_reason, -ENOSPC);
	assert_int_equal(stats_now().tcp_ended_place, 1);
}

/* Others come, and the one of them that has been silent longest gives way. */
static void gives_way_to_another_source(void **state)
{
	int first, other;

	(void)state;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(3000);
	receive(first, "hi\n", 3);
	pass_in_steps(2000);
	assert_int_equal(stats_now().tcp_ended_place, 0);
	other = connect_from(2);
	assert_null(find_started(IORING_OP_RECV, other));
	assert_gives_way(first + 1, 1);
	started(IORING_OP_RECV, other);
	assert_int_equal(stats_now().tcp_clients_now, PLACES);
}

/* One that is reset before it was accepted holds no place, and takes none from others. */
static void reset_before_accept(void **state)
{
	struct io_uring_sqe *accept;
	int fd;

	(void)state;
	create_and_listen();
	fill_from(1);
	pass_in_steps(5000);
	accept = started(IORING_OP_ACCEPT, -1);
	fd = kernel_open();
	kernel.is_reset[fd] = true;
	complete(accept, fd, 0);
	turn();
	assert_false(kernel.is_open[fd]);
	assert_int_equal(stats_now().tcp_ended_place, 0);
	assert_int_equal(stats_now().tcp_clients_now, PLACES);
}

/* A source that holds as many waits, as long as all others of it have to. */
static void waits_for_its_own(void **state)
{
	int first, waiting[3];

	(void)state;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(5000);
	for (unsigned i = 0; i < COUNT(waiting); i++)
		waiting[i] = connect_from(1);
	pass_in_steps(10000);
	assert_int_equal(stats_now().tcp_ended_place, 0);
	complete(started(IORING_OP_RECV, first), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, first), 0, 0);
	turn();
	started(IORING_OP_RECV, waiting[0]);
	assert_null(find_started(IORING_OP_RECV, waiting[1]));
	assert_int_equal(disconnected_reason, -ECONNRESET);
}

/* But those that wait already do not keep one of another source waiting. */
static void overtakes(void **state)
{
	int first, own, other;

	(void)state;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(5000);
	own = connect_from(1);
	other = connect_from(2);
	pass_in_steps(SHORTAGE_PLACES_MS);
	assert_gives_way(first, 0);
	started(IORING_OP_RECV, other);
	assert_null(find_started(IORING_OP_RECV, own));
}

/* A client that has just said something is not ended, but after a second of silence it is. */
static void not_while_they_talk(void **state)
{
	int first;

	(void)state;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(5000);
	for (int fd = first; fd < first + PLACES; fd++) {
		receive(fd, "hi\n", 3);
		pass(1);
	}
	connect_from(2);
	for (unsigned ms = 0; ms < SHORTAGE_SILENT_MS - SHORTAGE_PLACES_MS;
	     ms += SHORTAGE_PLACES_MS) {
		pass_in_steps(SHORTAGE_PLACES_MS);
		assert_int_equal(kernel.resets, 0);
	}
	pass_in_steps(2 * SHORTAGE_PLACES_MS);
	assert_gives_way(first, 0);
}

/* After a stall they have a second in which what they sent meanwhile is handled. */
static void not_after_a_stall(void **state)
{
	int first;

	(void)state;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(5000);
	kernel.now_ns += 60000 * MILLISECOND_NS;
	connect_from(2);
	pass_in_steps(SHORTAGE_STALL_MS - 100);
	assert_int_equal(kernel.resets, 0);
	receive(first, "hi\n", 3);
	pass_in_steps(100 + SHORTAGE_PLACES_MS);
	assert_gives_way(first + 1, 1);
}

/* Nor is one ended that the server does not receive from, for lack of a buffer. */
static void not_while_they_wait(void **state)
{
	int first;

	(void)state;
	create_and_listen();
	first = fill_from(1);
	fake_groups[BUFFERS_TCP].count = 0;
	server->hub.buffers[BUFFERS_TCP].held = server->hub.buffers[BUFFERS_TCP].count_max;
	server->hub.buffers[BUFFERS_TCP].count = server->hub.buffers[BUFFERS_TCP].count_max;
	complete(started(IORING_OP_RECV, first), -ENOBUFS, 0);
	pass_in_steps(5000);
	connect_from(2);
	assert_gives_way(first + 1, 1);
	server->hub.buffers[BUFFERS_TCP].held = 0;
}

/* With an idle timeout, when a client said something is known to 1/16 of it. */
static void not_while_they_may_talk(void **state)
{
	int first;

	(void)state;
	options.tcp_idle_timeout_ms = 160000;
	create_and_listen();
	first = fill_from(1);
	pass_in_steps(9000);
	receive(first, "hi\n", 3);
	connect_from(2);
	assert_int_equal(stats_now().tcp_ended_place, 0);
	pass_in_steps(3000);
	assert_gives_way(first, 0);
}

/* Sources that hold about the same do not end each other's clients. */
static void equal_shares(void **state)
{
	(void)state;
	create_and_listen();
	for (uint8_t i = 0; i < PLACES - 1; i++)
		connect_from(i / 2);
	connect_from(7);
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	pass_in_steps(5000);
	connect_from(7);
	pass_in_steps(5000);
	assert_int_equal(stats_now().tcp_ended_place, 0);
	/* A source without a place may have one of two. */
	connect_from(9);
	pass_in_steps(5000);
	assert_int_equal(stats_now().tcp_ended_place, 1);
}

/* The limit of a source, also for those that waited; a reset tells the client. */
static void limit_of_a_source(void **state)
{
	int first, second, refused;

	(void)state;
	options.tcp_clients_per_source_max = 2;
	create_and_listen();
	first = connect_from(1);
	second = connect_from(1);
	refused = connect_from(1);
	started(IORING_OP_RECV, second);
	assert_false(kernel.is_open[refused]);
	assert_int_equal(kernel.resets, 1);
	assert_int_equal(stats_now().tcp_refused_source, 1);
	started(IORING_OP_RECV, connect_from(2));
	complete(started(IORING_OP_RECV, first), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, first), 0, 0);
	turn();
	started(IORING_OP_RECV, connect_from(1));
	assert_int_equal(stats_now().tcp_refused_source, 1);
}

/* With a full table none is refused before its turn comes. */
static void limit_of_those_that_wait(void **state)
{
	int only, one, two;

	(void)state;
	options.tcp_clients_max = 1;
	options.tcp_clients_per_source_max = 1;
	create_and_listen();
	only = connect_from(1);
	complete(started(IORING_OP_ACCEPT, -1), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	one = connect_from(1);
	two = connect_from(1);
	assert_true(kernel.is_open[one] && kernel.is_open[two]);
	complete(started(IORING_OP_RECV, only), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, only), 0, 0);
	turn();
	started(IORING_OP_RECV, one);
	assert_true(kernel.is_open[two]);
	assert_int_equal(stats_now().tcp_refused_source, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, scripted_end)
	const struct CMUnitTest tests[] = {
		TEST(gives_way_to_another_source),
		TEST(reset_before_accept),
		TEST(waits_for_its_own),
		TEST(overtakes),
		TEST(not_while_they_talk),
		TEST(not_while_they_may_talk),
		TEST(not_after_a_stall),
		TEST(not_while_they_wait),
		TEST(equal_shares),
		TEST(limit_of_a_source),
		TEST(limit_of_those_that_wait),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
