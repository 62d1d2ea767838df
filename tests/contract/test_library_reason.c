/* SPDX-License-Identifier: MIT */
/* The library's reasons: each way that a client can end says so, and once. */
#include "contract/library.h"

/* What a client says decides how it ends. */
static void end_as_told(struct rollcall_server *of, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	(void)bytes;
	(void)context;
	assert_int_equal(rollcall_send(of, client, "bye\n", 4), 0);
	if (memcmp(data, "close", 5) == 0) {
		assert_int_equal(rollcall_close(of, client), 0);
		assert_int_equal(rollcall_close(of, client), 0);
		assert_int_equal(rollcall_send(of, client, "?", 1), -EPIPE);
	} else if (memcmp(data, "abort", 5) == 0) {
		assert_int_equal(rollcall_abort(of, client), 0);
		assert_int_equal(rollcall_abort(of, client), 0);
		assert_int_equal(rollcall_close(of, client), 0);
		assert_int_equal(rollcall_send(of, client, "?", 1), -EPIPE);
	}
}

static void each_reason(void)
{
	int fd = dial();

	say(fd, "close\nnot seen\n");
	hear(fd, "bye\n");
	hear_end(fd);
	close(fd);
	wait_for_server();
	fd = dial();
	say(fd, "abort\nnot seen\n");
	hear_reset(fd);
	close(fd);
	fd = dial();
	say(fd, "stay\n");
	hear(fd, "bye\n");
	reset(fd);
	fd = dial_udp();
	say(fd, "close");
	hear(fd, "bye\n");
	close(fd);
	fd = dial_udp();
	say(fd, "abort");
	hear(fd, "bye\n");
	close(fd);
	fd = dial();
	say(fd, "stay\n");
	hear(fd, "bye\n");
	wait_for_server();
	post_stop();
	hear_end(fd);
	close(fd);
}

/* Every end has its reason, and disconnected() is called once for each. */
static void reasons(void **state)
{
	static const char *const expected[] = {
		"disconnected 0 closed by the service\n",
		"disconnected 1 aborted by the service\n",
		"disconnected 2 reset by the client\n",
		"disconnected 3 closed by the service\n",
		"disconnected 4 aborted by the service\n",
		"disconnected 5 the server is stopping\n",
	};
	unsigned count = 0;

	(void)state;
	service.received = end_as_told;
	create_and_listen();
	run(each_reason);
	for (size_t i = 0; i < COUNT(expected); i++)
		if (!strstr(trace, expected[i]))
			fail_msg("no \"%s\" in the trace:\n%s", expected[i], trace);
	for (const char *at = trace; (at = strstr(at, "disconnected")); at++)
		count++;
	assert_int_equal(count, COUNT(expected));
}

static void stay_silent(void)
{
	int fd = dial();

	hear_end(fd);
	close(fd);
	wait_for_server();
}

/* A client that says nothing for too long is ended in good order. */
static void idle(void **state)
{
	(void)state;
	options.tcp_idle_timeout_ms = 50;
	create_and_listen();
	run(stay_silent);
	assert_string_equal(trace, "connected 0\ndisconnected 0 idle timeout\n");
}

static void answer_oversized(struct rollcall_server *of, rollcall_client client, size_t bytes_max,
			     void *context)
{
	(void)context;
	note("oversized %d %zu", (int)client, bytes_max);
	assert_int_equal(rollcall_send(of, client, "too long\n", 9), 0);
}

static void say_too_much(void)
{
	int fd = dial();

	say(fd, "12345678\n123456789\nnot seen\n");
	hear(fd, "12345678\ntoo long\n");
	hear_end(fd);
	close(fd);
	wait_for_server();
}

/* A message that is too long: what is sent then is the last that the client gets. */
static void oversized(void **state)
{
	(void)state;
	service.oversized = answer_oversized;
	service.message_bytes_max = 8;
	create_and_listen();
	run(say_too_much);
	assert_string_equal(trace, "connected 0\nreceived 0 12345678\noversized 0 8\n"
				   "disconnected 0 message too long\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(reasons),
		LIBRARY_TEST(idle),
		LIBRARY_TEST(oversized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
