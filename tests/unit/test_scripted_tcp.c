/* SPDX-License-Identifier: MIT */
/*
 * TCP clients where something is used up: the places for those that wait, and the memory that all
 * queues share. A client that uses it up is held up or ended; the others are not.
 */
#include "unit/scripted_server.h"

#define MEMORY_BYTES (1 << 20)
#define BLOCKS (MEMORY_BYTES / QUEUE_BLOCK_BYTES)

static const uint8_t many[MEMORY_BYTES];
static unsigned drained_count;
static rollcall_client disconnected_client;
static int disconnected_reason;

static void on_drained(struct rollcall_server *of, rollcall_client client, void *context)
{
	(void)of;
	(void)client;
	(void)context;
	drained_count++;
}

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)context;
	disconnected_client = client;
	disconnected_reason = reason;
}

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

/* A server with as little memory as can be, which one client may use up. */
static int begin(void **state)
{
	int error = scripted_begin(state);

	options.memory_bytes_max = MEMORY_BYTES;
	options.send_queue_bytes = options.send_queue_bytes_max = 4 * MEMORY_BYTES;
	service.framing = ROLLCALL_FRAMING_RAW;
	service.drained = on_drained;
	service.disconnected = on_disconnected;
	drained_count = 0;
	disconnected_client = ROLLCALL_NONE;
	return error;
}

/* Ends a receive that the server has cancelled. */
static void complete_cancelled(int fd)
{
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
}

/* Its descriptor is being closed; then the service is told. */
static void assert_ended(int fd, rollcall_client client, int reason)
{
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(disconnected_client, client);
	assert_int_equal(disconnected_reason, reason);
}

/* However many a kernel accepts while the table is full: some wait, the rest is closed. */
static void too_many_waiting(void **state)
{
	unsigned files;
	int first, last;

	(void)state;
	options.tcp_clients_max = 1;
	create_and_listen();
	first = accept_client();
	files = count_open_files();
	for (int i = 0; i < LISTENER_WAITING_MAX; i++)
		complete(started(IORING_OP_ACCEPT, -1), kernel_open(), IORING_CQE_F_MORE);
	turn();
	assert_int_equal(count_open_files(), files + LISTENER_WAITING_MAX);
	last = accept_client();
	assert_false(kernel.is_open[last]);
	assert_int_equal(count_open_files(), files + LISTENER_WAITING_MAX);
	assert_int_equal(stats_now().tcp_clients, 1);

	/* They were not forgotten: the next one is served when a slot is free. */
	complete(started(IORING_OP_RECV, first), -ECONNRESET, 0);
	turn();
	complete(started(IORING_OP_CLOSE, first), 0, 0);
	turn();
	assert_int_equal(stats_now().tcp_clients, 2);
	started(IORING_OP_RECV, first + 1);
}

/*
 * When half of the memory is used, a client with much queued is not received from until less is
 * used, however long its queue may be; one with little is.
 */
static void half_used(void **state)
{
	int fd, other;

	(void)state;
	create_and_listen();
	fd = accept_client();
	other = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 600000), 0);
	assert_int_equal(stats_now().receive_pauses, 1);
	assert_int_equal(rollcall_send(server, 1, many, 10), 0);
	assert_int_equal(stats_now().receive_pauses, 1);
	turn();
	complete_cancelled(fd);

	complete(started(IORING_OP_SENDMSG, fd), 40000, 0);
	turn();
	assert_null(find_started(IORING_OP_RECV, fd));
	assert_int_equal(drained_count, 0);
	take_output(fd);
	complete(started(IORING_OP_SENDMSG, fd), 200000, 0);
	turn();
	started(IORING_OP_RECV, fd);
	started(IORING_OP_RECV, other);
	assert_int_equal(drained_count, 1);
}

/*
 * When three quarters are used, receiving is suspended above half a block. Of the last eighth, what
 * is small is still taken, and what is not is refused.
 */
static void scarce(void **state)
{
	int other;

	(void)state;
	create_and_listen();
	accept_client();
	other = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 800000), 0);
	assert_int_equal(rollcall_send(server, 1, many, QUEUE_BLOCK_BYTES / 2), 0);
	assert_int_equal(stats_now().receive_pauses, 1);
	assert_int_equal(rollcall_send(server, 1, many, 1), 0);
	assert_int_equal(stats_now().receive_pauses, 2);
	assert_int_equal(rollcall_send(server, 0, many, 100000), 0);
	assert_int_equal(rollcall_send(server, 1, many, 100), 0);
	assert_int_equal(rollcall_send(server, 1, many, 8000), -ENOMEM);
	assert_int_equal(stats_now().sends_refused, 1);
	turn();
	complete(started(IORING_OP_SEND, other), QUEUE_BLOCK_BYTES / 2 + 101, 0);
	turn();
	assert_int_equal(drained_count, 1);
}

