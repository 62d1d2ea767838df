/* SPDX-License-Identifier: MIT */
/*
 * What a TCP client has acknowledged decides when it ends: not before it has everything, and not
 * while it takes something. The kernel's TCP_INFO is what the test says (kernel.delivery).
 */
#include "unit/scripted_server.h"

#define QUEUE_BYTES 4096

static const uint8_t many[3 * QUEUE_BYTES];
static unsigned drained_count, more_in_drained;
static int disconnected_reason;
static unsigned disconnected_count;

static void on_drained(struct rollcall_server *of, rollcall_client client, void *context)
{
	(void)context;
	drained_count++;
	if (more_in_drained > 0) {
		more_in_drained--;
		assert_int_equal(rollcall_send(of, client, many, QUEUE_BYTES), 0);
		assert_int_equal(rollcall_send(of, client, many, QUEUE_BYTES), -ENOBUFS);
	}
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

	options.send_queue_bytes = options.send_queue_bytes_max = QUEUE_BYTES;
	options.send_timeout_ms = 10000;
	service.received = send_back;
	service.drained = on_drained;
	service.disconnected = on_disconnected;
	drained_count = more_in_drained = disconnected_count = 0;
	return error;
}

/* The peer ends its side. */
static void half_close(int fd)
{
	complete(started(IORING_OP_RECV, fd), 0, 0);
	turn();
}

/* The kernel takes all that is being sent. */
static void send_all(int fd, size_t bytes)
{
	struct io_uring_sqe *sqe = find_started(IORING_OP_SEND, fd);

	complete(sqe ? sqe : started(IORING_OP_SENDMSG, fd), (int)bytes, 0);
	turn();
}

/* The first client, which takes 100 bytes of a full queue, and acknowledges nothing yet. */
static int accept_slow_reader(void)
{
	int fd = accept_client();

	assert_int_equal(rollcall_send(server, 0, many, QUEUE_BYTES), 0);
	turn();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	send_all(fd, 100);
	return fd;
}

static void assert_ended(int fd, int reason)
{
	assert_int_equal(disconnected_count, 0);
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(disconnected_count, 1);
	assert_int_equal(disconnected_reason, reason);
}

/* Time passes in steps that are shorter than any look; the peer acknowledges as it goes, or not. */
static void pass_slowly(unsigned ms, uint32_t acked_each_ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		kernel.delivery.acked += 10 * acked_each_ms;
		pass(10);
	}
}

/* Each refused send is followed by drained(), for a client too that has ended its side. */
static void drained_after_half_close(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, QUEUE_BYTES), 0);
	assert_int_equal(rollcall_send(server, 0, many, QUEUE_BYTES), -ENOBUFS);
	turn();
	half_close(fd);
	more_in_drained = 2;
	for (unsigned i = 1; i <= 3; i++) {
		assert_null(find_started(IORING_OP_CLOSE, fd));
		send_all(fd, QUEUE_BYTES);
		assert_int_equal(drained_count, i);
	}
	assert_ended(fd, 0);
}

/* Also after one that was refused for lack of memory, with nothing in its own queue. */
static void drained_when_there_is_memory_again(void **state)
{
	const size_t fill = 60 * QUEUE_BYTES;
	int rich, poor;

	(void)state;
	options.memory_bytes_max = 1 << 20;
	options.send_queue_bytes = options.send_queue_bytes_max = 1 << 20;
	create_and_listen();
	rich = accept_client();
	poor = accept_client();
	while (rollcall_send(server, 0, many, QUEUE_BYTES) == 0)
		;
	assert_true(rollcall_send(server, 1, many, 2 * QUEUE_BYTES) < 0);
	turn();
	half_close(poor);
	turn();
	assert_null(find_started(IORING_OP_CLOSE, poor));
	/* The other one takes its share. */
	for (unsigned i = 0; i < 3; i++) {
		if (i > 0)
			take_output(rich);
		send_all(rich, fill);
	}
	pass(100);
	turn();
	assert_int_equal(drained_count, 2);
	assert_ended(poor, 0);
}

