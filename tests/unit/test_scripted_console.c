/* SPDX-License-Identifier: MIT */
/*
 * A console whose file does all that a file may do: it takes a part, nothing, is interrupted, or
 * refuses for good. What the file has been given is compared as text.
 */
#include "unit/scripted_server.h"

#include "program/console.h"

static struct console console;
static char written[256];
static int failed_error;
static unsigned failed_count;

static void on_failed(struct console *of, int error, void *context)
{
	assert_ptr_equal(of, &console);
	assert_ptr_equal(context, written);
	failed_error = error;
	failed_count++;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	written[0] = '\0';
	failed_count = 0;
	create();
	console_init(&console, kernel_open(), on_failed, written);
	console_attach(&console, server);
	return error;
}

static int end(void **state)
{
	kernel_close(console.fd);
	return scripted_end(state);
}

static void line(const char *text)
{
	console_line(&console, text, strlen(text));
	turn();
}

/* Ends the write in flight: with the number of bytes that are in the file, or an error. */
static void complete_write(int result)
{
	struct io_uring_sqe *sqe = started(IORING_OP_WRITE, console.fd);

	if (result > 0)
		strncat(written, (const char *)(uintptr_t)sqe->addr, (size_t)result);
	complete(sqe, result, 0);
	turn();
}

/* One write at a time; what it has not taken is written next, with what has come since. */
static void in_parts(void **state)
{
	(void)state;
	line("one");
	line("two");
	complete_write(2);
	complete_write(3);
	complete_write(3);
	assert_string_equal(written, "one\ntwo\n");
	assert_null(find_started(IORING_OP_WRITE, console.fd));
	assert_int_equal(console.dropped, 0);
}

/* A write that finds the submission queue full is started when it has space. */
static void full_submission_queue(void **state)
{
	(void)state;
	turn();
	kernel.sqes_left = 0;
	line("one");
	assert_null(find_started(IORING_OP_WRITE, console.fd));
	kernel.sqes_left = UINT32_MAX;
	turn();
	complete_write(4);
	assert_string_equal(written, "one\n");
}

/* An interrupted write is started again at once; one that would block, after a while. */
static void would_block(void **state)
{
	static const int results[] = { -EAGAIN, 0 };

	(void)state;
	line("one");
	complete_write(-EINTR);
	for (size_t i = 0; i < COUNT(results); i++) {
		complete_write(results[i]);
		line("more");
		assert_null(find_started(IORING_OP_WRITE, console.fd));
		kernel.now_ns += 1000000000;
		turn();
		started(IORING_OP_WRITE, console.fd);
	}
	complete_write(4);
	complete_write(10);
	assert_string_equal(written, "one\nmore\nmore\n");
	assert_int_equal(failed_count, 0);
}

/* A file that refuses is not written to any more, is told of once, and its lines are counted. */
static void refused(void **state)
{
	(void)state;
	line("one");
	line("two");
	complete_write(-EPIPE);
	assert_int_equal(failed_count, 1);
	assert_int_equal(failed_error, -EPIPE);
	assert_int_equal(console.dropped, 2);
	line("three");
	assert_null(find_started(IORING_OP_WRITE, console.fd));
	assert_int_equal(console.dropped, 3);
	assert_int_equal(failed_count, 1);
}

/* A console that is taken from its server while it waits keeps its lines, and no timer. */
static void detached_while_waiting(void **state)
{
	(void)state;
	line("one");
	complete_write(-EAGAIN);
	console_detach(&console);
	kernel.now_ns += 1000000000;
	turn();
	assert_null(find_started(IORING_OP_WRITE, console.fd));
	console_attach(&console, server);
	turn();
	complete_write(4);
	assert_string_equal(written, "one\n");
}

/* A write that would block when the console is taken away needs no timer either. */
static void detached_while_writing(void **state)
{
	(void)state;
	line("one");
	console_detach(&console);
	complete_write(-EAGAIN);
	assert_null(console.retry);
	console_attach(&console, server);
	turn();
	complete_write(4);
	assert_string_equal(written, "one\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_parts), TEST(full_submission_queue),  TEST(would_block),
		TEST(refused),	TEST(detached_while_waiting), TEST(detached_while_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