/* A full queue of the client's own and memory that all have used up are told apart. */
static void full_or_scarce(void **state)
{
	const struct queue *queue;
	int greedy;

	(void)state;
	options.send_queue_bytes = options.send_queue_bytes_max = 950000;
	create_and_listen();
	greedy = accept_client();
	queue = &server->hub.table.slots[0].tcp.queue;
	accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 900000), 0);
	assert_int_equal(rollcall_send(server, 0, many, 50001), -ENOBUFS);
	assert_int_equal(rollcall_send(server, 0, many, 50000), -ENOMEM);
	assert_int_equal(rollcall_send(server, 1, many, 17000), -ENOMEM);
	assert_int_equal(rollcall_send(server, 1, many, 950001), -EMSGSIZE);
	assert_int_equal(stats_now().sends_refused, 3);
	turn();
	/* Each is told once when it has space. */
	kernel.now_ns += TCP_RETRY_NS;
	turn();
	assert_int_equal(drained_count, 1);
	for (; queue->bytes > 0; turn())
		complete(started(queue->chunks > 1 ? IORING_OP_SENDMSG : IORING_OP_SEND, greedy),
			 (int)server->hub.table.slots[0].sending, 0);
	assert_int_equal(drained_count, 2);
	assert_int_equal(rollcall_send(server, 0, many, 50001), 0);
	assert_int_equal(rollcall_send(server, 1, many, 17000), 0);
}

/*
 * A client that was refused and has nothing in flight is told after a while that it may try
 * again, not at once: whatever else is done for it.
 */
static void refused_with_nothing_queued(void **state)
{
	int other;

	(void)state;
	create_and_listen();
	accept_client();
	other = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 900000), 0);
	assert_int_equal(rollcall_send(server, 1, many, 17000), -ENOMEM);
	complete(started(IORING_OP_RECV, other), -EAGAIN, 0);
	turn();
	assert_int_equal(drained_count, 0);
	kernel.now_ns += TCP_RETRY_NS;
	turn();
	assert_int_equal(drained_count, 1);
	started(IORING_OP_RECV, other);
}

/*
 * What a first send has not taken is copied, so that it holds no buffer that others need. Without
 * memory for the copy the client is ended.
 */
static void no_memory_for_the_rest(void **state)
{
	unsigned clients = 0;
	int greedy, slow;

	(void)state;
	service.received = echo;
	create_and_listen();
	greedy = accept_client();
	slow = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 190 * QUEUE_BLOCK_PAYLOAD), 0);
	turn();
	complete_cancelled(greedy);
	receive(slow, many, 12000);
	started(IORING_OP_SEND, slow);
	do {
		accept_client();
		clients++;
	} while (rollcall_send(server, 1 + clients, "x", 1) == 0);
	assert_int_equal(clients, BLOCKS - 190 + 1);

	complete(started(IORING_OP_SEND, slow), 1, 0);
	turn();
	complete_cancelled(slow);
	assert_ended(slow, 1, -ENOBUFS);
	assert_int_equal(stats_now().tcp_clients_now, clients + 1);
}

/* A message that begins before a pause and grows too large behind it ends its client. */
static void no_memory_after_a_pause(void **state)
{
	const size_t bytes = 16000;
	int fd;

	(void)state;
	options.send_queue_bytes = 4096;
	service.framing = ROLLCALL_FRAMING_LINES;
	service.message_bytes_max = MEMORY_BYTES;
	create_and_listen();
	fd = accept_client();
	for (size_t i = 0; i < MEMORY_BYTES / 2 / bytes; i++)
		receive(fd, many, bytes);
	assert_int_equal(rollcall_send(server, 0, many, 5000), 0);
	receive(fd, many, bytes);
	receive(fd, many, bytes);
	assert_int_equal(disconnected_client, ROLLCALL_NONE);
	complete_cancelled(fd);
	complete(started(IORING_OP_SENDMSG, fd), 5000, 0);
	turn();
	assert_ended(fd, 0, -ENOBUFS);
	assert_int_equal(stats_now().memory_bytes_now, 0);
}