/* A last line without its ending is answered, however full the queue was. */
static void last_line_behind_a_full_queue(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "last", 4);
	half_close(fd);
	send_all(fd, 4);
	assert_ended(fd, 0);
	assert_int_equal(stats_now().messages_sent, 1);
}

/* What the kernel has taken is not delivered yet: the client stays until it is. */
static void not_before_all_is_acknowledged(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "hi\n", 3);
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	half_close(fd);
	send_all(fd, 3);
	assert_int_equal(kernel.shutdowns, 1);
	pass_slowly(60000, 1);
	assert_null(find_started(IORING_OP_CLOSE, fd));
	kernel.delivery.is_pending = false;
	pass_slowly(2000, 0);
	assert_ended(fd, 0);
	assert_int_equal(kernel.resets, 0);
}

/* One that is closed by the service: after the acknowledgement it has 2 s to end its side. */
static void closed_and_acknowledged(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, "bye", 3), 0);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	send_all(fd, 3);
	pass_slowly(30000, 1);
	kernel.delivery.is_pending = false;
	pass_slowly(1900, 0);
	assert_null(find_started(IORING_OP_CLOSE, fd));
	pass_slowly(2000, 0);
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 1, 0);
	turn();
	assert_ended(fd, -ECANCELED);
}

/* Without progress for the send timeout a client is reset, whatever its state. */
static void no_progress(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_slow_reader();
	pass_slowly(30000, 2);
	pass_slowly(9900, 0);
	assert_int_equal(kernel.resets, 0);
	pass_slowly(1500, 0);
	assert_int_equal(kernel.resets, 1);
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	complete(started(IORING_OP_POLL_ADD, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	assert_ended(fd, -ETIMEDOUT);
}

/* A client that takes less than 1 KiB/s of what is queued does not get on. */
static void little_progress(void **state)
{
	(void)state;
	create_and_listen();
	accept_slow_reader();
	pass_slowly(9900, 1);
	assert_int_equal(kernel.resets, 0);
	pass_slowly(1500, 1);
	assert_int_equal(kernel.resets, 1);
}

/* While places are short, a client that does not get on has a few seconds. */
static void no_progress_while_places_are_short(void **state)
{
	(void)state;
	options.send_timeout_ms = 60000;
	options.tcp_clients_max = 2;
	create_and_listen();
	accept_slow_reader();
	pass_slowly(7000, 0);
	assert_int_equal(kernel.resets, 0);
	accept_client();
	pass_slowly(1100, 0);
	assert_int_equal(kernel.resets, 1);
}

/* A client that ends by an error of its receive is reset if some of its output is not sent. */
static void failed_receive(void **state)
{
	int unsent, sent;

	(void)state;
	create_and_listen();
	unsent = accept_client();
	sent = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 300), 0);
	assert_int_equal(rollcall_send(server, 1, many, 300), 0);
	turn();
	complete(started(IORING_OP_SEND, sent), 300, 0);
	complete(started(IORING_OP_RECV, sent), -EIO, 0);
	turn();
	assert_int_equal(kernel.resets, 0);
	assert_ended(sent, -EIO);

	complete(started(IORING_OP_RECV, unsent), -EIO, 0);
	complete(started(IORING_OP_SEND, unsent), 100, 0);
	turn();
	assert_int_equal(kernel.resets, 1);
	complete(started(IORING_OP_CLOSE, unsent), 0, 0);
	turn();
	assert_int_equal(disconnected_count, 2);
}

