/* SPDX-License-Identifier: MIT */
/* Every way to end a server: before it ran, while it serves, and with clients that do not go. */
#include "contract/library.h"

static void note_post(struct rollcall_server *of, void *text)
{
	(void)of;
	note("%s", (char *)text);
}

/* A server that never ran can be destroyed, also with a post and a client waiting. */
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

static int unread_fd;

/* Closed by the test, after the server has ended without it. */
static void ask_and_not_read(void)
{
	unread_fd = dial();
	say(unread_fd, "?\n");
	while (wait_for_server()->messages_sent == 0)
		usleep(1000);
}

static void ask_and_stop(void)
{
	ask_and_not_read();
	post_stop();
}

/* A second stop (the script's end is one too) ends it at once, though a client takes no answer. */
static void stop_twice(void **state)
{
	(void)state;
	service.received = answer_much;
	options.send_queue_bytes_max = 32 << 20;
	options.drain_timeout_ms = 1000000;
	create_and_listen();
	run(ask_and_stop);
	close(unread_fd);
	assert_string_equal(trace, "connected 0\ndisconnected 0 the server is stopping\n");
}

/* So does the drain timeout. */
static void drain_timeout(void **state)
{
	(void)state;
	service.received = answer_much;
	options.send_queue_bytes_max = 32 << 20;
	options.drain_timeout_ms = 50;
	create_and_listen();
	run(ask_and_not_read);
	close(unread_fd);
	assert_string_equal(trace, "connected 0\ndisconnected 0 the server is stopping\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(destroy_without_run), LIBRARY_TEST(stopped_before_run),
		LIBRARY_TEST(stop_in_callback),	   LIBRARY_TEST(stop_twice),
		LIBRARY_TEST(drain_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