/*
 * A client that sends more short lines than its share of a turn does not keep others waiting: its
 * receive is cancelled, and the rest is handled in further turns without a sleep. Then it is
 * received from in small pieces, until one of them fits into its share.
 */
static void more_than_its_share(void **state)
{
	static char lines[2 * TCP_SHARE_MESSAGES + 1];
	struct io_uring_sqe *receive_sqe;
	int greedy, other;

	(void)state;
	memset(lines, '\n', sizeof(lines));
	service.framing = ROLLCALL_FRAMING_LINES;
	create_and_listen();
	greedy = accept_client();
	other = accept_client();
	memcpy(next_buffer(BUFFERS_TCP), lines, sizeof(lines));
	complete_with_buffer(started(IORING_OP_RECV, greedy), BUFFERS_TCP, sizeof(lines));
	receive(other, "hello\n", 6);
	assert_int_equal(stats_now().messages_received, TCP_SHARE_MESSAGES + 1);
	kernel.is_waited = false;
	complete_cancelled(greedy);
	assert_int_equal(kernel.first_wait_ns, 0);
	assert_int_equal(stats_now().messages_received, 2 * TCP_SHARE_MESSAGES + 1);
	assert_null(find_started(IORING_OP_RECV, greedy));
	turn();
	assert_int_equal(stats_now().messages_received, 2 * TCP_SHARE_MESSAGES + 2);

	receive_sqe = started(IORING_OP_RECV, greedy);
	assert_int_equal(receive_sqe->len, TCP_LIMITED_BYTES);
	assert_false(receive_sqe->ioprio & IORING_RECV_MULTISHOT);
	memcpy(next_buffer(BUFFERS_TCP), "a\n", 2);
	complete_with_buffer_flags(receive_sqe, BUFFERS_TCP, 2, 0);
	turn();
	receive_sqe = started(IORING_OP_RECV, greedy);
	assert_true(receive_sqe->ioprio & IORING_RECV_MULTISHOT);
}

/* In the drain such a client is received from in small pieces too: a multishot receive would bring
 * all that is in the socket, to be held in memory. */
static void small_pieces_in_the_drain(void **state)
{
	static char lines[TCP_SHARE_MESSAGES + 1];
	struct io_uring_sqe *receive_sqe;
	int fd;

	(void)state;
	memset(lines, '\n', sizeof(lines));
	service.framing = ROLLCALL_FRAMING_LINES;
	create_and_listen();
	fd = accept_client();
	memcpy(next_buffer(BUFFERS_TCP), lines, sizeof(lines));
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, sizeof(lines));
	turn();
	rollcall_stop(server);
	complete_cancelled(fd);
	turn();
	assert_int_equal(stats_now().messages_received, sizeof(lines));
	receive_sqe = started(IORING_OP_RECV, fd);
	assert_int_equal(receive_sqe->len, TCP_LIMITED_BYTES);
	assert_int_equal(receive_sqe->msg_flags, MSG_DONTWAIT);
	assert_false(receive_sqe->ioprio & IORING_RECV_MULTISHOT);
}

/*
 * What a closing client has in flight is cancelled one after the other, by its user_data: for a
 * cancel by descriptor the kernel looks at every operation that waits.
 */
static void cancelled_one_by_one(void **state)
{
	static const uint8_t opcodes[] = { IORING_OP_RECV, IORING_OP_POLL_ADD };
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, "xy", 2), 0);
	turn();
	complete(started(IORING_OP_SEND, fd), 1, 0);
	turn();
	assert_int_equal(rollcall_abort(server, 0), 0);
	turn();
	for (int i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe = started(opcodes[i], fd);
		struct io_uring_sqe *cancel = started(IORING_OP_ASYNC_CANCEL, -1);

		assert_int_equal(cancel->addr, sqe->user_data);
		assert_int_equal(cancel->cancel_flags, 0);
		complete(cancel, 0, 0);
		complete(started(opcodes[i], fd), -ECANCELED, 0);
		assert_null(find_started(IORING_OP_CLOSE, fd));
		turn();
	}
	assert_ended(fd, 0, -ECONNABORTED);
}