/* The time in which the process was stopped does not count, nor for one that came just after. */
static void stopped_process(void **state)
{
	int first, second;

	(void)state;
	create_and_listen();
	first = accept_client();
	second = accept_client();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	half_close(first);
	pass_slowly(500, 0);
	kernel.now_ns += 60000 * MILLISECOND_NS;
	half_close(second);
	turn();
	pass_slowly(9000, 0);
	assert_int_equal(kernel.resets, 0);
	pass_slowly(2500, 0);
	assert_int_equal(kernel.resets, 2);
	complete(started(IORING_OP_CLOSE, first), 0, 0);
	complete(started(IORING_OP_CLOSE, second), 0, 0);
	turn();
	assert_int_equal(disconnected_reason, -ETIMEDOUT);
}

/* With a send timeout of 0 it may take as long as it likes. */
static void no_send_timeout(void **state)
{
	int fd;

	(void)state;
	options.send_timeout_ms = 0;
	create_and_listen();
	fd = accept_client();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	half_close(fd);
	pass_slowly(300000, 0);
	assert_null(find_started(IORING_OP_CLOSE, fd));
	kernel.delivery.is_pending = false;
	pass_slowly(2000, 0);
	assert_ended(fd, 0);
}

/* But a client that is being closed has no more time than an idle one. */
static void no_send_timeout_but_idle(void **state)
{
	int fd;

	(void)state;
	options.send_timeout_ms = 0;
	options.tcp_idle_timeout_ms = 10000;
	create_and_listen();
	fd = accept_client();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	half_close(fd);
	pass_slowly(9900, 0);
	assert_int_equal(kernel.resets, 0);
	pass_slowly(1500, 0);
	assert_int_equal(kernel.resets, 1);
	assert_ended(fd, -ETIMEDOUT);
}

/* A connection whose reset nothing has told of: the look finds it. */
static void reset_while_it_is_looked_at(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	half_close(fd);
	kernel.delivery_error = -ECONNRESET;
	pass_slowly(2000, 0);
	assert_ended(fd, -ECONNRESET);
}

/* A client that takes output is not idle, though it sends nothing, until it has taken all. */
static void not_idle_while_it_takes_output(void **state)
{
	(void)state;
	options.tcp_idle_timeout_ms = 2000;
	create_and_listen();
	accept_client();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	pass_slowly(20000, 1);
	assert_int_equal(kernel.shutdowns, 0);
	kernel.delivery.is_pending = false;
	pass_slowly(1900, 0);
	assert_int_equal(kernel.shutdowns, 0);
	pass_slowly(2000, 0);
	assert_int_equal(kernel.shutdowns, 1);
}

/* An idle server has nothing to look at. */
static void no_looks_without_output(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "hi\n", 3);
	send_all(fd, 3);
	pass_slowly(10000, 0);
	assert_int_equal(kernel.delivery_looks, 0);
	assert_int_equal(timers_next(&server->hub.timeouts), UINT64_MAX);
}

/* ---- The drain ---- */

static void stop_after(unsigned ms)
{
	pass(ms);
	rollcall_stop(server);
	turn();
}

/* Whether only what has arrived already is received from a client. */
static bool is_drained(rollcall_client id)
{
	return client_has_any(table_find(&server->hub.table, id), CLIENT_LAST_INPUT);
}

/* The receive of all that has arrived begins; nothing has. */
static void nothing_has_arrived(int fd)
{
	if (!(started(IORING_OP_RECV, fd)->msg_flags & MSG_DONTWAIT)) {
		complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
		turn();
	}
	assert_true(started(IORING_OP_RECV, fd)->msg_flags & MSG_DONTWAIT);
	complete(started(IORING_OP_RECV, fd), -EAGAIN, 0);
	turn();
}

/* One that has only just connected may send its first message, and is answered. */
static void first_message_in_the_drain(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	stop_after(200);
	pass(700);
	assert_false(is_drained(0));
	receive(fd, "hi\n", 3);
	assert_int_equal(stats_now().messages_received, 1);
	send_all(fd, 3);
	assert_true(is_drained(0));
	nothing_has_arrived(fd);
	assert_int_equal(kernel.shutdowns, 1);
}

/*
 * While a client takes its answers, what it sends may be held up too, as our window was closed. Its
 * input ends when it has taken all, and not before.
 */
