/* SPDX-License-Identifier: MIT */
/*
 * Answers that the kernel refuses to send together go one by one, and all arrive, in their order;
 * later ones to the same client are not tried together again. Other errors are a loss, and counted.
 */
#include "unit/scripted_udp.h"

static const char bytes[] = "aaaaabbbbbcccccddddd";

/* Answers to client 0, of the same size but the last, with different content. */
static void answer(size_t all, size_t each)
{
	for (size_t at = 0; at < all; at += each)
		assert_int_equal(rollcall_send(server, 0, bytes + at, min_size(each, all - at)), 0);
	turn();
}

static int begin(void **state)
{
	int error = udp_begin(state);

	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "hello");
	expect("+0 0:hello ");
	return error;
}

/* Whether two answers of this size leave as one batch. */
static bool send_batch(size_t each)
{
	unsigned segment_bytes;

	answer(2 * each, each);
	segment_bytes = sending_segment();
	while (is_sending())
		complete_send(1);
	return segment_bytes == each;
}

/* Each error that means so: all that was refused together is sent again, one after the other. */
static void one_by_one(void **state)
{
	static const int errors[] = { -EINVAL, -EMSGSIZE, -EIO, -EOPNOTSUPP };

	for (size_t i = 0; i < COUNT(errors); i++) {
		answer(18, 5);
		assert_int_equal(sending_segment(), 5);
		complete_send(errors[i]);
		assert_int_equal(sending()->msg_controllen, 0);
		assert_sent("aaaaa", "192.0.2.1", 2001);
		assert_sent("bbbbb", "192.0.2.1", 2001);
		assert_sent("ccccc", "192.0.2.1", 2001);
		assert_sent("ddd", "192.0.2.1", 2001);
		assert_false(is_sending());
		assert_int_equal(stats_now().udp_send_errors, 0);
		assert_int_equal(stats_now().udp_batches_sent, 0);
		assert_false(send_batch(1));
		assert_int_equal(scripted_end(state), 0);
		assert_int_equal(begin(state), 0);
	}
}

/* Only for that client: another one may be reached another way. */
static void only_that_client(void **state)
{
	(void)state;
	answer(4, 2);
	complete_send(-EIO);
	while (is_sending())
		complete_send(2);
	assert_false(send_batch(2));
	come("192.0.2.2", 2001, "hello");
	expect("+1 1:hello ");
	for (int i = 0; i < 2; i++)
		assert_int_equal(rollcall_send(server, 1, bytes, 2), 0);
	turn();
	assert_int_equal(sending_segment(), 2);
	complete_send(4);
}

/* Fewer slots are left than for three that were refused: the others are lost and counted. */
static void send_with_slots(unsigned slots)
{
	static const uint8_t others[DATAGRAM_SLOTS];

	answer(15, 5);
	for (unsigned i = 1; i < DATAGRAM_SLOTS - slots; i++)
		assert_int_equal(rollcall_send(server, 0, others, i), 0);
	turn();
	complete(started(IORING_OP_SENDMSG, -1), -EINVAL, 0);
	turn();
	assert_int_equal(stats_now().udp_sends_dropped, 3 - slots);
	while (is_sending())
		complete_send(1);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	expect("-0(-125) ");
}

static void one_slot(void **state)
{
	(void)state;
	send_with_slots(1);
}

static void no_slots(void **state)
{
	(void)state;
	send_with_slots(0);
}

/* A full send buffer loses what was to be sent, and nothing waits. */
static void send_buffer_full(void **state)
{
	(void)state;
	answer(15, 5);
	assert_true(started(IORING_OP_SENDMSG, -1)->msg_flags & MSG_DONTWAIT);
	complete_send(-EAGAIN);
	assert_false(is_sending());
	assert_int_equal(stats_now().udp_sends_dropped, 3);
	assert_int_equal(stats_now().udp_send_errors, 0);
	assert_true(send_batch(5));
}

/* Other errors lose the whole batch, and each datagram counts; nothing is tried again. */
static void other_errors(void **state)
{
	(void)state;
	answer(15, 5);
	complete_send(-ENETUNREACH);
	assert_false(is_sending());
	assert_int_equal(stats_now().udp_send_errors, 3);
	answer(5, 5);
	complete_send(-EINVAL);
	assert_false(is_sending());
	assert_int_equal(stats_now().udp_send_errors, 4);
	assert_true(send_batch(5));
	assert_int_equal(stats_now().udp_send_errors, 4);
}

/* One by one, each has its own luck. */
static void errors_one_by_one(void **state)
{
	(void)state;
	answer(15, 5);
	complete_send(-EINVAL);
	complete_send(-EINVAL);
	assert_int_equal(stats_now().udp_send_errors, 1);
	assert_sent("bbbbb", "192.0.2.1", 2001);
	complete_send(-EPERM);
	assert_int_equal(stats_now().udp_send_errors, 2);
	assert_false(is_sending());
}

