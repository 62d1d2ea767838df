/* SPDX-License-Identifier: MIT */
/* Sending on a connection, from the first byte to the end that either side makes. */
#include <poll.h>

#include "contract/contract.h"

#define SEND 1
#define RECEIVE 2
#define POLL 3

/* More than a connection holds, both ends together. */
static uint8_t many[32 << 20];

static struct peer peer;
static int fd;

static int set_up(void **state)
{
	for (size_t i = 0; many[1] == 0 && i < sizeof(many); i++)
		many[i] = (uint8_t)(i * 7 + i / 65521);
	if (contract_begin(state))
		return -1;
	fd = connected(&peer);
	return 0;
}

static int tear_down(void **state)
{
	peer_close(&peer);
	if (fd >= 0)
		close_fd(fd);
	return contract_end(state);
}

static void start_send(const void *data, size_t bytes, int flags)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_send(sqe, fd, data, bytes, flags);
	sqe->user_data = SEND;
}

static int send_now(const void *data, size_t bytes, int flags)
{
	start_send(data, bytes, flags);
	return completion_of(SEND).res;
}

/* Sends until the connection takes no more; returns how many bytes it took. */
static size_t fill(void)
{
	size_t sent = 0;
	int result;

	while ((result = send_now(many + sent, sizeof(many) - sent, MSG_DONTWAIT)) > 0)
		sent += (size_t)result;
	assert_int_equal(result, -EAGAIN);
	return sent;
}

static void assert_peer_receives(size_t bytes)
{
	static uint8_t received[sizeof(many)];

	assert_int_equal(peer_receive_all(&peer, received, bytes), bytes);
	assert_memory_equal(received, many, bytes);
}

static void assert_peer_sees_end(ssize_t expected)
{
	uint8_t byte;

	assert_int_equal(peer_await(&peer, &byte, 1), expected);
}

static void one_piece_and_many(void **state)
{
	struct iovec pieces[64];
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = COUNT(pieces) };
	struct io_uring_sqe *sqe = sqe_get();

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++)
		pieces[i] = (struct iovec){ many + 1000 + i * 10, 10 };
	io_uring_prep_send(sqe, fd, many, 1000, MSG_NOSIGNAL);
	sqe->user_data = SEND;
	assert_int_equal(completion_of(SEND).res, 1000);
	sqe = sqe_get();
	io_uring_prep_sendmsg(sqe, fd, &message, MSG_NOSIGNAL);
	sqe->user_data = SEND;
	assert_int_equal(completion_of(SEND).res, 640);
	assert_peer_receives(1640);
}

/* With MSG_DONTWAIT a send takes what fits, fewer than asked, and then EAGAIN; no byte is lost. */
static void short_send(void **state)
{
	int first = send_now(many, sizeof(many), MSG_DONTWAIT);
	size_t sent = (size_t)first;
	int result;

	(void)state;
	assert_in_range(first, 1, sizeof(many) - 1);
	while ((result = send_now(many + sent, sizeof(many) - sent, MSG_DONTWAIT)) > 0)
		sent += (size_t)result;
	assert_int_equal(result, -EAGAIN);
	assert_int_equal(send_now(many + sent, 1, MSG_DONTWAIT), -EAGAIN);
	assert_peer_receives(sent);
}

/* Without it a send waits until there is space, and may then be short too. */
static void waiting_send(void **state)
{
	size_t sent = fill(), received = 0;
	struct completion completion;
	static uint8_t bytes[65536];

	(void)state;
	start_send(many + sent, sizeof(many) - sent, MSG_NOSIGNAL);
	assert_false(completion_now(SEND, &completion));
	while (sent < sizeof(many)) {
		ssize_t taken = peer_receive(&peer, bytes, sizeof(bytes));

		if (taken > 0) {
			assert_memory_equal(bytes, many + received, (size_t)taken);
			received += (size_t)taken;
			continue;
		}
		assert_int_equal(taken, -EAGAIN);
		completion = completion_of(SEND);
		assert_in_range(completion.res, 1, sizeof(many) - sent);
		sent += (size_t)completion.res;
		if (sent < sizeof(many))
			start_send(many + sent, sizeof(many) - sent, MSG_NOSIGNAL);
	}
	while (received < sizeof(many)) {
		ssize_t taken = peer_await(&peer, bytes, sizeof(bytes));

		assert_in_range(taken, 1, sizeof(bytes));
		assert_memory_equal(bytes, many + received, (size_t)taken);
		received += (size_t)taken;
	}
}