static void input_behind_output_in_the_drain(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "hi\n", 3);
	assert_int_equal(rollcall_send(server, 0, many, QUEUE_BYTES - 3), 0);
	turn();
	kernel.delivery = (struct socket_delivery){ .acked = 1, .is_pending = true };
	send_all(fd, 100);
	stop_after(2000);
	take_output(fd);
	send_all(fd, QUEUE_BYTES - 100);
	pass_slowly(300, 100);
	assert_false(is_drained(0));
	kernel.delivery.is_pending = false;
	pass_slowly(300, 0);
	assert_true(is_drained(0));
	nothing_has_arrived(fd);
	assert_int_equal(kernel.shutdowns, 1);
}

/* But only for its grace; one that has been there for longer has none. */
static void silent_in_the_drain(void **state)
{
	int old, new;

	(void)state;
	create_and_listen();
	old = accept_client();
	pass(HUB_GRACE_MS);
	new = accept_client();
	stop_after(10);
	nothing_has_arrived(old);
	assert_int_equal(kernel.shutdowns, 1);
	assert_false(is_drained(1));
	pass(HUB_GRACE_MS);
	assert_true(is_drained(1));
	nothing_has_arrived(new);
	assert_int_equal(kernel.shutdowns, 2);
}

/* The rest of a message is waited for, for half of the time. */
static void unfinished_in_the_drain(void **state)
{
	int one, other;

	(void)state;
	create_and_listen();
	one = accept_client();
	other = accept_client();
	receive(one, "one\nhal", 7);
	receive(other, "one\nhal", 7);
	send_all(one, 4);
	send_all(other, 4);
	stop_after(5000);
	pass(options.drain_timeout_ms / 2 - 100);
	receive(one, "f\n", 2);
	assert_int_equal(stats_now().messages_received, 3);
	send_all(one, 5);
	nothing_has_arrived(one);
	assert_int_equal(kernel.shutdowns, 1);
	pass(200);
	assert_int_equal(kernel.shutdowns, 2);
}

/* So it is if the message begins after the stop, in what had arrived already. */
static void begun_in_the_drain(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "one\n", 4);
	send_all(fd, 4);
	stop_after(5000);
	assert_true(is_drained(0));
	receive(fd, "hal", 3);
	nothing_has_arrived(fd);
	assert_int_equal(kernel.shutdowns, 0);
	assert_false(started(IORING_OP_RECV, fd)->msg_flags & MSG_DONTWAIT);
	receive(fd, "f\n", 2);
	assert_int_equal(stats_now().messages_received, 2);
	send_all(fd, 5);
	nothing_has_arrived(fd);
	assert_int_equal(kernel.shutdowns, 1);
}

/* But for half of the time only. */
static void begun_and_never_finished(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	stop_after(5000);
	receive(fd, "hal", 3);
	nothing_has_arrived(fd);
	pass(options.drain_timeout_ms / 2 - 100);
	assert_int_equal(kernel.shutdowns, 0);
	pass(200);
	assert_int_equal(kernel.shutdowns, 1);
}

/* In the second half output goes on, also what a service sends in drained(). */
static void output_in_the_drain(void **state)
{
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	receive(fd, "hi\n", 3);
	assert_int_equal(rollcall_send(server, 0, many, QUEUE_BYTES), -ENOBUFS);
	stop_after(5000);
	pass(options.drain_timeout_ms / 4);
	pass(options.drain_timeout_ms / 4);
	more_in_drained = 1;
	send_all(fd, 3);
	assert_int_equal(drained_count, 1);
	assert_int_equal(kernel.shutdowns, 0);
	send_all(fd, QUEUE_BYTES);
	assert_int_equal(drained_count, 2);
	assert_int_equal(kernel.shutdowns, 1);
}

/* ---- Timers and input ---- */

