/* SPDX-License-Identifier: MIT */
/* What the library tells of clients that number their datagrams: of each, and of all together. */
#include "contract/library.h"

enum { HEADER_BYTES = 12 };

/* ssrc, number: the smallest header of RTP (RFC 3550, section 5.1); timestamps stay 0. */
static void say_numbered(int fd, uint8_t ssrc, uint16_t number, const char *text)
{
	uint8_t datagram[64] = { 0x80, 96, (uint8_t)(number >> 8), (uint8_t)number, [11] = ssrc };

	memcpy(datagram + HEADER_BYTES, text, strlen(text));
	say_bytes(fd, datagram, HEADER_BYTES + strlen(text));
}

/* The same, for a datagram that is answered with its text. */
static void ask(int fd, uint8_t ssrc, uint16_t number, const char *text)
{
	uint8_t answer[64];

	say_numbered(fd, ssrc, number, text);
	expect(recv(fd, answer, sizeof(answer), 0) == HEADER_BYTES + (ssize_t)strlen(text));
	expect(memcmp(answer + HEADER_BYTES, text, strlen(text)) == 0);
}

static int begin(void **state)
{
	if (library_begin(state))
		return -1;
	service.connected = NULL;
	service.disconnected = NULL;
	options.udp_sequence = ROLLCALL_SEQUENCE_AUTO;
	return 0;
}

/* ---- Reports --------------------------------------------------------------------------------- */

static void note_sequence(struct rollcall_server *of, rollcall_client client)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	const struct rollcall_sequence *sequence = &info.sequence;

	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	note("%d: %d messages, %d bytes", (int)client, (int)info.messages_received,
	     (int)info.bytes_received);
	if (info.has_sequence)
		note("ssrc %d: %d of %d, %d lost, %d duplicate, %d reordered, %d late, %d restarts",
		     (int)sequence->ssrc, (int)sequence->received, (int)sequence->expected,
		     (int)sequence->lost, (int)sequence->duplicates, (int)sequence->reordered,
		     (int)sequence->late, (int)sequence->restarts);
}

static void note_all(struct rollcall_server *of, void *context)
{
	(void)context;
	for (rollcall_client client = rollcall_client_next(of, ROLLCALL_NONE);
	     client != ROLLCALL_NONE; client = rollcall_client_next(of, client))
		note_sequence(of, client);
}

static void come_numbered(void)
{
	int fd = dial_udp();

	/* Wraps; one is lost, one comes twice, and one after the next. */
	ask(fd, 7, 65534, "a");
	ask(fd, 7, 65535, "b");
	ask(fd, 7, 2, "c");
	ask(fd, 7, 0, "d");
	say_numbered(fd, 7, 0, "e");
	/* Restarts; the first of the new numbers is not yet believed. */
	ask(fd, 8, 1, "f");
	ask(fd, 8, 2, "g");
	say_numbered(fd, 8, 40000, "h");
	ask(fd, 8, 40001, "i");
	say(fd, "plain");
	hear(fd, "plain");
	expect(rollcall_post(server, note_all, NULL) == 0);
	wait_for_server();
	close(fd);
}

/* Each source of one socket has a report of its own, and the counters have the sum. */
static void reports(void **state)
{
	(void)state;
	create_and_listen();
	run(come_numbered);
	assert_string_equal(trace,
			    "received 0 a\nreceived 0 b\nreceived 0 c\nreceived 0 d\n"
			    "received 1 f\nreceived 1 g\nreceived 1 i\n"
			    "received 2 plain\n"
			    "0: 4 messages, 4 bytes\n"
			    "ssrc 7: 4 of 4, 1 lost, 1 duplicate, 1 reordered, 0 late, 0 restarts\n"
			    "1: 3 messages, 3 bytes\n"
			    "ssrc 8: 2 of 2, 0 lost, 0 duplicate, 0 reordered, 1 late, 1 restarts\n"
			    "2: 1 messages, 5 bytes\n");
	assert_int_equal(stats_now().udp_clients, 3);
	assert_int_equal(stats_now().messages_received, 8);
	assert_int_equal(stats_now().bytes_received, 12);
	assert_int_equal(stats_now().bytes_sent, 12);
	assert_int_equal(stats_now().sequence_received, 6);
	assert_int_equal(stats_now().sequence_expected, 6);
	assert_int_equal(stats_now().sequence_lost, 1);
	assert_int_equal(stats_now().sequence_duplicates, 1);
	assert_int_equal(stats_now().sequence_reordered, 1);
	assert_int_equal(stats_now().sequence_late, 1);
	assert_int_equal(stats_now().sequence_restarts, 1);
	assert_int_equal(stats_now().udp_dropped_malformed, 0);
}

/* ---- Malformed ------------------------------------------------------------------------------- */

static const struct datagram {
	const char *name;
	uint8_t bytes[16];
	size_t count;
} malformed[] = {
	{ "short", { 0x80, 96 }, HEADER_BYTES - 1 },
	{ "RTCP", { 0x80, 200 }, 16 },
	{ "CSRC beyond the end", { 0x82, 96 }, 16 },
	{ "extension beyond the end", { 0x90, 96, [15] = 1 }, 16 },
	{ "padding beyond the end", { 0xa0, 96, [15] = 5 }, 16 },
	{ "padding of nothing", { 0xa0, 96 }, 16 },
};

static void come_malformed(void)
{
	int fd = dial_udp();

	for (size_t i = 0; i < COUNT(malformed); i++) {
		say_bytes(fd, malformed[i].bytes, malformed[i].count);
		say(fd, "after");
		if (options.udp_sequence == ROLLCALL_SEQUENCE_AUTO)
			hear(fd, "after");
	}
	ask(fd, 7, 1, "good");
	close(fd);
}

/* Headers that are not well-formed are counted, and plain datagrams too where all must have one. */
static void malformed_headers(void **state)
{
	(void)state;
	for (int i = 0; i <= 1; i++) {
		options.udp_sequence = i ? ROLLCALL_SEQUENCE_RTP : ROLLCALL_SEQUENCE_AUTO;
		create_and_listen();
		run(come_malformed);
		assert_int_equal(stats_now().udp_dropped_malformed, COUNT(malformed) * (i ? 2 : 1));
		assert_int_equal(stats_now().udp_clients, i ? 1 : 2);
		assert_int_equal(stats_now().messages_received, i ? 1 : 1 + COUNT(malformed));
		library_end(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports, begin, library_end),
		cmocka_unit_test_setup_teardown(malformed_headers, begin, library_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
