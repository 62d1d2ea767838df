/* SPDX-License-Identifier: MIT */
/* The library's loop: calls from other threads, timers, and files. */
#include "contract/library.h"

#include <fcntl.h>

static void nothing(void)
{
}

/* ---- Posts ----------------------------------------------------------------------------------- */

enum { THREADS = 4, POSTS = 2000 };

/* What each thread has posted last, as the server has seen it. */
static int last_seen[THREADS];
static int seen_count;

static void see(struct rollcall_server *of, void *context)
{
	const int number = (int)(uintptr_t)context, thread = number / POSTS;

	(void)of;
	assert_int_equal(number % POSTS, last_seen[thread]);
	last_seen[thread]++;
	seen_count++;
}

static void *post_many(void *first)
{
	const uintptr_t number = (uintptr_t)first;

	for (uintptr_t i = 0; i < POSTS; i++)
		expect(rollcall_post(server, see, (void *)(number + i)) == 0);
	return NULL;
}

static void post_from_threads(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, post_many, (void *)(i * POSTS)) == 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Posts of several threads at once all run, those of each thread in the order of posting. */
static void posts_from_threads(void **state)
{
	(void)state;
	seen_count = 0;
	memset(last_seen, 0, sizeof(last_seen));
	create_and_listen();
	run(post_from_threads);
	assert_int_equal(seen_count, THREADS * POSTS);
}

static void note_post(struct rollcall_server *of, void *text)
{
	(void)of;
	note("%s", (char *)text);
}

static void post_more(struct rollcall_server *of, void *text)
{
	note_post(of, text);
	assert_int_equal(rollcall_post(of, note_post, "posted from a post"), 0);
}

/* Posts before the run wait for it, those of posts run soon, and those after it in destroy. */
static void posts_at_all_times(void **state)
{
	(void)state;
	create_and_listen();
	assert_int_equal(rollcall_post(server, note_post, "before"), 0);
	assert_int_equal(rollcall_post(server, post_more, "before too"), 0);
	run(nothing);
	note("run has returned");
	assert_int_equal(rollcall_post(server, note_post, "after"), 0);
	assert_null(strstr(trace, "after"));
	rollcall_destroy(server);
	server = NULL;
	assert_string_equal(trace, "before\nbefore too\nposted from a post\nrun has returned\n"
				   "after\n");
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static struct rollcall_timer *timers[4];
static unsigned expiries;

static void note_timer(struct rollcall_server *of, void *text)
{
	(void)of;
	note("%s", (char *)text);
}

static void stop_server(struct rollcall_server *of, void *text)
{
	note_timer(of, text);
	rollcall_stop(of);
}

static void start(size_t index, uint64_t after_ms, uint64_t every_ms,
		  void (*expired)(struct rollcall_server *, void *), const char *text)
{
	assert_int_equal(rollcall_timer_start(server, &timers[index], after_ms, every_ms, expired,
					      (void *)text),
			 0);
}

/* Timers expire once each, in the order of their times; one that was stopped does not. */
static void timers_once(void **state)
{
	(void)state;
	create();
	start(0, 30, 0, stop_server, "30");
	start(1, 20, 0, note_timer, "20");
	start(2, 0, 0, note_timer, "0");
	start(3, 10, 0, note_timer, "10");
	rollcall_timer_stop(server, timers[3]);
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "0\n20\n30\n");
}

static void stop_after_five(struct rollcall_server *of, void *text)
{
	note_timer(of, text);
	if (++expiries < 5)
		return;
	rollcall_timer_stop(of, timers[0]);
	start(1, 20, 0, stop_server, "stop");
}

/* One that repeats goes on until it is stopped, also from its own expired(). */
static void timer_repeats(void **state)
{
	(void)state;
	expiries = 0;
	create();
	start(0, 1, 2, stop_after_five, "again");
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "again\nagain\nagain\nagain\nagain\nstop\n");
}

static void stop_both(struct rollcall_server *of, void *text)
{
	note_timer(of, text);
	rollcall_timer_stop(of, timers[0]);
	rollcall_timer_stop(of, timers[1]);
	start(2, 0, 0, stop_server, "stop");
}

/* From expired() one that expires only once can be stopped too, and another that is due. */
static void timer_stopped_in_expired(void **state)
{
	(void)state;
	create();
	start(0, 1, 0, stop_both, "both");
	start(1, 1, 1, note_timer, "never");
	/* Both are due when the loop begins. */
	usleep(5000);
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "both\nstop\n");
}

/* Timers far away, and those that repeat without end, keep nothing from ending, and are freed. */
static void timers_left(void **state)
{
	(void)state;
	create_and_listen();
	start(0, UINT64_MAX, UINT64_MAX, note_timer, "never");
	start(1, 1000000, 0, note_timer, "never");
	start(2, 1, 1, note_timer, "again");
	run(nothing);
	assert_null(strstr(trace, "never"));
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void note_io(struct rollcall_server *of, struct rollcall_io *io, int result)
{
	(void)of;
	note("%s %d", (char *)io->context, result);
}

/*
 * Reads and writes of pipes; the run waits for the write, and destroy ends the read. The pipes stay
 * in their mode, which other processes may share.
 */
static void files(void **state)
{
	char text[8];
	int in[2], out[2];
	struct rollcall_io read_io = {
		.size = sizeof(read_io), .data = text, .bytes = sizeof(text), .done = note_io
	};
	struct rollcall_io write_io = {
		.size = sizeof(write_io), .data = "hello", .bytes = 5, .done = note_io
	};

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	read_io.fd = in[0];
	read_io.context = "read";
	write_io.fd = out[1];
	write_io.context = "write";
	create_and_listen();
	assert_int_equal(rollcall_read(server, &read_io), 0);
	assert_int_equal(rollcall_write(server, &write_io), 0);
	rollcall_stop(server);
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "write 5\n");
	assert_int_equal(read(out[0], text, sizeof(text)), 5);
	rollcall_destroy(server);
	server = NULL;
	assert_string_equal(trace, "write 5\nread -125\n");
	assert_int_equal(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

/* 16 at a time; one more is refused until one is done. */
static void many_files(void **state)
{
	struct rollcall_io ios[17];
	char text[8];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	create();
	for (size_t i = 0; i < COUNT(ios); i++) {
		ios[i] = (struct rollcall_io){ sizeof(*ios), ends[0], text, 1, note_io, "read" };
		assert_int_equal(rollcall_read(server, &ios[i]), i < 16 ? 0 : -EBUSY);
	}
	ios[16].bytes = ((size_t)1 << 30) + 1;
	assert_int_equal(rollcall_write(server, &ios[16]), -EINVAL);
	assert_int_equal(write(ends[1], "x", 1), 1);
	start(0, 20, 0, stop_server, "stop");
	assert_int_equal(rollcall_run(server), 0);
	assert_string_equal(trace, "read 1\nstop\n");
	rollcall_destroy(server);
	server = NULL;
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(posts_from_threads),
		LIBRARY_TEST(posts_at_all_times),
		LIBRARY_TEST(timers_once),
		LIBRARY_TEST(timer_repeats),
		LIBRARY_TEST(timer_stopped_in_expired),
		LIBRARY_TEST(timers_left),
		LIBRARY_TEST(files),
		LIBRARY_TEST(many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