/* What comes later waits behind them, and joins none of them. */
static void later_answers(void **state)
{
	(void)state;
	answer(10, 5);
	assert_int_equal(rollcall_send(server, 0, "later", 5), 0);
	complete(started(IORING_OP_SENDMSG, -1), -EINVAL, 0);
	assert_int_equal(server_turn(server, 0), 0);
	answer(4, 4);
	assert_sent("aaaaa", "192.0.2.1", 2001);
	assert_sent("bbbbb", "192.0.2.1", 2001);
	assert_sent("lateraaaa", "192.0.2.1", 2001);
	assert_false(is_sending());
}

/* Answers of a turn, with the first letter of each telling their order, of the given sizes. */
static void answer_sizes(const size_t *sizes, size_t count)
{
	char text[32];

	for (size_t i = 0; i < count; i++) {
		memset(text, 'a' + (int)i, sizes[i]);
		assert_int_equal(rollcall_send(server, 0, text, sizes[i]), 0);
	}
	turn();
}

/* Completes sends, batches with an error, until none is left; all answers leave in their order. */
static void expect_in_order(const size_t *sizes, size_t count, int error)
{
	size_t next = 0;

	while (is_sending()) {
		const struct msghdr *message = sending();
		const char *text = message->msg_iov[0].iov_base;

		if (sending_segment() > 0 && error) {
			complete_send(error);
			continue;
		}
		assert_in_range(next, 0, count - 1);
		assert_int_equal(text[0], 'a' + (int)next);
		for (size_t left = sending_bytes(); left > 0; left -= sizes[next++])
			assert_in_range(sizes[next], 0, left);
		complete_send(1);
	}
	assert_int_equal(next, count);
}

/* Several batches of a turn, and single ones between them, leave in their order: refused or not. */
static void several_batches(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 3, 3, 5, 5, 6, 7, 7, 2, 9, 9, 8, 9, 10 };

	(void)state;
	for (int refused = 0; refused <= 1; refused++) {
		answer_sizes(sizes, COUNT(sizes));
		expect_in_order(sizes, COUNT(sizes), refused ? -EINVAL : 0);
	}
	/* From then on all leave at once. */
	answer_sizes(sizes, COUNT(sizes));
	assert_int_equal(kernel.started_count, COUNT(sizes) + 2);
	expect_in_order(sizes, COUNT(sizes), 0);
	assert_int_equal(stats_now().udp_send_errors, 0);
}

/* Batches that are too large for the path only later, in the middle of a turn's answers. */
static void refused_later(void **state)
{
	static const size_t sizes[] = { 3, 3, 4, 4, 5, 5, 6, 2 };

	(void)state;
	answer_sizes(sizes, COUNT(sizes));
	assert_int_equal(sending_segment(), 3);
	complete_send(6);
	assert_int_equal(sending_segment(), 4);
	complete_send(-EMSGSIZE);
	for (size_t i = 2; i < COUNT(sizes); i++) {
		assert_int_equal(*(const char *)sending()->msg_iov[0].iov_base, 'a' + (int)i);
		assert_int_equal(sending_segment(), 0);
		complete_send(1);
		/* The batches that were queued before are refused as well. */
		if (is_sending() && sending_segment() > 0)
			complete_send(-EMSGSIZE);
	}
	assert_false(is_sending());
}

/* A client that is closed meanwhile is gone when the last of them is sent. */
static void closed_meanwhile(void **state)
{
	(void)state;
	answer(15, 5);
	assert_int_equal(rollcall_close(server, 0), 0);
	complete_send(-EMSGSIZE);
	assert_sent("aaaaa", "192.0.2.1", 2001);
	assert_sent("bbbbb", "192.0.2.1", 2001);
	expect("");
	assert_sent("ccccc", "192.0.2.1", 2001);
	expect("-0(-125) ");
}

/* A server that is ended twice cancels what is in flight: that is lost and counted. */
static void cancelled_at_the_end(void **state)
{
	(void)state;
	answer(15, 5);
	rollcall_stop(server);
	rollcall_stop(server);
	complete_send(-ECANCELED);
	expect("-0(-108) ");
	assert_int_equal(stats_now().udp_send_errors, 3);
	assert_false(is_sending());
}

/* A batch that is refused at the very end is still sent, if slots are free at once. */
static void refused_at_the_end(void **state)
{
	(void)state;
	answer(15, 5);
	rollcall_stop(server);
	rollcall_stop(server);
	complete_send(-EINVAL);
	assert_sent("aaaaa", "192.0.2.1", 2001);
	complete_send(-EAGAIN);
	assert_sent("ccccc", "192.0.2.1", 2001);
	expect("-0(-108) ");
	assert_int_equal(stats_now().udp_sends_dropped, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_by_one),	  TEST(only_that_client), TEST(one_slot),
		TEST(no_slots),		  TEST(send_buffer_full), TEST(other_errors),
		TEST(errors_one_by_one),  TEST(later_answers),	  TEST(several_batches),
		TEST(refused_later),	  TEST(closed_meanwhile), TEST(cancelled_at_the_end),
		TEST(refused_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