/*
 * To a peer that has reset: an error, and no SIGPIPE, with MSG_NOSIGNAL and without (the signal
 * would end this program).
 */
static void to_a_reset_peer(void **state)
{
	int result;

	(void)state;
	peer_reset(&peer);
	while ((result = send_now("x", 1, MSG_NOSIGNAL)) == 1)
		turn();
	assert_true(result == -EPIPE || result == -ECONNRESET);
	assert_int_equal(send_now("x", 1, MSG_NOSIGNAL), -EPIPE);
	assert_int_equal(send_now("x", 1, 0), -EPIPE);
}

/* To a peer that is gone in good order: what it did not read is answered with a reset. */
static void to_a_closed_peer(void **state)
{
	int result;

	(void)state;
	peer_close(&peer);
	assert_int_equal(send_now("x", 1, MSG_NOSIGNAL), 1);
	while ((result = send_now("x", 1, MSG_NOSIGNAL)) == 1)
		turn();
	assert_true(result == -EPIPE || result == -ECONNRESET);
	assert_int_equal(send_now("x", 1, MSG_NOSIGNAL), -EPIPE);
}

/* A send that waits ends when the peer resets. */
static void reset_while_waiting(void **state)
{
	int result;

	(void)state;
	fill();
	start_send(many, 1, MSG_NOSIGNAL);
	turn();
	peer_reset(&peer);
	result = completion_of(SEND).res;
	assert_true(result == -EPIPE || result == -ECONNRESET);
}

/* One that waits and is cancelled has sent nothing. */
static void cancel_while_waiting(void **state)
{
	size_t sent = fill();
	uint8_t byte;

	(void)state;
	start_send("?", 1, MSG_NOSIGNAL);
	turn();
	assert_int_equal(cancel(SEND), 0);
	assert_int_equal(completion_of(SEND).res, -ECANCELED);
	assert_peer_receives(sent);
	assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
}

