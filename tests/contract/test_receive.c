/* SPDX-License-Identifier: MIT */
/* Multishot receive into buffers that the kernel picks: bytes in order, and how it ends. */
#include <errno.h>
#include <string.h>

#include "contract/contract.h"

#define RECEIVE 1

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

static void end_receive(void)
{
	assert_int_equal(cancel(RECEIVE), 0);
	assert_int_equal(completion_of(RECEIVE).res, -ECANCELED);
}

static void assert_received(const char *expected)
{
	struct completion received = completion_of(RECEIVE);
	uint8_t bytes[BUFFER_BYTES];

	assert_int_equal(received.res, strlen(expected));
	assert_true(received.flags & IORING_CQE_F_MORE);
	take_bytes(&received, bytes);
	assert_memory_equal(bytes, expected, strlen(expected));
}

/* Each arrival is a completion with F_MORE and a buffer, for as long as it goes on. */
static void several_arrivals(void **state)
{
	struct completion none;

	(void)state;
	start_receive(fd, 0, RECEIVE);
	assert_false(completion_now(RECEIVE, &none));
	for (int i = 0; i < 3 * BUFFERS; i++) {
		const char text[] = { (char)('a' + i), '!', '\0' };

		peer_send_all(&peer, text, 2);
		assert_received(text);
	}
	end_receive();
}

/* Sends the next piece of what is to be sent, or the end of the stream. Returns its bytes. */
static size_t send_next(const uint8_t *next, size_t bytes)
{
	const ssize_t sent = bytes > 0 ? peer_send(&peer, next, bytes) : 0;

	if (bytes == 0)
		peer_shutdown(&peer);
	return sent > 0 ? (size_t)sent : 0;
}

/*
 * Far more bytes than buffers come in order, though the buffers are exhausted again and again. The
 * receive may end for lack of one also after the last bytes.
 */
static void order_of_bytes(void **state)
{
	enum { BYTES = 20 * BUFFERS * BUFFER_BYTES };
	static uint8_t sent[BYTES], received[BYTES + BUFFER_BYTES];
	size_t done = 0, given = 0;
	struct completion completion;

	(void)state;
	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (uint8_t)(i * 31 + i / 997);
	start_receive(fd, 0, RECEIVE);
	do {
		given += send_next(sent + given, BYTES - given);
		completion = completion_of(RECEIVE);
		if (completion.res > 0)
			done += take_bytes(&completion, received + done);
		else if (completion.res < 0)
			assert_int_equal(completion.res, -ENOBUFS);
		if (completion.res != 0 && !(completion.flags & IORING_CQE_F_MORE))
			start_receive(fd, 0, RECEIVE);
	} while (completion.res != 0);
	assert_int_equal(done, BYTES);
	assert_memory_equal(received, sent, BYTES);
}

