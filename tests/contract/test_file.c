/* SPDX-License-Identifier: MIT */
/* Reads and writes of pipes, and the event that other threads raise. */
#include <pthread.h>
#include <signal.h>

#include "contract/contract.h"

#define CURRENT_POSITION ((uint64_t)-1)

static void start_read(int fd, void *to, size_t bytes)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_read(sqe, fd, to, (unsigned)bytes, CURRENT_POSITION);
	sqe->user_data = 1;
}

static int write_now(int fd, const void *data, size_t bytes)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_write(sqe, fd, data, (unsigned)bytes, CURRENT_POSITION);
	sqe->user_data = 2;
	return completion_of(2).res;
}

/* A read waits for the first bytes, takes what is there, and sees the end as 0. */
static void read_from_a_pipe(void **state)
{
	struct completion none;
	struct peer writer;
	int fd = peer_open_pipe(&writer, true);
	char text[16];

	(void)state;
	start_read(fd, text, sizeof(text));
	assert_false(completion_now(1, &none));
	peer_send_all(&writer, "hello", 5);
	assert_int_equal(completion_of(1).res, 5);
	assert_memory_equal(text, "hello", 5);
	peer_send_all(&writer, "world", 5);
	start_read(fd, text, 3);
	assert_int_equal(completion_of(1).res, 3);
	start_read(fd, text + 3, sizeof(text) - 3);
	assert_int_equal(completion_of(1).res, 2);
	assert_memory_equal(text, "world", 5);
	start_read(fd, text, sizeof(text));
	peer_close(&writer);
	assert_int_equal(completion_of(1).res, 0);
	close_fd(fd);
}

static void write_to_a_pipe(void **state)
{
	struct peer reader;
	int fd = peer_open_pipe(&reader, false);
	char text[16];

	(void)state;
	assert_int_equal(write_now(fd, "hello ", 6), 6);
	assert_int_equal(write_now(fd, "world", 5), 5);
	assert_int_equal(peer_receive_all(&reader, text, 11), 11);
	assert_memory_equal(text, "hello world", 11);
	close_fd(fd);
	assert_int_equal(peer_await(&reader, text, sizeof(text)), 0);
	peer_close(&reader);
}

/* A write to a full pipe waits, nothing else does, and it goes on when the pipe is read. */
static void write_waits(void **state)
{
	static uint8_t bytes[4 << 20], received[sizeof(bytes)];
	struct completion written;
	struct peer reader;
	int fd = peer_open_pipe(&reader, false);
	struct io_uring_sqe *sqe;
	size_t done = 0, seen = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 11 + i / 4093);
	while (done < sizeof(bytes)) {
		sqe = sqe_get();
		io_uring_prep_write(sqe, fd, bytes + done, (unsigned)(sizeof(bytes) - done),
				    CURRENT_POSITION);
		sqe->user_data = 2;
		while (!completion_now(2, &written)) {
			ssize_t taken;

			/* Something else meanwhile. */
			sqe = sqe_get();
			io_uring_prep_nop(sqe);
			sqe->user_data = 3;
			assert_int_equal(completion_of(3).res, 0);
			while ((taken = peer_receive(&reader, received + seen,
						     sizeof(received) - seen)) > 0)
				seen += (size_t)taken;
		}
		assert_in_range(written.res, 1, sizeof(bytes) - done);
		done += (size_t)written.res;
	}
	seen += peer_receive_all(&reader, received + seen, sizeof(received) - seen);
	assert_int_equal(seen, sizeof(bytes));
	assert_memory_equal(received, bytes, sizeof(bytes));
	peer_close(&reader);
	close_fd(fd);
}

/*
 * A pipe that nobody reads: EPIPE. The ring raises SIGPIPE then as write(2) does (Linux 6.18; other
 * than for sockets), so a program that writes to pipes has to ignore it.
 */
static void write_to_nobody(void **state)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	struct peer reader;
	int fd = peer_open_pipe(&reader, false);

	(void)state;
	peer_close(&reader);
	assert_int_equal(write_now(fd, "x", 1), -EPIPE);
	close_fd(fd);
	signal(SIGPIPE, before);
}

static void assert_event(uint64_t *count, uint64_t expected)
{
	assert_int_equal(completion_of(1).res, sizeof(*count));
	assert_int_equal(*count, expected);
}

/* A read of the event waits until it is raised; several raises before it are one. */
static void event(void **state)
{
	struct completion none;
	uint64_t count = 0;
	int fd = socket_event(ring);

	(void)state;
	assert_in_range(fd, 0, INT32_MAX);
	start_read(fd, &count, sizeof(count));
	assert_false(completion_now(1, &none));
	socket_event_raise(fd);
	assert_event(&count, 1);
	for (int i = 0; i < 3; i++)
		socket_event_raise(fd);
	start_read(fd, &count, sizeof(count));
	assert_event(&count, 3);
	start_read(fd, &count, sizeof(count));
	assert_false(completion_now(1, &none));
	assert_int_equal(cancel(1), 0);
	assert_int_equal(completion_of(1).res, -ECANCELED);
	/* Raised while nothing reads it: it is kept for the next read. */
	socket_event_raise(fd);
	start_read(fd, &count, sizeof(count));
	assert_event(&count, 1);
	socket_close(ring, fd);
}

static void *raise_many(void *fd)
{
	for (int i = 0; i < 1000; i++)
		socket_event_raise(*(int *)fd);
	return NULL;
}

/* Raised from other threads, while this one waits without a limit: no raise is lost. */
static void event_from_threads(void **state)
{
	pthread_t threads[4];
	uint64_t count = 0, total = 0;
	int fd;

	(void)state;
	needs_the_kernel("has threads of its own");
	fd = socket_event(ring);
	assert_in_range(fd, 0, INT32_MAX);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, raise_many, &fd), 0);
	while (total < 1000 * COUNT(threads)) {
		start_read(fd, &count, sizeof(count));
		assert_int_equal(completion_of(1).res, sizeof(count));
		total += count;
	}
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(total, 1000 * COUNT(threads));
	socket_close(ring, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(read_from_a_pipe),
		CONTRACT_TEST(write_to_a_pipe),
		CONTRACT_TEST(write_waits),
		CONTRACT_TEST(write_to_nobody),
		CONTRACT_TEST(event),
		CONTRACT_TEST(event_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
