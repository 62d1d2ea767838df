/* SPDX-License-Identifier: MIT */
/* Cancelling: which operation it finds, its result, and how the cancelled operation ends. */
#include <poll.h>
#include <unistd.h>

#include "contract/contract.h"

static struct peer peer;
static int fd;

static int set_up(void **state)
{
	if (contract_begin(state))
		return -1;
	fd = connected(&peer);
	return 0;
}

static int tear_down(void **state)
{
	peer_close(&peer);
	close_fd(fd);
	return contract_end(state);
}

static void assert_cancelled(uint64_t user_data)
{
	struct completion last = completion_of(user_data);

	assert_int_equal(last.res, -ECANCELED);
	assert_false(last.flags & (IORING_CQE_F_MORE | IORING_CQE_F_BUFFER));
}

/* One of several is cancelled by its user_data, the others go on. */
static void by_user_data(void **state)
{
	struct completion received;
	struct peer other_peer;
	uint8_t bytes[BUFFER_BYTES];
	int other = connected(&other_peer);

	(void)state;
	start_receive(fd, 0, 1);
	start_receive(other, 0, 2);
	turn();
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
	peer_send_all(&other_peer, "x", 1);
	received = completion_of(2);
	assert_int_equal(take_bytes(&received, bytes), 1);
	assert_true(received.flags & IORING_CQE_F_MORE);
	assert_int_equal(cancel(2), 0);
	assert_cancelled(2);
	peer_close(&other_peer);
	close_fd(other);
}

/* Where nothing has that user_data, any more or at all, it says ENOENT. */
static void nothing_there(void **state)
{
	(void)state;
	assert_int_equal(cancel(1), -ENOENT);
	start_receive(fd, 0, 1);
	turn();
	assert_int_equal(cancel(1), 0);
	assert_int_equal(cancel(1), -ENOENT);
	assert_cancelled(1);
	peer_shutdown(&peer);
	start_receive(fd, 0, 1);
	assert_int_equal(completion_of(1).res, 0);
	assert_int_equal(cancel(1), -ENOENT);
}

/* The cancel may stand in the same submission, right behind what it cancels. */
static void in_the_same_submission(void **state)
{
	(void)state;
	start_receive(fd, 0, 1);
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
}

/* Data that has come before the cancel is not lost with it: it can be received after. */
static void data_stays(void **state)
{
	struct completion received;
	uint8_t bytes[BUFFER_BYTES];
	size_t count = 0;

	(void)state;
	for (int round = 0; round < 20; round++) {
		int result;

		start_receive(fd, 0, 1);
		turn();
		peer_send_all(&peer, "x", 1);
		result = cancel(1);
		assert_true(result == 0 || result == -ENOENT || result == -EALREADY);
		do {
			received = completion_of(1);
			if (received.res > 0)
				count += take_bytes(&received, bytes);
		} while (received.flags & IORING_CQE_F_MORE);
	}
	start_receive(fd, 0, 1);
	while (count < 20) {
		received = completion_of(1);
		count += take_bytes(&received, bytes);
	}
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
}

/* All of a descriptor: receive and send end, the result is their number, and others go on. */
static void all_of_a_descriptor(void **state)
{
	static uint8_t many[1 << 20];
	struct io_uring_sqe *sqe;
	struct completion none;
	struct peer other_peer;
	int other = connected(&other_peer), result;

	(void)state;
	do {
		sqe = sqe_get();
		io_uring_prep_send(sqe, fd, many, sizeof(many), MSG_DONTWAIT);
		sqe->user_data = 3;
		result = completion_of(3).res;
	} while (result > 0);
	assert_int_equal(result, -EAGAIN);
	start_receive(fd, 0, 1);
	start_receive(other, 0, 2);
	sqe = sqe_get();
	io_uring_prep_send(sqe, fd, many, sizeof(many), 0);
	sqe->user_data = 3;
	turn();
	assert_int_equal(cancel_fd(fd), 2);
	assert_cancelled(1);
	assert_cancelled(3);
	assert_false(completion_now(2, &none));
	assert_int_equal(cancel_fd(other), 1);
	assert_cancelled(2);
	peer_close(&other_peer);
	close_fd(other);
}

/* All of a descriptor that has nothing in flight: none. */
static void all_of_nothing(void **state)
{
	int result = cancel_fd(fd);

	(void)state;
	assert_true(result == 0 || result == -ENOENT);
}