/* No send waits; a full socket is polled, and takes the rest afterwards. */
static void full_socket(void **state)
{
	struct io_uring_sqe *poll;
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 300), 0);
	turn();
	for (int i = 0; i < 2; i++) {
		assert_true(started(IORING_OP_SEND, fd)->msg_flags & MSG_DONTWAIT);
		complete(started(IORING_OP_SEND, fd), i ? -EAGAIN : 100, 0);
		turn();
		poll = started(IORING_OP_POLL_ADD, fd);
		assert_int_equal(poll->poll32_events, POLLOUT);
		assert_int_equal(poll->len, 0);
		assert_null(find_started(IORING_OP_SEND, fd));
		complete(poll, POLLOUT, 0);
		turn();
	}
	complete(started(IORING_OP_SEND, fd), 200, 0);
	turn();
	assert_null(find_started(IORING_OP_POLL_ADD, fd));

	/* Without memory for a poll it is tried again after a while. */
	assert_int_equal(rollcall_send(server, 0, many, 300), 0);
	turn();
	complete(started(IORING_OP_SEND, fd), 100, 0);
	turn();
	complete(started(IORING_OP_POLL_ADD, fd), -ENOMEM, 0);
	turn();
	assert_null(find_started(IORING_OP_POLL_ADD, fd));
	assert_null(find_started(IORING_OP_SEND, fd));
	pass(60);
	assert_true(started(IORING_OP_SEND, fd)->msg_flags & MSG_DONTWAIT);
}

/*
 * After the peer's FIN every poll reports it at once. A multishot poll reports it once; then it
 * waits for the socket, and is cancelled when that takes output.
 */
static void full_socket_after_a_half_close(void **state)
{
	struct io_uring_sqe *poll;
	int fd;

	(void)state;
	create_and_listen();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, 300), 0);
	turn();
	complete(started(IORING_OP_SEND, fd), 100, 0);
	turn();
	complete(started(IORING_OP_POLL_ADD, fd), POLLRDHUP, 0);
	turn();
	poll = started(IORING_OP_POLL_ADD, fd);
	assert_true(poll->len & IORING_POLL_ADD_MULTI);
	complete(poll, POLLRDHUP, IORING_CQE_F_MORE);
	turn();
	assert_null(find_started(IORING_OP_ASYNC_CANCEL, -1));
	assert_null(find_started(IORING_OP_SEND, fd));
	complete(started(IORING_OP_POLL_ADD, fd), POLLRDHUP | POLLOUT, IORING_CQE_F_MORE);
	turn();
	poll = started(IORING_OP_POLL_ADD, fd);
	assert_int_equal(started(IORING_OP_ASYNC_CANCEL, -1)->addr, poll->user_data);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	complete(started(IORING_OP_POLL_ADD, fd), -ECANCELED, 0);
	turn();
	complete(started(IORING_OP_SEND, fd), 200, 0);
	turn();
	assert_null(find_started(IORING_OP_POLL_ADD, fd));
}

/* The pool of buffers is exhausted for a client, at the end of a turn. */
static void exhaust_buffers(int fd)
{
	complete(started(IORING_OP_RECV, fd), -ENOBUFS, 0);
	turn();
}

/*
 * A dry pool grows, once a turn, unless it would then hold too much for a turn. After a turn in
 * which much came it gets small again.
 */
static void pool(void **state)
{
	struct buffers *buffers;
	size_t enough;
	int fd, other;

	(void)state;
	options.memory_bytes_max = 256 << 20;
	create_and_listen();
	buffers = &server->hub.buffers[BUFFERS_TCP];
	assert_int_equal(buffers->count, HUB_TCP_BUFFERS);
	fd = accept_client();
	other = accept_client();
	complete(started(IORING_OP_RECV, other), -ENOBUFS, 0);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 2 * HUB_TCP_BUFFERS);
	assert_int_equal(stats_now().buffers_exhausted, 2);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 4 * HUB_TCP_BUFFERS);
	enough = TCP_TURN_BYTES_MAX / (8 * HUB_TCP_BUFFERS);
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, enough);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 4 * HUB_TCP_BUFFERS);
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, enough - 1);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 8 * HUB_TCP_BUFFERS);
	receive(fd, "x", 1);
	assert_int_equal(buffers->count, 8 * HUB_TCP_BUFFERS);
	/* Much. */
	for (size_t i = 0; i < TCP_TURN_BYTES_MAX / 65536; i++)
		complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, 65536);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 8 * HUB_TCP_BUFFERS - 1);
	for (unsigned i = 0; i < 8 * HUB_TCP_BUFFERS; i++)
		receive(fd, "x", 1);
	assert_int_equal(buffers->count, HUB_TCP_BUFFERS);
	exhaust_buffers(fd);
	assert_int_equal(buffers->count, 2 * HUB_TCP_BUFFERS);
}