/* What has arrived before a timeout is handled before it, however many turns that takes. */
static void input_before_timeout(void **state)
{
	int fd, other;

	(void)state;
	options.tcp_idle_timeout_ms = 1000;
	create_and_listen();
	fd = accept_client();
	other = accept_client();
	/* The process was stopped; what came meanwhile comes turn by turn. */
	kernel.now_ns += 60000 * MILLISECOND_NS;
	for (unsigned i = 0; i < 100; i++) {
		receive(other, "m\n", 2);
		send_all(other, 2);
	}
	receive(fd, "hi\n", 3);
	send_all(fd, 3);
	turn();
	assert_int_equal(kernel.shutdowns, 0);
	pass(5000);
	assert_int_equal(kernel.shutdowns, 2);
}

/* But a client that never stops sending does not put off timeouts without end. */
static void timeout_on_a_busy_server(void **state)
{
	unsigned turns = 0;
	int other;

	(void)state;
	options.tcp_idle_timeout_ms = 1000;
	create_and_listen();
	accept_client();
	other = accept_client();
	for (kernel.now_ns += 2000 * MILLISECOND_NS; kernel.shutdowns == 0; turns++) {
		receive(other, "m\n", 2);
		send_all(other, 2);
		assert_in_range(turns, 0, 1000);
	}
	assert_in_range(turns, 100, 1000);
}

static void expired(struct rollcall_server *of, void *context)
{
	(void)of;
	++*(unsigned *)context;
}

/* The services' timers, and with them the watchdog, do not wait for input. */
static void timer_on_a_busy_server(void **state)
{
	struct rollcall_timer *timer;
	unsigned calls = 0;
	int other;

	(void)state;
	options.tcp_idle_timeout_ms = 50;
	create_and_listen();
	accept_client();
	other = accept_client();
	assert_int_equal(rollcall_timer_start(server, &timer, 10, 10, expired, &calls), 0);
	for (unsigned turns = 1; turns <= 20; turns++) {
		kernel.now_ns += 10 * MILLISECOND_NS;
		receive(other, "m\n", 2);
		send_all(other, 2);
		assert_int_equal(calls, turns);
	}
	assert_true(server->held_turns > 0);
	assert_int_equal(rollcall_timer_stop(server, timer), 0);
}

/* Nor the send timeout: that its looks wait for input is no pause of the process. */
static void no_progress_on_a_busy_server(void **state)
{
	unsigned passed_ms;
	int other;

	(void)state;
	create_and_listen();
	accept_slow_reader();
	other = accept_client();
	for (passed_ms = 0; kernel.resets == 0; passed_ms += 4) {
		kernel.now_ns += 4 * MILLISECOND_NS;
		receive(other, "m\n", 2);
		send_all(other, 2);
		assert_in_range(passed_ms, 0, 12000);
	}
	assert_in_range(passed_ms, 10000, 12000);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)
	const struct CMUnitTest tests[] = {
		TEST(drained_after_half_close),
		TEST(drained_when_there_is_memory_again),
		TEST(last_line_behind_a_full_queue),
		TEST(not_before_all_is_acknowledged),
		TEST(closed_and_acknowledged),
		TEST(no_progress),
		TEST(little_progress),
		TEST(no_progress_while_places_are_short),
		TEST(failed_receive),
		TEST(stopped_process),
		TEST(no_send_timeout),
		TEST(no_send_timeout_but_idle),
		TEST(reset_while_it_is_looked_at),
		TEST(not_idle_while_it_takes_output),
		TEST(no_looks_without_output),
		TEST(first_message_in_the_drain),
		TEST(input_behind_output_in_the_drain),
		TEST(silent_in_the_drain),
		TEST(unfinished_in_the_drain),
		TEST(begun_in_the_drain),
		TEST(begun_and_never_finished),
		TEST(output_in_the_drain),
		TEST(input_before_timeout),
		TEST(timeout_on_a_busy_server),
		TEST(timer_on_a_busy_server),
		TEST(no_progress_on_a_busy_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