/* Of several with the same user_data one cancel ends one. */
static void same_user_data(void **state)
{
	struct completion none;
	struct peer other_peer;
	int other = connected(&other_peer);

	(void)state;
	start_receive(fd, 0, 1);
	start_receive(other, 0, 1);
	turn();
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
	assert_false(completion_now(1, &none));
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
	peer_close(&other_peer);
	close_fd(other);
}

/* A read of a pipe that waits, by user_data. */
static void read_of_a_pipe(void **state)
{
	static uint8_t bytes[16];
	struct peer writer;
	int end = peer_open_pipe(&writer, true);
	struct io_uring_sqe *sqe = sqe_get();

	(void)state;
	io_uring_prep_read(sqe, end, bytes, sizeof(bytes), (uint64_t)-1);
	sqe->user_data = 1;
	turn();
	assert_int_equal(cancel(1), 0);
	assert_cancelled(1);
	peer_close(&writer);
	close_fd(end);
}

/*
 * A write to a full pipe. A worker thread may have it (Linux): then the cancel says EALREADY, and
 * the write ends with EINTR.
 */
static void write_to_a_full_pipe(void **state)
{
	static uint8_t bytes[1 << 20];
	struct completion last;
	struct peer reader;
	int end = peer_open_pipe(&reader, false), result;
	struct io_uring_sqe *sqe;

	(void)state;
	for (;;) {
		sqe = sqe_get();
		io_uring_prep_write(sqe, end, bytes, 65536, (uint64_t)-1);
		sqe->user_data = 1;
		if (!completion_now(1, &last))
			break;
		assert_in_range(last.res, 1, 65536);
	}
	result = cancel(1);
	assert_true(result == 0 || result == -EALREADY);
	last = completion_of(1);
	assert_true(last.res == -ECANCELED || last.res == -EINTR);
	peer_close(&reader);
	close_fd(end);
}

static void start_poll(int of, uint64_t user_data)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_poll_add(sqe, of, POLLIN);
	sqe->user_data = user_data;
}

/*
 * A descriptor is closed after something has come on it, of which no completion tells yet, as
 * others are ahead. The next file of the same number has nothing of that.
 */
static void closed_before_its_turn(void **state)
{
	/* More than an engine takes in one turn, so the last one may have to wait. */
	enum { PEERS = 100, LAST = 10 + PEERS - 1, AGAIN = 5 };
	struct peer peers[PEERS], next;
	struct completion none;
	struct address address;
	struct io_uring_sqe *sqe;
	int fds[PEERS], again, listener, hole;

	(void)state;
	needs_the_kernel("which numbers descriptors get is not simulated");
	listener = listen_on_loopback(&address);
	assert_int_equal(peer_connect(&next, &address), 0);
	for (unsigned i = 0; i < PEERS; i++) {
		fds[i] = connected(&peers[i]);
		start_poll(fds[i], 10 + i);
	}
	again = fds[PEERS - 1];
	/* The listener of each connected() has left a number that is free. */
	hole = dup(listener);
	assert_in_range(hole, 0, again);
	turn();
	for (unsigned i = 0; i < PEERS; i++)
		peer_shutdown(&peers[i]);
	assert_int_equal(ring_submit_and_wait(ring, UINT64_MAX), 0);
	sqe = sqe_get();
	io_uring_prep_cancel64(sqe, LAST, 0);
	sqe->user_data = CONTRACT_CANCEL;
	sqe = sqe_get();
	io_uring_prep_close(sqe, again);
	sqe->user_data = CONTRACT_CLOSE;
	sqe = sqe_get();
	io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	sqe->user_data = CONTRACT_ACCEPT;
	start_poll(again, AGAIN);
	assert_int_equal(completion_of(CONTRACT_CLOSE).res, 0);
	assert_int_equal(completion_of(CONTRACT_ACCEPT).res, again);
	completion_of(LAST);
	assert_false(completion_now(AGAIN, &none));
	peer_send_all(&next, "x", 1);
	assert_int_equal(completion_of(AGAIN).res & POLLIN, POLLIN);
	peer_close(&next);
	for (unsigned i = 0; i < PEERS; i++) {
		peer_close(&peers[i]);
		close_fd(fds[i]);
	}
	close_fd(listener);
	close(hole);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_user_data),	      TEST(nothing_there),
		TEST(in_the_same_submission), TEST(data_stays),
		TEST(all_of_a_descriptor),    TEST(all_of_nothing),
		TEST(same_user_data),	      TEST(read_of_a_pipe),
		TEST(write_to_a_full_pipe),   TEST(closed_before_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