/* The smallest pool, which does not grow; its buffers are all free again after a turn. */
static void begin_with_small_pool(void)
{
	options.memory_bytes_max = 1 << 20;
	create_and_listen();
	assert_int_equal(server->hub.buffers[BUFFERS_TCP].count_max, HUB_TCP_BUFFERS);
}

/*
 * More clients wait for a buffer than there are. Those that are resumed first may find no input, so
 * that nothing wakes the loop: it resumes the others without a sleep.
 */
static void more_wait_than_buffers(void **state)
{
	int fds[2 * HUB_TCP_BUFFERS + 1];
	unsigned resumed = 0;

	(void)state;
	begin_with_small_pool();
	for (unsigned i = 0; i <= 2 * HUB_TCP_BUFFERS; i++)
		fds[i] = accept_client();
	for (unsigned i = 0; i <= 2 * HUB_TCP_BUFFERS; i++)
		complete(started(IORING_OP_RECV, fds[i]), -ENOBUFS, 0);
	turn();
	assert_null(find_started(IORING_OP_RECV, fds[HUB_TCP_BUFFERS]));
	for (unsigned i = 0; i < 2; i++) {
		kernel.is_waited = false;
		assert_int_equal(server_turn(server, UINT64_MAX), 0);
		assert_int_equal(kernel.first_wait_ns, 0);
		server_flush(server);
	}
	for (unsigned i = 0; i <= 2 * HUB_TCP_BUFFERS; i++)
		resumed += find_started(IORING_OP_RECV, fds[i]) != NULL;
	assert_int_equal(resumed, 2 * HUB_TCP_BUFFERS + 1);
	kernel.is_waited = false;
	assert_int_equal(server_turn(server, UINT64_MAX), 0);
	assert_true(kernel.first_wait_ns > 0);
}

/* A client brings a piece of this length, and then finds no buffer. */
static void receive_and_exhaust(int fd, size_t bytes)
{
	complete_with_buffer(started(IORING_OP_RECV, fd), BUFFERS_TCP, bytes);
	complete(started(IORING_OP_RECV, fd), -ENOBUFS, 0);
}

/*
 * When buffers are short, clients that sent more bytes at once than their share get one after
 * those that did not; but a quarter of the buffers is theirs.
 */
static void more_bytes_than_its_share(void **state)
{
	enum { CLIENTS = HUB_TCP_BUFFERS };
	int greedy[CLIENTS / 2], others[CLIENTS];
	unsigned resumed[2] = { 0 };

	(void)state;
	begin_with_small_pool();
	for (unsigned i = 0; i < CLIENTS / 2; i++)
		greedy[i] = accept_client();
	for (unsigned i = 0; i < CLIENTS; i++)
		others[i] = accept_client();
	for (unsigned i = 0; i < CLIENTS / 2; i++)
		receive_and_exhaust(greedy[i], TCP_SHARE_BYTES + 1);
	turn();
	for (unsigned i = 0; i < CLIENTS / 2; i++)
		complete(started(IORING_OP_RECV, greedy[i]), -ENOBUFS, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		complete(started(IORING_OP_RECV, others[i]), -ENOBUFS, 0);
	turn();
	for (unsigned i = 0; i < CLIENTS / 2; i++)
		resumed[0] += find_started(IORING_OP_RECV, greedy[i]) != NULL;
	for (unsigned i = 0; i < CLIENTS; i++)
		resumed[1] += find_started(IORING_OP_RECV, others[i]) != NULL;
	assert_int_equal(resumed[0], CLIENTS / 4);
	assert_int_equal(resumed[1], CLIENTS - CLIENTS / 4);

	/* What is just its share is no reason. */
	receive_and_exhaust(others[0], TCP_SHARE_BYTES);
	assert_int_equal(server_turn(server, 0), 0);
	assert_int_equal(table_find(&server->hub.table, CLIENTS / 2)->receive, RECEIVE_NO_BUFFER);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pool),
		TEST(more_wait_than_buffers),
		TEST(more_bytes_than_its_share),
		TEST(too_many_waiting),
		TEST(more_than_its_share),
		TEST(small_pieces_in_the_drain),
		TEST(cancelled_one_by_one),
		TEST(full_socket),
		TEST(full_socket_after_a_half_close),
		TEST(half_used),
		TEST(scarce),
		TEST(full_or_scarce),
		TEST(refused_with_nothing_queued),
		TEST(no_memory_for_the_rest),
		TEST(no_memory_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