/* A send that does not wait, done or refused, completes as it is submitted. */
static void send_at_once(void **state)
{
	struct completion completion;

	(void)state;
	for (int refused = 0; refused < 2; refused++) {
		if (refused)
			fill();
		start_send("x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		assert_int_equal(ring_submit_and_wait(ring, 0), 0);
		keep_completions();
		assert_true(take_kept(SEND, &completion));
		assert_int_equal(completion.res, refused ? -EAGAIN : 1);
	}
}

/* After our half-close the peer reads all and then the end, and what it sends still arrives. */
static void our_half_close(void **state)
{
	struct completion received;
	uint8_t bytes[BUFFER_BYTES];

	(void)state;
	assert_int_equal(send_now(many, 5000, MSG_NOSIGNAL), 5000);
	socket_shutdown(ring, fd);
	assert_peer_receives(5000);
	assert_peer_sees_end(0);
	assert_int_equal(send_now("x", 1, MSG_NOSIGNAL), -EPIPE);
	start_receive(fd, 0, RECEIVE);
	peer_send_all(&peer, "more", 4);
	received = completion_of(RECEIVE);
	assert_int_equal(take_bytes(&received, bytes), 4);
	peer_close(&peer);
	assert_int_equal(completion_of(RECEIVE).res, 0);
	/* The connection is over now, but ending it once more is no error. */
	socket_shutdown(ring, fd);
}

/* A close delivers what was sent, and then the end. */
static void close_in_good_order(void **state)
{
	(void)state;
	assert_int_equal(send_now(many, 5000, MSG_NOSIGNAL), 5000);
	close_fd(fd);
	fd = -1;
	assert_peer_receives(5000);
	assert_peer_sees_end(0);
}

static void close_with_a_reset(void **state)
{
	(void)state;
	socket_reset_on_close(ring, fd);
	close_fd(fd);
	fd = -1;
	assert_peer_sees_end(-ECONNRESET);
}

/* A close with bytes that were not received resets the connection (Linux; RFC 2525, 2.17). */
static void close_with_unread_bytes(void **state)
{
	struct completion received;
	uint8_t bytes[BUFFER_BYTES];

	(void)state;
	/* The first is received, so that the others have arrived when the close comes. */
	start_receive(fd, 0, RECEIVE);
	peer_send_all(&peer, "first", 5);
	received = completion_of(RECEIVE);
	take_bytes(&received, bytes);
	cancel(RECEIVE);
	completion_of(RECEIVE);
	peer_send_all(&peer, "second", 6);
	turn();
	close_fd(fd);
	fd = -1;
	assert_peer_sees_end(-ECONNRESET);
}

/*
 * A pending receive holds the connection open after its descriptor was closed (Linux): the peer
 * sees no end until the receive is cancelled. So cancel first, then close.
 */
static void close_under_a_receive(void **state)
{
	struct completion none;
	uint8_t byte;

	(void)state;
	start_receive(fd, 0, RECEIVE);
	turn();
	close_fd(fd);
	fd = -1;
	assert_false(completion_now(RECEIVE, &none));
	assert_int_equal(peer_receive(&peer, &byte, 1), -EAGAIN);
	assert_int_equal(cancel(RECEIVE), 0);
	assert_int_equal(completion_of(RECEIVE).res, -ECANCELED);
	assert_peer_sees_end(0);
}

static void cancel_all_then_close(void **state)
{
	(void)state;
	start_receive(fd, 0, RECEIVE);
	turn();
	assert_int_equal(cancel_fd(fd), 1);
	assert_int_equal(completion_of(RECEIVE).res, -ECANCELED);
	close_fd(fd);
	fd = -1;
	assert_peer_sees_end(0);
}

/* ---- Polls ---- */

static void start_poll(bool multishot)
{
	struct io_uring_sqe *sqe = sqe_get();

	if (multishot)
		io_uring_prep_poll_multishot(sqe, fd, POLLOUT);
	else
		io_uring_prep_poll_add(sqe, fd, POLLOUT);
	sqe->user_data = POLL;
}

/* A poll waits until the connection takes output, and can be cancelled by its user_data. */
static void poll_for_output(void **state)
{
	struct completion completion;
	const size_t sent = fill();

	(void)state;
	start_poll(false);
	assert_false(completion_now(POLL, &completion));
	assert_peer_receives(sent);
	assert_int_equal(completion_of(POLL).res, POLLOUT);
	fill();
	start_poll(false);
	/* What the peer acknowledges late makes space again. */
	while (completion_now(POLL, &completion)) {
		assert_int_equal(completion.res, POLLOUT);
		fill();
		start_poll(false);
	}
	assert_int_equal(cancel(POLL), 0);
	assert_int_equal(completion_of(POLL).res, -ECANCELED);
}

/*
 * The peer's FIN ends each poll at once, though nobody has asked for POLLRDHUP. A multishot poll
 * reports it once, and then waits.
 */
static void poll_after_the_fin(void **state)
{
	struct completion completion;
	const size_t sent = fill();

	(void)state;
	peer_shutdown(&peer);
	for (int i = 0; i < 3; i++) {
		start_poll(false);
		assert_int_equal(completion_of(POLL).res, POLLRDHUP);
	}
	start_poll(true);
	completion = completion_of(POLL);
	assert_int_equal(completion.res, POLLRDHUP);
	assert_true(completion.flags & IORING_CQE_F_MORE);
	assert_false(completion_now(POLL, &completion));
	assert_peer_receives(sent);
	completion = completion_of(POLL);
	assert_true(completion.res & POLLOUT);
	assert_true(completion.flags & IORING_CQE_F_MORE);
	assert_int_equal(cancel(POLL), 0);
	do {
		completion = completion_of(POLL);
	} while (completion.flags & IORING_CQE_F_MORE);
	assert_int_equal(completion.res, -ECANCELED);
}

/* A reset ends a poll. */
static void poll_and_reset(void **state)
{
	(void)state;
	fill();
	start_poll(false);
	peer_reset(&peer);
	assert_true(completion_of(POLL).res & POLLERR);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_piece_and_many),    TEST(short_send),
		TEST(waiting_send),	     TEST(send_at_once),
		TEST(to_a_reset_peer),	     TEST(to_a_closed_peer),
		TEST(reset_while_waiting),   TEST(cancel_while_waiting),
		TEST(our_half_close),	     TEST(close_in_good_order),
		TEST(close_with_a_reset),    TEST(close_with_unread_bytes),
		TEST(close_under_a_receive), TEST(cancel_all_then_close),
		TEST(poll_for_output),	     TEST(poll_after_the_fin),
		TEST(poll_and_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
