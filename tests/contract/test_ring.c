/* SPDX-License-Identifier: MIT */
/* The ring itself: waiting, full queues, time and randomness. */
#include <errno.h>
#include <string.h>

#include "contract/contract.h"

static void nop(uint64_t user_data)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_nop(sqe);
	sqe->user_data = user_data;
}

/* A read that does not complete by itself. */
static int start_pending(struct peer *peer, uint64_t user_data)
{
	static uint8_t bytes[16];
	int fd = peer_open_pipe(peer, true);
	struct io_uring_sqe *sqe = sqe_get();

	assert_in_range(fd, 0, INT32_MAX);
	io_uring_prep_read(sqe, fd, bytes, sizeof(bytes), (uint64_t)-1);
	sqe->user_data = user_data;
	return fd;
}

/* With a completion there the wait ends, however long it might last; others are left for later. */
static void wait_ends_with_a_completion(void **state)
{
	static const uint64_t waits_ns[] = { 0, 1, 100000000000, UINT64_MAX };
	struct io_uring_cqe cqe;

	(void)state;
	for (uint64_t i = 0; i < COUNT(waits_ns); i++) {
		nop(i);
		nop(100 + i);
		assert_int_equal(ring_submit_and_wait(ring, waits_ns[i]), 0);
		assert_true(ring_take(ring, &cqe));
		assert_int_equal(cqe.user_data, i);
		assert_int_equal(cqe.res, 0);
		assert_true(ring_take(ring, &cqe));
		assert_int_equal(cqe.user_data, 100 + i);
		assert_false(ring_take(ring, &cqe));
	}
}

/* A completion that comes in the middle of the wait ends it too. */
static void wait_ends_when_something_comes(void **state)
{
	struct completion none;
	struct io_uring_cqe cqe;
	struct peer peer;
	int fd = start_pending(&peer, 1);

	(void)state;
	assert_false(completion_now(1, &none));
	peer_send_all(&peer, "x", 1);
	assert_int_equal(ring_submit_and_wait(ring, UINT64_MAX), 0);
	assert_true(ring_take(ring, &cqe));
	assert_int_equal(cqe.user_data, 1);
	assert_int_equal(cqe.res, 1);
	close_fd(fd);
	peer_close(&peer);
}

/* Without one it ends when the time is up, and not before; with 0 at once. */
static void wait_ends_with_the_time(void **state)
{
	static const uint64_t waits_ns[] = { 0, 1, 1000000, 20000000 };
	struct io_uring_cqe cqe;
	struct peer peer;
	int fd = start_pending(&peer, 1);

	(void)state;
	for (size_t i = 0; i < COUNT(waits_ns); i++) {
		uint64_t begin_ns = ring_clock_ns(ring);

		/* Only one that does not sleep tells that nothing was waiting. */
		assert_int_equal(ring_submit_and_wait(ring, waits_ns[i]),
				 waits_ns[i] == 0 ? -ETIME : 0);
		assert_false(ring_take(ring, &cqe));
		assert_in_range(ring_clock_ns(ring) - begin_ns, waits_ns[i], UINT64_MAX);
	}
	peer_send_all(&peer, "x", 1);
	assert_int_equal(completion_of(1).res, 1);
	close_fd(fd);
	peer_close(&peer);
}

/* A ring that spins before it sleeps waits as long as others, and sees what comes meanwhile. */
static void spinning(void **state)
{
	struct io_uring_cqe cqe;
	struct peer peer;
	int fd;

	spin_ns = 2000000;
	contract_begin_anew(SQ_ENTRIES, CQ_ENTRIES);
	spin_ns = 0;
	wait_ends_with_a_completion(state);
	wait_ends_when_something_comes(state);
	wait_ends_with_the_time(state);
	/* There before the wait begins. */
	fd = start_pending(&peer, 2);
	assert_int_equal(ring_submit_and_wait(ring, 0), -ETIME);
	peer_send_all(&peer, "y", 1);
	assert_int_equal(ring_submit_and_wait(ring, UINT64_MAX), 0);
	assert_true(ring_take(ring, &cqe));
	assert_int_equal(cqe.user_data, 2);
	close_fd(fd);
	peer_close(&peer);
}

/* An SQE carries any user_data, and a full submission queue is submitted to get space. */
static void submission_queue_full(void **state)
{
	enum { NOPS = 200 };
	bool seen[NOPS] = { false };

	(void)state;
	contract_begin_anew(8, 1024);
	for (uint64_t i = 0; i < NOPS; i++)
		nop(i);
	for (uint64_t i = 0; i < NOPS; i++) {
		assert_int_equal(completion_of(i).res, 0);
		assert_false(seen[i]);
		seen[i] = true;
	}
	nop(UINT64_MAX);
	assert_int_equal(completion_of(UINT64_MAX).res, 0);
}

/* What an earlier operation left in the SQE does not leak into a later one: each is blank. */
static void sqes_are_blank(void **state)
{
	uint8_t byte = 0;

	(void)state;
	contract_begin_anew(2, 64);
	for (int round = 0; round < 10; round++) {
		struct peer peer;
		int fd = peer_open_pipe(&peer, true);
		struct io_uring_sqe *sqe;

		start_receive(fd, MSG_DONTWAIT, 1);
		sqe = sqe_get();
		io_uring_prep_read(sqe, fd, &byte, 1, (uint64_t)-1);
		sqe->user_data = 2;
		peer_send_all(&peer, "y", 1);
		assert_int_equal(completion_of(1).res, -ENOTSOCK);
		assert_int_equal(completion_of(2).res, 1);
		assert_int_equal(byte, 'y');
		close_fd(fd);
		peer_close(&peer);
	}
}

