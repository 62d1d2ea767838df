/* SPDX-License-Identifier: MIT */
/*
 * Datagrams that are sent, or received, at once: each has its own completion, in order, whatever
 * becomes of the others. An engine may pass several to the kernel with one call.
 */
#include "contract/datagrams.h"

/* More than one call takes. */
#define MANY 100

static struct peer peer;

/* Sends with msghdrs of their own, which stay until they have completed. */
static struct address to[MANY];
static struct iovec parts[MANY];
static struct msghdr messages[MANY];

static void open_peer(void)
{
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&peer, NULL, &address), 0);
}

/* Prepares a send to a peer, to no address if NULL; every other one with a msghdr. */
static void prepare_send(unsigned index, int from, const struct peer *receiver, void *data,
			 size_t bytes)
{
	struct io_uring_sqe *sqe = sqe_get();

	to[index] = (struct address){ 0 };
	if (receiver)
		assert_int_equal(peer_address(receiver, &to[index]), 0);
	if (index % 2 == 0) {
		io_uring_prep_send(sqe, from, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (receiver)
			io_uring_prep_send_set_addr(sqe, &to[index].any, (uint16_t)to[index].bytes);
	} else {
		parts[index] = (struct iovec){ data, bytes };
		messages[index] = (struct msghdr){ .msg_iov = &parts[index], .msg_iovlen = 1 };
		if (receiver)
			messages[index].msg_name = &to[index].any;
		messages[index].msg_namelen = to[index].bytes;
		io_uring_prep_sendmsg(sqe, from, &messages[index], MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	sqe->user_data = 100 + index;
}

/* The results of `count` sends, which complete in order. */
static void assert_sent(const int *results, unsigned count)
{
	struct completion none;

	assert_int_equal(ring_submit_and_wait(ring, 0), 0);
	keep_completions();
	assert_int_equal(kept_count, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(kept[i].user_data, 100 + i);
		assert_int_equal(kept[i].res, results[i]);
		assert_int_equal(kept[i].flags & (IORING_CQE_F_MORE | IORING_CQE_F_BUFFER), 0);
	}
	kept_count = 0;
	assert_false(completion_now(100, &none));
}

static void assert_peer_gets(struct peer *receiver, uint8_t byte)
{
	uint8_t received[4];

	assert_int_equal(peer_await(receiver, received, sizeof(received)), 1);
	assert_int_equal(received[0], byte);
}

/* Each has the result of its own, and they arrive in order. */
static void sends_in_order(void **state)
{
	uint8_t bytes[SQ_ENTRIES][3];
	int results[SQ_ENTRIES];

	(void)state;
	open_peer();
	for (unsigned i = 0; i < SQ_ENTRIES; i++) {
		results[i] = 1 + (int)i % 3;
		memset(bytes[i], (int)i, sizeof(bytes[i]));
		prepare_send(i, fd, &peer, bytes[i], (size_t)results[i]);
	}
	assert_sent(results, SQ_ENTRIES);
	for (unsigned i = 0; i < SQ_ENTRIES; i++) {
		uint8_t received[4];

		assert_int_equal(peer_await(&peer, received, sizeof(received)), results[i]);
		assert_memory_equal(received, bytes[i], (size_t)results[i]);
	}
	peer_close(&peer);
}

/*
 * Among good ones some fail: one that is too large, and one without an address. At every place, the
 * first, the last and two in a row included, the error is that one's, and all others arrive.
 */
static void one_fails(void **state)
{
	enum { SENDS = 6 };
	static uint8_t large[65508];
	uint8_t bytes[SENDS];

	(void)state;
	open_peer();
	/* Bits say which fail. */
	for (unsigned failing = 0; failing < 1 << SENDS; failing++) {
		int results[SENDS];

		for (unsigned i = 0; i < SENDS; i++) {
			const bool fails = failing >> i & 1, is_large = i % 3 > 0;

			bytes[i] = (uint8_t)(failing + 64 * i);
			results[i] = !fails ? 1 : is_large ? -EMSGSIZE : -EDESTADDRREQ;
			prepare_send(i, fd, fails && !is_large ? NULL : &peer,
				     fails && is_large ? large : &bytes[i],
				     fails && is_large ? sizeof(large) : 1);
		}
		assert_sent(results, SENDS);
		for (unsigned i = 0; i < SENDS; i++)
			if (results[i] == 1)
				assert_peer_gets(&peer, bytes[i]);
	}
	peer_close(&peer);
}

/* From two sockets, in turn and in rows: each leaves from its own. */
static void two_sockets(void **state)
{
	static const unsigned rows[] = { 1, 1, 2, 3, 1, 4 };
	struct peer other_peer;
	uint8_t bytes[12];
	int results[COUNT(bytes)], fds[2];
	unsigned count = 0;

	(void)state;
	bind_to("127.0.0.1");
	assert_int_equal(peer_open_udp(&other_peer, NULL, &address), 0);
	fds[0] = fd;
	open_peer();
	fds[1] = fd;
	for (size_t row = 0; row < COUNT(rows); row++)
		for (unsigned i = 0; i < rows[row]; i++) {
			bytes[count] = (uint8_t)count;
			results[count] = 1;
			prepare_send(count, fds[row % 2], row % 2 ? &peer : &other_peer,
				     &bytes[count], 1);
			count++;
		}
	assert_int_equal(count, COUNT(bytes));
	assert_sent(results, count);
	count = 0;
	for (size_t row = 0; row < COUNT(rows); row++)
		for (unsigned i = 0; i < rows[row]; i++)
			assert_peer_gets(row % 2 ? &peer : &other_peer, (uint8_t)count++);
	close_fd(fds[0]);
	peer_close(&other_peer);
	peer_close(&peer);
}

/* Without a descriptor all fail; those on a socket before and behind them do not. */
static void no_socket(void **state)
{
	static const int results[] = { 1, 1, -EBADF, -EBADF, -EBADF, 1, 1 };
	uint8_t byte = 7;

	(void)state;
	needs_the_kernel("a descriptor that is not open ends the simulation");
	open_peer();
	for (unsigned i = 0; i < COUNT(results); i++)
		prepare_send(i, results[i] < 0 ? -1 : fd, &peer, &byte, 1);
	assert_sent(results, COUNT(results));
	for (unsigned i = 0; i < COUNT(results); i++)
		if (results[i] > 0)
			assert_peer_gets(&peer, byte);
	peer_close(&peer);
}

/* Ends the receive, unless it has ended for lack of a buffer or of space for its completion. */
static void end_any_receive(void)
{
	const int result = cancel(RECEIVE);

	assert_true(result == 0 || result == -ENOENT);
}

/* More wait than one call takes, and than have buffers: all come, each once, in order. */
static void many_have_come(void **state)
{
	(void)state;
	open_peer();
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(peer_send(&peer, &(uint8_t){ (uint8_t)i }, 1), 1);
	start(0);
	for (unsigned i = 0; i < MANY;) {
		struct completion completion = completion_of(RECEIVE);
		struct arrival arrival;

		if (completion.res == -ENOBUFS) {
			assert_false(completion.flags & IORING_CQE_F_MORE);
			start(0);
			continue;
		}
		take_arrival(completion, &arrival);
		assert_int_equal(arrival.bytes, 1);
		assert_int_equal(arrival.payload[0], (uint8_t)i++);
		if (!arrival.more)
			start(0);
	}
	end_any_receive();
	peer_close(&peer);
}

/* One without bytes among others: all come, in order, and the receive ends. */
static void empty_among_others(void **state)
{
	static const size_t sizes[] = { 1, 0, 2, 3, 0, 0, 1 };
	struct arrival arrival = { .more = false };
	unsigned ends = 0;

	(void)state;
	open_peer();
	for (size_t i = 0; i < COUNT(sizes); i++)
		assert_int_equal(peer_send(&peer, "xyz", sizes[i]), (int)sizes[i]);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		if (!arrival.more)
			start(0);
		receive(&arrival);
		assert_int_equal(arrival.bytes, sizes[i]);
		assert_memory_equal(arrival.payload, "xyz", sizes[i]);
		ends += !arrival.more;
	}
	assert_in_range(ends, 1, COUNT(sizes));
	end_any_receive();
	peer_close(&peer);
}

/* A multishot that meets a full completion queue ends; no datagram is lost, none comes twice. */
static void completion_queue_full(void **state)
{
	unsigned ends = 0;

	(void)state;
	contract_begin_anew(4, 4);
	open_peer();
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(peer_send(&peer, &(uint8_t){ (uint8_t)i }, 1), 1);
	start(0);
	for (unsigned i = 0; i < MANY;) {
		struct completion completion = completion_of(RECEIVE);
		const bool more = completion.flags & IORING_CQE_F_MORE;

		if (completion.res != -ENOBUFS) {
			struct arrival arrival;

			take_arrival(completion, &arrival);
			assert_int_equal(arrival.payload[0], (uint8_t)i++);
			ends += !more;
		}
		if (!more)
			start(0);
	}
	assert_in_range(ends, 1, MANY);
	end_any_receive();
	peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sends_in_order),	     TEST(one_fails),
		TEST(two_sockets),	     TEST(no_socket),
		TEST(many_have_come),	     TEST(empty_among_others),
		TEST(completion_queue_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
