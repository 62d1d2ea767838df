/* SPDX-License-Identifier: MIT */
/* The library's limits: messages too large, queues that are full, and clients that do not read. */
#include "contract/library.h"
#include "service/services.h"

static uint8_t many[256 << 10];

static int begin(void **state)
{
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)(i * 7 + i / 251);
	return library_begin(state);
}

#define SOFT_BYTES 4096
#define HARD_BYTES 8192
#define PIECE_BYTES 1000

/* Sends as long as it can; what went is counted in the client's data. */
static void send_to_the_limit(struct rollcall_server *of, rollcall_client client, const void *data,
			      size_t bytes, void *context)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	size_t sent = 0;
	int result;

	(void)data;
	(void)bytes;
	(void)context;
	while ((result = rollcall_send(of, client, many + sent, PIECE_BYTES)) == 0)
		sent += PIECE_BYTES;
	assert_int_equal(result, -ENOBUFS);
	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	assert_int_equal(info.queued_bytes, sent);
	note("sent %zu", sent);
}

static void note_drained(struct rollcall_server *of, rollcall_client client, void *context)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	(void)context;
	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	assert_in_range(info.queued_bytes, 0, SOFT_BYTES / 2);
	note("drained");
	assert_int_equal(rollcall_send(of, client, "end", 3), 0);
}

static void ask_for_much(void)
{
	int fd = dial();

	say(fd, "?\n");
	hear_bytes(fd, many, 8000);
	hear(fd, "end");
	close(fd);
}

/* At the hard limit a send is refused as a whole; drained() tells when there is space. */
static void hard_limit(void **state)
{
	(void)state;
	options.send_queue_bytes = SOFT_BYTES;
	options.send_queue_bytes_max = HARD_BYTES;
	service.connected = NULL;
	service.disconnected = NULL;
	service.received = send_to_the_limit;
	service.drained = note_drained;
	create_and_listen();
	run(ask_for_much);
	assert_string_equal(trace, "sent 8000\ndrained\n");
	assert_int_equal(stats_now().sends_refused, 1);
	assert_int_equal(stats_now().receive_pauses, 1);
	assert_int_equal(stats_now().bytes_sent, 8003);
}

static void send_too_much(struct rollcall_server *of, rollcall_client client, const void *data,
			  size_t bytes, void *context)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	struct iovec parts[17];

	(void)data;
	(void)bytes;
	(void)context;
	for (size_t i = 0; i < COUNT(parts); i++)
		parts[i] = (struct iovec){ many + i, 1 };
	assert_int_equal(rollcall_sendv(of, client, parts, 17), -EINVAL);
	assert_int_equal(rollcall_send(of, client, many, ((size_t)1 << 30) + 1), -EINVAL);
	parts[0].iov_len = (size_t)1 << 30;
	assert_int_equal(rollcall_sendv(of, client, parts, 2), -EINVAL);
	parts[0].iov_len = 1;
	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	if (info.transport == ROLLCALL_TCP)
		assert_int_equal(rollcall_send(of, client, many, HARD_BYTES + 1), -EMSGSIZE);
	else
		assert_int_equal(rollcall_send(of, client, many, 65508), -EMSGSIZE);
	assert_int_equal(rollcall_sendv(of, client, parts, 16), 0);
}

static void ask_for_too_much(void)
{
	int fd = dial();

	say(fd, "?\n");
	hear_bytes(fd, many, 16);
	close(fd);
	fd = dial_udp();
	say(fd, "?");
	hear_bytes(fd, many, 16);
	close(fd);
}

/* Messages that can never be sent are refused, and do not disturb those that can. */
static void sizes(void **state)
{
	(void)state;
	options.send_queue_bytes = SOFT_BYTES;
	options.send_queue_bytes_max = HARD_BYTES;
	service.received = send_too_much;
	create_and_listen();
	run(ask_for_too_much);
	assert_int_equal(stats_now().messages_sent, 2);
}

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

enum { FLOOD_ROUNDS = 128 };

static void *write_on(void *fd)
{
	for (int i = 0; i < FLOOD_ROUNDS; i++)
		say_bytes(*(int *)fd, many, sizeof(many));
	return NULL;
}

static void flood(void)
{
	int fd = dial(), quick = dial();
	pthread_t writer;

	expect(pthread_create(&writer, NULL, write_on, &fd) == 0);
	while (wait_for_server()->receive_pauses == 0)
		usleep(1000);
	say(quick, "not disturbed");
	hear(quick, "not disturbed");
	for (int i = 0; i < FLOOD_ROUNDS; i++)
		hear_bytes(fd, many, sizeof(many));
	pthread_join(writer, NULL);
	close(fd);
	close(quick);
}

/*
 * A client that sends and does not read is paused at the soft limit, and another one does not
 * notice; when it reads again everything comes, in order.
 */
static void back_pressure(void **state)
{
	(void)state;
	service.framing = ROLLCALL_FRAMING_RAW;
	service.received = echo;
	options.send_queue_bytes = 65536;
	create_and_listen();
	run(flood);
	assert_int_equal(stats_now().sends_refused, 0);
	assert_in_range(stats_now().receive_pauses, 1, UINT64_MAX);
	assert_int_equal(stats_now().bytes_sent, FLOOD_ROUNDS * sizeof(many) + 13);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, library_end)

static void say_more_than_the_limit(void)
{
	int fd = dial();

	many[SOFT_BYTES + 1] = '\n';
	say_bytes(fd, many, SOFT_BYTES + 2);
	hear_reset(fd);
	close(fd);
}

/* An echo that could never be queued ends the client: it must not just be left out. */
static void echo_of_too_much(void **state)
{
	(void)state;
	options.send_queue_bytes = SOFT_BYTES;
	options.send_queue_bytes_max = SOFT_BYTES;
	service.received = echo_service.received;
	memset(many, 'x', SOFT_BYTES + 1);
	create_and_listen();
	run(say_more_than_the_limit);
	assert_int_equal(stats_now().messages_received, 1);
	assert_int_equal(stats_now().messages_sent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hard_limit),
		TEST(sizes),
		TEST(back_pressure),
		TEST(echo_of_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