/*
 * More completions than fit into the queue: none is lost, and their order stays (Linux keeps
 * those that overflow, and an enter with GETEVENTS brings them).
 */
static void completion_queue_overflows(void **state)
{
	enum { NOPS = 1000 };
	struct io_uring_cqe cqe;
	uint64_t next = 0;

	(void)state;
	contract_begin_anew(16, 32);
	for (uint64_t i = 0; i < NOPS; i++)
		nop(i);
	while (next < NOPS) {
		assert_int_equal(ring_submit_and_wait(ring, 10000000000), 0);
		assert_true(ring_take(ring, &cqe));
		do {
			assert_int_equal(cqe.user_data, next);
			assert_int_equal(cqe.res, 0);
			next++;
		} while (ring_take(ring, &cqe));
	}
	assert_false(ring_take(ring, &cqe));
}

/*
 * One SQE that the kernel refuses does not hold back those behind it in the same submission. Linux
 * 6.1 completes it before those that were accepted.
 */
static void refused_sqe(void **state)
{
	struct io_uring_sqe *sqe;
	struct completion completion;

	(void)state;
	nop(1);
	sqe = sqe_get();
	io_uring_prep_rw(255, sqe, -1, NULL, 0, 0);
	sqe->user_data = 2;
	nop(3);
	assert_int_equal(ring_submit_and_wait(ring, 0), 0);
	keep_completions();
	assert_int_equal(kept_count, 3);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_true(take_kept(i, &completion));
		assert_int_equal(completion.res, i == 2 ? -EINVAL : 0);
	}
}

static void clock_goes_forward(void **state)
{
	uint64_t before_ns = ring_clock_ns(ring), now_ns;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		now_ns = ring_clock_ns(ring);
		assert_true(now_ns >= before_ns);
		before_ns = now_ns;
	}
	ring_sleep(1000000);
	now_ns = ring_clock_ns(ring);
	assert_in_range(now_ns - before_ns, 1000000, UINT64_MAX);
}

/* Of 32 random sequences of 32 bytes no two are the same; 256 bytes can be had at once. */
static void random_bytes_differ(void **state)
{
	uint8_t bytes[32][32], many[256], zeros[16] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(bytes); i++) {
		ring_random(ring, bytes[i], sizeof(bytes[i]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(bytes[i], bytes[j], sizeof(bytes[i]));
	}
	memset(many, 0, sizeof(many));
	ring_random(ring, many, sizeof(many));
	for (size_t at = 0; at < sizeof(many); at += sizeof(zeros))
		assert_memory_not_equal(many + at, zeros, sizeof(zeros));
	ring_random(ring, many, 0);
}

/* The time that it spins is a part of the wait, not added to it. */
static void spinning_is_waiting(void **state)
{
	const uint64_t wait_ns = 300000000;
	uint64_t begin_ns;
	struct peer peer;
	int fd;

	(void)state;
	spin_ns = wait_ns;
	contract_begin_anew(SQ_ENTRIES, CQ_ENTRIES);
	spin_ns = 0;
	fd = start_pending(&peer, 1);
	begin_ns = ring_clock_ns(ring);
	assert_int_equal(ring_submit_and_wait(ring, wait_ns), 0);
	assert_in_range(ring_clock_ns(ring) - begin_ns, wait_ns, 2 * wait_ns - 1);
	peer_send_all(&peer, "x", 1);
	assert_int_equal(completion_of(1).res, 1);
	close_fd(fd);
	peer_close(&peer);
}

/*
 * A thread can register the descriptors of 16 rings (Linux 5.18, IO_RINGFD_REG_MAX). Those beyond
 * work as the others do.
 */
static void more_rings_than_are_registered(void **state)
{
	enum { RINGS = 18 };
	struct ring *rings[RINGS], *tested = ring;
	struct io_uring_cqe cqe;

	needs_the_kernel("one ring is simulated");
	for (size_t i = 0; i < RINGS; i++)
		assert_int_equal(ring_create(&rings[i], contract_engine, 8, 16, 0), 0);
	for (uint64_t i = 0; i < RINGS; i++) {
		ring = rings[i];
		nop(i);
		assert_int_equal(ring_submit_and_wait(ring, UINT64_MAX), 0);
		assert_true(ring_take(ring, &cqe));
		assert_int_equal(cqe.user_data, i);
		wait_ends_when_something_comes(state);
	}
	ring = tested;
	for (size_t i = 0; i < RINGS; i++)
		ring_destroy(rings[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(wait_ends_with_a_completion),
		CONTRACT_TEST(wait_ends_when_something_comes),
		CONTRACT_TEST(wait_ends_with_the_time),
		CONTRACT_TEST(spinning),
		CONTRACT_TEST(spinning_is_waiting),
		CONTRACT_TEST(submission_queue_full),
		CONTRACT_TEST(sqes_are_blank),
		CONTRACT_TEST(completion_queue_overflows),
		CONTRACT_TEST(refused_sqe),
		CONTRACT_TEST(more_rings_than_are_registered),
		CONTRACT_TEST(clock_goes_forward),
		CONTRACT_TEST(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