/* The peer's end comes as 0, without a buffer and without F_MORE; all buffers are still there. */
static void end_of_stream(void **state)
{
	struct completion end;

	(void)state;
	start_receive(fd, 0, RECEIVE);
	peer_send_all(&peer, "last", 4);
	assert_received("last");
	peer_shutdown(&peer);
	end = completion_of(RECEIVE);
	assert_int_equal(end.res, 0);
	assert_false(end.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
	start_receive(fd, 0, RECEIVE);
	assert_int_equal(completion_of(RECEIVE).res, 0);
}

/* After the peer's end sending still works. */
static void half_close(void **state)
{
	struct io_uring_sqe *sqe;
	char text[8];

	(void)state;
	peer_shutdown(&peer);
	start_receive(fd, 0, RECEIVE);
	assert_int_equal(completion_of(RECEIVE).res, 0);
	sqe = sqe_get();
	io_uring_prep_send(sqe, fd, "answer", 6, MSG_NOSIGNAL);
	sqe->user_data = 2;
	assert_int_equal(completion_of(2).res, 6);
	assert_int_equal(peer_receive_all(&peer, text, 6), 6);
	assert_memory_equal(text, "answer", 6);
}

/* A peer that resets: first what had arrived, then ECONNRESET, without F_MORE. */
static void reset_by_peer(void **state)
{
	struct completion end;

	(void)state;
	start_receive(fd, 0, RECEIVE);
	peer_send_all(&peer, "last", 4);
	assert_received("last");
	peer_reset(&peer);
	end = completion_of(RECEIVE);
	assert_int_equal(end.res, -ECONNRESET);
	assert_false(end.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
}

/* With all buffers taken it ends with ENOBUFS; when one has come back it can be started again. */
static void buffers_exhausted(void **state)
{
	static uint8_t bytes[(BUFFERS + 1) * BUFFER_BYTES];
	struct completion held[BUFFERS], failed;
	size_t left = sizeof(bytes), count = 0;

	(void)state;
	start_receive(fd, 0, RECEIVE);
	peer_send_all(&peer, bytes, sizeof(bytes));
	for (;;) {
		failed = completion_of(RECEIVE);
		if (failed.res < 0)
			break;
		assert_in_range(count, 0, BUFFERS - 1);
		held[count++] = failed;
		left -= (size_t)failed.res;
		if (!(failed.flags & IORING_CQE_F_MORE))
			start_receive(fd, 0, RECEIVE);
	}
	assert_int_equal(failed.res, -ENOBUFS);
	assert_false(failed.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
	assert_int_equal(count, BUFFERS);
	for (size_t i = 0; i < BUFFERS; i++)
		take_bytes(&held[i], bytes);
	start_receive(fd, 0, RECEIVE);
	while (left > 0) {
		struct completion received = completion_of(RECEIVE);

		left -= take_bytes(&received, bytes);
		if (!(received.flags & IORING_CQE_F_MORE))
			start_receive(fd, 0, RECEIVE);
	}
	end_receive();
}

/* Gives back the buffer, if any, of a receive that failed: EAGAIN has one before Linux 6.8. */
static void return_unused(const struct completion *failed)
{
	if (failed->flags & IORING_CQE_F_BUFFER)
		buffers_release(&buffers, buffers_take(&buffers, failed->flags));
}

/* Without a buffer a receive fails at once though nothing has arrived (Linux). */
static void no_buffer_no_data(void **state)
{
	static uint8_t bytes[BUFFER_BYTES];
	struct completion held[BUFFERS], failed;

	(void)state;
	for (size_t i = 0; i < BUFFERS; i++) {
		start_receive(fd, MSG_DONTWAIT, RECEIVE);
		peer_send_all(&peer, "x", 1);
		while ((held[i] = completion_of(RECEIVE)).res == -EAGAIN) {
			return_unused(&held[i]);
			start_receive(fd, MSG_DONTWAIT, RECEIVE);
		}
		assert_int_equal(held[i].res, 1);
		if (held[i].flags & IORING_CQE_F_MORE) {
			failed = completion_of(RECEIVE);
			assert_in_range(failed.res, -ENOBUFS, -EAGAIN);
			return_unused(&failed);
		}
	}
	start_receive(fd, 0, RECEIVE);
	failed = completion_of(RECEIVE);
	assert_int_equal(failed.res, -ENOBUFS);
	for (size_t i = 0; i < BUFFERS; i++)
		take_bytes(&held[i], bytes);
}

/* With MSG_DONTWAIT it ends with EAGAIN instead of waiting, after what has arrived. */
static void do_not_wait(void **state)
{
	uint8_t bytes[BUFFER_BYTES];
	size_t received = 0;
	struct completion end;

	(void)state;
	start_receive(fd, MSG_DONTWAIT, RECEIVE);
	end = completion_of(RECEIVE);
	assert_int_equal(end.res, -EAGAIN);
	assert_false(end.flags & IORING_CQE_F_MORE);
	return_unused(&end);
	peer_send_all(&peer, "hello", 5);
	while (received < 5) {
		start_receive(fd, MSG_DONTWAIT, RECEIVE);
		do {
			end = completion_of(RECEIVE);
			if (end.res > 0)
				received += take_bytes(&end, bytes);
			else
				return_unused(&end);
		} while (end.flags & IORING_CQE_F_MORE);
		if (received < 5)
			assert_int_equal(end.res, -EAGAIN);
	}
	/* And it sees the end as any other. */
	peer_shutdown(&peer);
	do {
		start_receive(fd, MSG_DONTWAIT, RECEIVE);
		end = completion_of(RECEIVE);
		return_unused(&end);
	} while (end.res == -EAGAIN);
	assert_int_equal(end.res, 0);
}

/*
 * A full completion queue ends it with a good result and without F_MORE (Linux): the bytes are
 * valid, and a receive started again goes on behind them.
 */
static void completion_queue_overflows(void **state)
{
	enum { PEERS = 12 };
	struct peer peers[PEERS];
	int fds[PEERS];
	unsigned open = PEERS, ends = 0;
	bool ended[PEERS] = { false };

	(void)state;
	contract_begin_anew(4, 4);
	for (int i = 0; i < PEERS; i++)
		fds[i] = connected(&peers[i]);
	for (uint64_t i = 0; i < PEERS; i++)
		start_receive(fds[i], 0, 10 + i);
	turn();
	for (int i = 0; i < PEERS; i++) {
		peer_send_all(&peers[i], "x", 1);
		peer_shutdown(&peers[i]);
	}
	while (open > 0) {
		for (uint64_t i = 0; i < PEERS; i++) {
			struct completion received;
			uint8_t byte[BUFFER_BYTES];

			if (ended[i] || !completion_now(10 + i, &received))
				continue;
			if (received.res > 0) {
				assert_int_equal(take_bytes(&received, byte), 1);
				assert_int_equal(byte[0], 'x');
				ends += !(received.flags & IORING_CQE_F_MORE);
			} else if (received.res != -ENOBUFS) {
				assert_int_equal(received.res, 0);
				ended[i] = true;
				open--;
				continue;
			}
			if (!(received.flags & IORING_CQE_F_MORE))
				start_receive(fds[i], 0, 10 + i);
		}
	}
	assert_in_range(ends, 1, PEERS);
	for (int i = 0; i < PEERS; i++) {
		peer_close(&peers[i]);
		close_fd(fds[i]);
	}
}

/* Started after the reset it reports all: what had arrived, then ECONNRESET. */
static void started_after_reset(void **state)
{
	struct address address;
	struct completion end;

	(void)state;
	peer_send_all(&peer, "left", 4);
	peer_reset(&peer);
	for (int i = 0; i < 1000 && socket_peer_address(ring, fd, &address) == 0; i++)
		turn();
	assert_int_equal(socket_peer_address(ring, fd, &address), -ENOTCONN);
	start_receive(fd, 0, RECEIVE);
	assert_received("left");
	end = completion_of(RECEIVE);
	assert_int_equal(end.res, -ECONNRESET);
	assert_false(end.flags & (IORING_CQE_F_BUFFER | IORING_CQE_F_MORE));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(several_arrivals),	   TEST(order_of_bytes), TEST(end_of_stream),
		TEST(half_close),	   TEST(reset_by_peer),	 TEST(buffers_exhausted),
		TEST(no_buffer_no_data),   TEST(do_not_wait),	 TEST(completion_queue_overflows),
		TEST(started_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
