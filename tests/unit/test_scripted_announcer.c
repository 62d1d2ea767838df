/* SPDX-License-Identifier: MIT */
/* The lines of the console about clients: which came and went, and what of theirs was lost. */
#include "unit/scripted_udp.h"

#include "program/announcer.h"
#include "udp/rtp.h"

static struct console console;
static struct announcer announcer;

static int begin(void **state)
{
	int error = udp_begin(state);

	is_answering = true;
	console_init(&console, kernel_open(), NULL, NULL);
	announcer_init(&announcer, &service, NULL, &console);
	return error;
}

static int end(void **state)
{
	console_detach(&console);
	kernel_close(console.fd);
	return scripted_end(state);
}

static void serve_announced(const char *text)
{
	create();
	console_attach(&console, server);
	assert_int_equal(rollcall_listen(server, text, &announcer.service, &announcer), 0);
	turn();
}

/* What has been written since the last time; all of it is in the file then. */
static void assert_lines(const char *expected)
{
	char lines[4096] = "";

	for (struct io_uring_sqe *sqe; (sqe = find_started(IORING_OP_WRITE, console.fd));) {
		strncat(lines, (const char *)(uintptr_t)sqe->addr, sqe->len);
		complete(sqe, (int)sqe->len, 0);
		turn();
	}
	assert_string_equal(lines, expected);
}

static void come_numbered(uint16_t number, uint32_t timestamp)
{
	const struct rtp rtp = { .type = 96, .number = number, .timestamp = timestamp };
	struct datagram_in in = datagram_from("192.0.2.1", 2001, "");
	uint8_t datagram[RTP_HEADER_BYTES + 1] = { [RTP_HEADER_BYTES] = 'x' };

	rtp_write(datagram, &rtp);
	in.data = datagram;
	in.bytes = sizeof(datagram);
	receive_datagram(&in);
}

/* A numbered client that is gone: what was lost, and what came how. The inner service is called. */
static void sequence(void **state)
{
	(void)state;
	options.udp_sequence = ROLLCALL_SEQUENCE_AUTO;
	serve_announced("udp://192.0.2.9:7070");
	come_numbered(10, 0);
	come_numbered(11, 0);
	assert_lines("Client ID : 0 connected .\nReceived: x\nReceived: x\n");
	come_numbered(14, 0);
	come_numbered(13, 1600);
	come_numbered(13, 1600);
	assert_lines("Received: x\nReceived: x\n");
	come_numbered(50000, 0);
	come_numbered(50001, 0);
	assert_lines("Received: x\n");
	assert_int_equal(rollcall_close(server, 0), 0);
	while (is_sending())
		complete_send(1);
	assert_lines("Client ID : 0 sequence : 5 delivered, 1 lost, 1 duplicate, 1 reordered, "
		     "1 late, 1 restarts, jitter 93 us .\n");
	expect("+0 0:x 0:x 0:x 0:x 0:x -0(-125) ");
}

/* One that does not number its datagrams comes, but does not leave. */
static void not_numbered(void **state)
{
	(void)state;
	is_answering = false;
	options.udp_sequence = ROLLCALL_SEQUENCE_AUTO;
	serve_announced("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "hello\n");
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	assert_lines("Client ID : 0 connected .\nReceived: hello\n");
	expect("+0 0:hello\n -0(-125) ");
}

/* Nobody is not announced; what nobody says is. */
static void nobody(void **state)
{
	(void)state;
	service.stateless = true;
	announcer_init(&announcer, &service, NULL, &console);
	options.udp_clients_max = 1;
	serve_announced("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	come("192.0.2.2", 2002, "b");
	assert_lines("Client ID : 0 connected .\nReceived: a\nReceived: b\n");
	expect("+0 0:a none:b ");
}

/* A TCP client comes and leaves, and the next one is waited for. */
static void tcp(void **state)
{
	int fd;

	(void)state;
	service.connected = NULL;
	service.received = NULL;
	service.disconnected = NULL;
	serve_announced("tcp://127.0.0.1:0");
	announcer_waiting(&announcer);
	fd = accept_client();
	receive(fd, "hello\n", 6);
	assert_int_equal(rollcall_abort(server, 0), 0);
	turn();
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	turn();
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_lines("Waiting for client...\nClient ID : 0 connected .\nWaiting for client...\n"
		     "Received: hello\nClient ID : 0 disconnected .\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sequence),
		TEST(not_numbered),
		TEST(nobody),
		TEST(tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
