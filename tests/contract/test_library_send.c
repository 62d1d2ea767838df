/* SPDX-License-Identifier: MIT */
/* Sending through the library: what is copied, and the framing. */
#include "contract/library.h"

static uint8_t many[256 << 10];

static int begin(void **state)
{
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)(i * 7 + i / 251);
	return library_begin(state);
}

/* ---- In place -------------------------------------------------------------------------------- */

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void exchange_many(void)
{
	int fd = dial();

	for (size_t at = 0; at < sizeof(many); at += 16384) {
		say_bytes(fd, many + at, 16384);
		hear_bytes(fd, many + at, 16384);
	}
	close(fd);
	fd = dial_udp();
	say_bytes(fd, many, 8000);
	hear_bytes(fd, many, 8000);
	say_bytes(fd, many, 0);
	expect(recv(fd, &(char){ 0 }, 1, 0) == 0);
	close(fd);
}

/* What is sent from inside a message is not copied, neither TCP's nor UDP's. */
static void echo_in_place(void **state)
{
	(void)state;
	service.framing = ROLLCALL_FRAMING_RAW;
	service.received = echo;
	create_and_listen();
	run(exchange_many);
	assert_int_equal(stats_now().bytes_received, sizeof(many) + 8000);
	assert_int_equal(stats_now().bytes_sent, sizeof(many) + 8000);
	assert_int_equal(stats_now().bytes_copied, 0);
	assert_int_equal(stats_now().memory_bytes_now, 0);
}

static void relay(struct rollcall_server *of, rollcall_client client, const void *data,
		  size_t bytes, void *context)
{
	rollcall_client to = ROLLCALL_NONE;

	(void)context;
	while ((to = rollcall_client_next(of, to)) != ROLLCALL_NONE)
		if (to != client)
			assert_int_equal(rollcall_send(of, to, data, bytes), 0);
}

enum { LISTENERS = 20, RELAYED_BYTES = 12000 };

static void relay_to_many(void)
{
	int fds[LISTENERS], udp = dial_udp();

	for (size_t i = 0; i < LISTENERS; i++)
		fds[i] = dial();
	while (wait_for_server()->tcp_clients_now < LISTENERS)
		usleep(1000);
	say(udp, "hi");
	for (size_t i = 0; i < LISTENERS; i++)
		hear(fds[i], "hi");
	say_bytes(fds[0], many, RELAYED_BYTES);
	for (size_t i = 1; i < LISTENERS; i++)
		hear_bytes(fds[i], many, RELAYED_BYTES);
	for (size_t i = 0; i < LISTENERS; i++)
		close(fds[i]);
	close(udp);
}

/* A message that is passed on to many clients is not copied once. */
static void relay_in_place(void **state)
{
	(void)state;
	service.framing = ROLLCALL_FRAMING_RAW;
	service.received = relay;
	create_and_listen();
	run(relay_to_many);
	assert_int_equal(stats_now().bytes_copied, 0);
	/* To all but the sender, the UDP client too. */
	assert_int_equal(stats_now().bytes_sent, LISTENERS * 2 + LISTENERS * RELAYED_BYTES);
}

static void answer_from_elsewhere(struct rollcall_server *of, rollcall_client client,
				  const void *data, size_t bytes, void *context)
{
	char copy[6];

	(void)context;
	assert_int_equal(bytes, sizeof(copy));
	memcpy(copy, data, sizeof(copy));
	assert_int_equal(rollcall_send(of, client, copy, sizeof(copy)), 0);
	memset(copy, 'x', sizeof(copy));
}

static void one_line(void)
{
	int fd = dial();

	say(fd, "hello\n");
	hear(fd, "hello\n");
	close(fd);
}

/* Other bytes are taken over at once, and counted. */
static void copied(void **state)
{
	(void)state;
	service.received = answer_from_elsewhere;
	create_and_listen();
	run(one_line);
	assert_int_equal(stats_now().bytes_copied, 6);
}

/* ---- Framing --------------------------------------------------------------------------------- */

static void note_and_answer(struct rollcall_server *of, rollcall_client client, const void *data,
			    size_t bytes, void *context)
{
	const struct iovec parts[] = { { "<", 1 }, { (void *)data, bytes }, { ">", 1 } };

	(void)context;
	note("%.*s", (int)bytes, (const char *)data);
	assert_int_equal(rollcall_sendv(of, client, parts, COUNT(parts)), 0);
	assert_int_equal(rollcall_send(of, client, NULL, 0), 0);
}

static void messages_with_lengths(void)
{
	int fd = dial();

	say_bytes(fd, "\0\0\0\2hi\0\0\0\0\0\0", 12);
	hear_bytes(fd, "\0\0\0\4<hi>\0\0\0\0\0\0\0\2<>\0\0\0\0", 22);
	say_bytes(fd, "\0\3you", 5);
	hear_bytes(fd, "\0\0\0\5<you>\0\0\0\0", 13);
	close(fd);
	fd = dial_udp();
	say(fd, "udp");
	hear(fd, "<udp>");
	close(fd);
}

/* The length is taken off what comes and put before what goes, for TCP; a datagram is as it is. */
static void length_framing(void **state)
{
	(void)state;
	service.framing = ROLLCALL_FRAMING_LENGTH;
	service.received = note_and_answer;
	service.connected = NULL;
	service.disconnected = NULL;
	create_and_listen();
	run(messages_with_lengths);
	assert_string_equal(trace, "hi\n\nyou\nudp\n");
}

/* ---- More than fits -------------------------------------------------------------------------- */

enum { PIECES = 200, PIECE_BYTES = 100000 };

static unsigned pieces_left;

/* A service that sends as long as it may, and goes on in drained() where it was refused. */
static void send_pieces(struct rollcall_server *of, rollcall_client client, void *context)
{
	int error = 0;

	(void)context;
	while (pieces_left > 0 && !error) {
		error = rollcall_send(of, client, many, PIECE_BYTES);
		pieces_left -= !error;
	}
	assert_true(error == 0 || error == -ENOBUFS);
}

static void begin_pieces(struct rollcall_server *of, rollcall_client client, const void *data,
			 size_t bytes, void *context)
{
	(void)data;
	(void)bytes;
	pieces_left = PIECES;
	send_pieces(of, client, context);
}

static void ask_and_half_close(void)
{
	int fd = dial();

	say(fd, "all\n");
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < PIECES; i++)
		hear_bytes(fd, many, PIECE_BYTES);
	hear_end(fd);
	close(fd);
}

/* All of it arrives, though the client had ended its side before the first send was refused. */
static void drained_after_half_close(void **state)
{
	(void)state;
	service.received = begin_pieces;
	service.drained = send_pieces;
	create_and_listen();
	run(ask_and_half_close);
	assert_in_range(stats_now().sends_refused, 1, PIECES);
	assert_string_equal(trace, "connected 0\ndisconnected 0 ended by the client\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, library_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(echo_in_place),  TEST(relay_in_place),	      TEST(copied),
		TEST(length_framing), TEST(drained_after_half_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
