/* SPDX-License-Identifier: MIT */
/* The library's loop: calls from other threads, timers, files, and every way to end it. */
#include "contract/library.h"

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

/* Timers far away, and those that go on for ever, keep nothing from ending, and are freed. */
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

/* Reads and writes of pipes; the run waits for the write, and destroy ends the read. */
static void files(void **state)
{
	char text[8];
	int in[2], out[2];
	struct rollcall_io read_io = { .data = text, .bytes = sizeof(text), .done = note_io };
	struct rollcall_io write_io = { .data = "hello", .bytes = 5, .done = note_io };

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
		ios[i] = (struct rollcall_io){ ends[0], text, 1, note_io, "read" };
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

/* ---- Ends ------------------------------------------------------------------------------------ */

/* A server that never ran can be destroyed: blank, or with addresses, a post and a client waiting. */
static void destroy_without_run(void **state)
{
	int fd;

	(void)state;
	rollcall_destroy(NULL);
	create();
	rollcall_destroy(server);
	create_and_listen();
	assert_int_equal(rollcall_post(server, note_post, "posted"), 0);
	tcp_address = find_address("tcp");
	fd = dial();
	rollcall_destroy(server);
	server = NULL;
	assert_string_equal(trace, "posted\n");
	assert_true(recv(fd, &(char){ 0 }, 1, 0) <= 0);
	close(fd);
}

/* A server that was stopped before it ran returns at once, and takes no more addresses. */
static void stopped_before_run(void **state)
{
	(void)state;
	create_and_listen();
	rollcall_stop(server);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -ESHUTDOWN);
	assert_int_equal(rollcall_run(server), 0);
	assert_int_equal(rollcall_run(server), 0);
}

static void stop_on_message(struct rollcall_server *of, rollcall_client client, const void *data,
			    size_t bytes, void *context)
{
	note_and_echo(of, client, data, bytes, context);
	if (memcmp(data, "stop", 4) == 0)
		rollcall_stop(of);
}

static void say_stop(void)
{
	int fd = dial();

	say(fd, "one\nstop\nthree\n");
	hear(fd, "one\nstop\nthree\n");
	hear_end(fd);
	close(fd);
}

/* Stopped from a callback, it still answers what has arrived. */
static void stop_in_callback(void **state)
{
	(void)state;
	service.received = stop_on_message;
	create_and_listen();
	run(say_stop);
	assert_string_equal(trace, "connected 0\nreceived 0 one\nreceived 0 stop\n"
				   "received 0 three\ndisconnected 0 the server is stopping\n");
}

/* An answer that the client does not read. */
static void answer_much(struct rollcall_server *of, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	static uint8_t answer[16 << 20];

	(void)data;
	(void)bytes;
	(void)context;
	assert_int_equal(rollcall_send(of, client, answer, sizeof(answer)), 0);
}

static void ask_and_not_read(void)
{
	int fd = dial();

	say(fd, "?\n");
	while (wait_for_server()->messages_sent == 0)
		usleep(1000);
	post_stop();
	while (rollcall_post(server, stop_call, NULL) == 0 && recv(fd, &(char){ 0 }, 1, 0) > 0)
		usleep(1000);
	close(fd);
}

/* A second stop ends it at once, though a client has not taken its answer. */
static void stop_twice(void **state)
{
	(void)state;
	service.received = answer_much;
	options.send_queue_bytes_max = 32 << 20;
	options.drain_timeout_ms = 1000000;
	create_and_listen();
	run(ask_and_not_read);
	assert_string_equal(trace, "connected 0\ndisconnected 0 the server is stopping\n");
}

static void ask_and_wait(void)
{
	int fd = dial();

	say(fd, "?\n");
	while (wait_for_server()->messages_sent == 0)
		usleep(1000);
}

/* So does the drain timeout. */
static void drain_timeout(void **state)
{
	(void)state;
	service.received = answer_much;
	options.send_queue_bytes_max = 32 << 20;
	options.drain_timeout_ms = 50;
	create_and_listen();
	run(ask_and_wait);
	assert_string_equal(trace, "connected 0\ndisconnected 0 the server is stopping\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(posts_from_threads),  LIBRARY_TEST(posts_at_all_times),
		LIBRARY_TEST(timers_once),	   LIBRARY_TEST(timer_repeats),
		LIBRARY_TEST(timer_stopped_in_expired), LIBRARY_TEST(timers_left),
		LIBRARY_TEST(files),		   LIBRARY_TEST(many_files),
		LIBRARY_TEST(destroy_without_run), LIBRARY_TEST(stopped_before_run),
		LIBRARY_TEST(stop_in_callback),	   LIBRARY_TEST(stop_twice),
		LIBRARY_TEST(drain_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
