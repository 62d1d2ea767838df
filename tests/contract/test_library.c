/* SPDX-License-Identifier: MIT */
/* The library from outside: the life of clients, from their coming to the reason of their going. */
#include "contract/library.h"

static void one_line(void)
{
	int fd = dial();

	say(fd, "hello\n");
	hear(fd, "hello\n");
	shutdown(fd, SHUT_WR);
	hear_end(fd);
	close(fd);
}

/* A client comes, says something, is answered, and goes. */
static void life_of_a_client(void **state)
{
	(void)state;
	create_and_listen();
	run(one_line);
	assert_string_equal(trace, "connected 0\nreceived 0 hello\n"
				   "disconnected 0 ended by the client\n");
}

static void lines_in_pieces(void)
{
	int fd = dial();

	say(fd, "o");
	wait_for_server();
	say(fd, "ne\r\ntwo\n\nla");
	hear(fd, "one\r\ntwo\n\n");
	say(fd, "st");
	shutdown(fd, SHUT_WR);
	hear(fd, "last");
	hear_end(fd);
	close(fd);
}

/* Lines come whole with their endings; the last may lack one. */
static void lines(void **state)
{
	(void)state;
	create_and_listen();
	run(lines_in_pieces);
	assert_string_equal(trace, "connected 0\nreceived 0 one\r\nreceived 0 two\nreceived 0 \n"
				   "received 0 last\ndisconnected 0 ended by the client\n");
}

static void two_datagrams(void)
{
	int fd = dial_udp(), other = dial_udp();

	say(fd, "one");
	hear(fd, "one");
	say(other, "two");
	hear(other, "two");
	say(fd, "three");
	hear(fd, "three");
	close(fd);
	close(other);
}

/* UDP clients come with their first datagram, and go with the server; IDs are shared with TCP. */
static void udp_clients(void **state)
{
	(void)state;
	create_and_listen();
	run(two_datagrams);
	assert_string_equal(trace, "connected 0\nreceived 0 one\nconnected 1\nreceived 1 two\n"
				   "received 0 three\ndisconnected 0 the server is stopping\n"
				   "disconnected 1 the server is stopping\n");
}

static void several_leave(void)
{
	for (int i = 0; i < 3; i++)
		one_line();
}

/* IDs count up though earlier clients have left. */
static void ids_count_up(void **state)
{
	static const char *const expected[] = { "connected 0\n", "connected 1\n", "connected 2\n" };
	const char *at = trace;

	(void)state;
	create_and_listen();
	run(several_leave);
	for (size_t i = 0; i < COUNT(expected); i++) {
		at = strstr(at, expected[i]);
		assert_non_null(at);
	}
}

/* ---- Ends at the beginning ------------------------------------------------------------------- */

static void close_at_once(struct rollcall_server *of, rollcall_client client, void *context)
{
	note_connected(of, client, context);
	assert_int_equal(rollcall_send(of, client, "no\n", 3), 0);
	assert_int_equal(rollcall_close(of, client), 0);
}

static void be_refused(void)
{
	int fd = dial();

	hear(fd, "no\n");
	hear_end(fd);
	close(fd);
	fd = dial_udp();
	say(fd, "not seen");
	hear(fd, "no\n");
	close(fd);
	wait_for_server();
}

/* A service that closes each client in connected() gets no message of it. */
static void closed_in_connected(void **state)
{
	(void)state;
	service.connected = close_at_once;
	create_and_listen();
	run(be_refused);
	assert_non_null(strstr(trace, "disconnected 0 closed by the service\n"));
	assert_non_null(strstr(trace, "disconnected 1 closed by the service\n"));
	assert_null(strstr(trace, "received"));
}

static void abort_at_once(struct rollcall_server *of, rollcall_client client, void *context)
{
	note_connected(of, client, context);
	assert_int_equal(rollcall_abort(of, client), 0);
}

static void be_aborted(void)
{
	int fd = limited_socket(SOCK_STREAM);

	/* The reset may come before connect(2) has returned. */
	if (connect(fd, (struct sockaddr *)&tcp_address, sizeof(tcp_address)) == 0)
		hear_reset(fd);
	else
		expect(errno == ECONNRESET);
	close(fd);
	wait_for_server();
}

static void aborted_in_connected(void **state)
{
	(void)state;
	service.connected = abort_at_once;
	create_and_listen();
	run(be_aborted);
	assert_string_equal(trace, "connected 0\ndisconnected 0 aborted by the service\n");
}

/* ---- After the end --------------------------------------------------------------------------- */

static int its_data;

static void keep_data(struct rollcall_server *of, rollcall_client client, void *context)
{
	(void)context;
	assert_null(rollcall_data(of, client));
	assert_int_equal(rollcall_set_data(of, client, &its_data), 0);
	assert_ptr_equal(rollcall_data(of, client), &its_data);
}

static void look_at_the_gone(struct rollcall_server *of, void *client)
{
	const rollcall_client id = (rollcall_client)(uintptr_t)client;
	struct rollcall_client_info info = { .size = sizeof(info) };

	assert_int_equal(rollcall_send(of, id, "x", 1), -ENOENT);
	assert_int_equal(rollcall_close(of, id), -ENOENT);
	assert_int_equal(rollcall_abort(of, id), -ENOENT);
	assert_int_equal(rollcall_set_data(of, id, &its_data), -ENOENT);
	assert_null(rollcall_data(of, id));
	assert_int_equal(rollcall_client_get_info(of, id, &info), -ENOENT);
	note("looked at %d", (int)id);
}

/* Until disconnected() returns the ID and the data still work; sending does not. */
static void look_at_the_leaving(struct rollcall_server *of, rollcall_client client, int reason,
				void *context)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	(void)context;
	(void)reason;
	assert_ptr_equal(rollcall_data(of, client), &its_data);
	assert_int_equal(rollcall_send(of, client, "x", 1), -EPIPE);
	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	assert_int_equal(info.messages_received, 1);
	assert_int_equal(rollcall_close(of, client), 0);
	assert_int_equal(rollcall_abort(of, client), 0);
	assert_int_equal(rollcall_post(of, look_at_the_gone, (void *)(uintptr_t)client), 0);
	note("leaving %d", (int)client);
}

/* Once gone, an ID is unknown, as one that never was. */
static void gone(void **state)
{
	(void)state;
	service.connected = keep_data;
	service.disconnected = look_at_the_leaving;
	create_and_listen();
	look_at_the_gone(server, NULL);
	run(one_line);
	look_at_the_gone(server, NULL);
	look_at_the_gone(server, (void *)(uintptr_t)7);
	rollcall_destroy(server);
	server = NULL;
	assert_non_null(strstr(trace, "leaving 0\n"));
	assert_non_null(strstr(trace, "looked at 0\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(life_of_a_client),
		LIBRARY_TEST(lines),
		LIBRARY_TEST(udp_clients),
		LIBRARY_TEST(ids_count_up),
		LIBRARY_TEST(closed_in_connected),
		LIBRARY_TEST(aborted_in_connected),
		LIBRARY_TEST(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
