/* SPDX-License-Identifier: MIT */
/*
 * Clients that number their datagrams: which they are, what is delivered, and what is said of them.
 */
#include "unit/scripted_udp.h"

#include "udp/datagram.h"
#include "udp/rtp.h"

#define ADDRESS "udp://192.0.2.9:7070"

static void serve_numbered(enum rollcall_udp_sequence mode)
{
	options.udp_sequence = mode;
	serve(ADDRESS);
}

/* A numbered datagram from one port. */
static void come_numbered(uint32_t ssrc, uint16_t number, const char *text)
{
	const struct rtp rtp = { .type = 96, .number = number, .timestamp = 77, .ssrc = ssrc };
	struct datagram_in in = datagram_from("192.0.2.1", 2001, "");
	uint8_t datagram[128];

	rtp_write(datagram, &rtp);
	in.data = strcpy((char *)datagram + RTP_HEADER_BYTES, text) - RTP_HEADER_BYTES;
	in.bytes = RTP_HEADER_BYTES + strlen(text);
	receive_datagram(&in);
}

/* The next to be sent is a numbered answer, which arrives. */
static struct rtp take_answer(const char *text)
{
	uint8_t sent[128];
	size_t payload, payload_bytes;
	struct rtp rtp;

	copy_sending(sent, RTP_HEADER_BYTES + strlen(text));
	assert_int_equal(rtp_parse(sent, sending_bytes(), &rtp, &payload, &payload_bytes), 0);
	assert_int_equal(payload, RTP_HEADER_BYTES);
	assert_int_equal(payload_bytes, strlen(text));
	assert_memory_equal(sent + payload, text, payload_bytes);
	complete_send(1);
	return rtp;
}

static struct rollcall_client_info info_of(rollcall_client client)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	assert_int_equal(rollcall_client_get_info(server, client, &info), 0);
	return info;
}

/* Off: a header is a part of the message, and there is nothing to tell. */
static void off(void **state)
{
	(void)state;
	is_answering = true;
	serve_numbered(ROLLCALL_SEQUENCE_OFF);
	come_numbered(1, 5, "a");
	come_numbered(2, 5, "b");
	assert_int_equal(stats_now().udp_clients, 1);
	assert_int_equal(sending_bytes(), RTP_HEADER_BYTES + 1);
	assert_false(info_of(0).has_sequence);
	assert_int_equal(info_of(0).bytes_received, 2 * (RTP_HEADER_BYTES + 1));
	assert_int_equal(stats_now().sequence_received, 0);
}

/* All must have a header: what lacks one, or has a wrong one, is dropped and makes no client. */
static void must_have(void **state)
{
	static const char *const wrong[] = { "", "hello", "\x80\x60too short",
					     "\xb0\x60-12timessrc" };

	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		come("192.0.2.1", 2001, wrong[i]);
		assert_int_equal(stats_now().udp_dropped_malformed, i + 1);
	}
	expect("");
	come_numbered(1, 5, "a");
	expect("+0 0:a ");
	assert_int_equal(stats_now().udp_dropped_malformed, COUNT(wrong));
	assert_int_equal(stats_now().udp_clients, 1);
}

/* Auto: those whose first byte says so must have a good header, the others are plain. */
static void may_have(void **state)
{
	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_AUTO);
	come("192.0.2.1", 2001, "");
	come("192.0.2.1", 2001, "hello");
	come("192.0.2.1", 2001,
	     "\x7f"
	     "012345678901");
	come("192.0.2.1", 2001,
	     "\xc0"
	     "012345678901");
	assert_int_equal(stats_now().udp_clients, 1);
	assert_int_equal(stats_now().messages_received, 4);
	assert_false(info_of(0).has_sequence);
	come("192.0.2.1", 2001, "\x80 bad");
	come("192.0.2.1", 2001, "\xbf\x60-12timessrc");
	assert_int_equal(stats_now().udp_dropped_malformed, 2);
	assert_int_equal(stats_now().messages_received, 4);
	come_numbered(1, 5, "a");
	assert_int_equal(stats_now().udp_clients, 2);
	assert_true(info_of(1).has_sequence);
}

/* Each source of an address is a client of its own, apart from the address's plain datagrams. */
static void sources_of_an_address(void **state)
{
	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_AUTO);
	come_numbered(1, 5, "a");
	come_numbered(2, 900, "b");
	come_numbered(0, 7, "c");
	come("192.0.2.1", 2001, "d");
	come_numbered(1, 6, "e");
	come_numbered(2, 901, "f");
	expect("+0 0:a +1 1:b +2 2:c +3 3:d 0:e 1:f ");
	assert_int_equal(info_of(0).sequence.ssrc, 1);
	assert_int_equal(info_of(1).sequence.ssrc, 2);
	assert_int_equal(info_of(2).sequence.ssrc, 0);
	assert_int_equal(stats_now().sequence_lost, 0);
}

/* What came twice is not delivered, and the report tells of it; so do the totals. */
static void delivered_once(void **state)
{
	struct rollcall_sequence sequence;

	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	come_numbered(1, 65534, "a");
	come_numbered(1, 65535, "b");
	come_numbered(1, 65535, "b");
	come_numbered(1, 2, "c");
	come_numbered(1, 1, "d");
	come_numbered(1, 2, "c");
	expect("+0 0:a 0:b 0:c 0:d ");
	sequence = info_of(0).sequence;
	assert_int_equal(sequence.lost, 1);
	assert_int_equal(sequence.duplicates, 2);
	assert_int_equal(sequence.reordered, 1);
	assert_int_equal(info_of(0).messages_received, 4);
	assert_int_equal(stats_now().messages_received, 4);
	assert_int_equal(stats_now().sequence_received, sequence.received);
	assert_int_equal(stats_now().sequence_expected, sequence.expected);
	assert_int_equal(stats_now().sequence_duplicates, 2);
	assert_int_equal(stats_now().sequence_reordered, 1);
	assert_int_equal(stats_now().sequence_lost, 1);
}

/* Answers are numbered one after the other for each client, by a source of the server's own. */
static void numbered_answers(void **state)
{
	struct rtp first, second, third;

	(void)state;
	is_answering = true;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	come_numbered(1, 5, "one");
	first = take_answer("one");
	come_numbered(1, 8, "two");
	second = take_answer("two");
	/* The scripted kernel's random bytes are all 7. */
	assert_int_equal(first.ssrc, 0x07070707);
	assert_int_equal(first.number, 0x0707);
	assert_int_equal(first.timestamp, 77);
	assert_int_equal(first.type, 96);
	assert_false(first.marker);
	assert_int_equal(second.ssrc, first.ssrc);
	assert_int_equal(second.number, first.number + 1);
	/* To this one, too, the service may send by itself. */
	assert_int_equal(rollcall_send(server, 0, "", 0), 0);
	turn();
	third = take_answer("");
	assert_int_equal(third.number, first.number + 2);
	assert_int_equal(info_of(0).bytes_sent, 6);
	assert_int_equal(info_of(0).messages_sent, 3);
}

/* Each numbered answer of a batch has its own header. */
static void numbered_batch(void **state)
{
	uint8_t sent[2 * (RTP_HEADER_BYTES + 3)];

	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	come_numbered(1, 5, "a");
	assert_int_equal(rollcall_send(server, 0, "one", 3), 0);
	assert_int_equal(rollcall_send(server, 0, "two", 3), 0);
	turn();
	assert_int_equal(sending_segment(), RTP_HEADER_BYTES + 3);
	copy_sending(sent, sizeof(sent));
	assert_memory_equal(sent + RTP_HEADER_BYTES, "one", 3);
	assert_memory_equal(sent + 2 * RTP_HEADER_BYTES + 3, "two", 3);
	assert_int_equal(sent[3] + 1, sent[RTP_HEADER_BYTES + 3 + 3]);
	complete_send(sizeof(sent));
}

/* The header counts against the longest datagram, and comes before any number of parts. */
static void longest(void **state)
{
	static char bytes[DATAGRAM_IPV4_BYTES_MAX];
	struct iovec parts[HUB_PARTS_MAX];

	(void)state;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	come_numbered(1, 5, "a");
	assert_int_equal(rollcall_send(server, 0, bytes, sizeof(bytes) - RTP_HEADER_BYTES + 1),
			 -EMSGSIZE);
	assert_int_equal(rollcall_send(server, 0, bytes, sizeof(bytes) - RTP_HEADER_BYTES), 0);
	turn();
	assert_int_equal(sending_bytes(), sizeof(bytes));
	complete_send(sizeof(bytes));
	for (size_t i = 0; i < COUNT(parts); i++)
		parts[i] = (struct iovec){ "x", 1 };
	assert_int_equal(rollcall_sendv(server, 0, parts, COUNT(parts)), 0);
	turn();
	take_answer("xxxxxxxxxxxxxxxx");
}

/* The report is there until the client is gone, and its memory is another's then. */
static unsigned reported_received;

static void report_at_the_end(struct rollcall_server *of, rollcall_client client, int reason,
			      void *context)
{
	struct rollcall_client_info info = info_of(client);

	assert_true(info.has_sequence);
	assert_int_equal(info.address_bytes, 0);
	reported_received = (unsigned)info.sequence.received;
	on_disconnected(of, client, reason, context);
}

static void memory_of_a_client(void **state)
{
	(void)state;
	options.udp_clients_max = 1;
	service.disconnected = report_at_the_end;
	serve_numbered(ROLLCALL_SEQUENCE_RTP);
	for (uint32_t ssrc = 0; ssrc < 5; ssrc++) {
		reported_received = 0;
		come_numbered(ssrc, 5, "a");
		come_numbered(ssrc, 6, "b");
		assert_int_equal(server->udp.sessions.streams.used, 1);
		assert_int_equal(rollcall_close(server, ssrc), 0);
		turn();
		assert_int_equal(reported_received, 1);
		assert_int_equal(server->udp.sessions.streams.used, 0);
	}
	assert_int_equal(stats_now().sequence_received, 5);
	for (uint32_t ssrc = 5; ssrc < 8; ssrc++)
		come_numbered(ssrc, 5, "a");
	assert_int_equal(stats_now().udp_evictions, 2);
	assert_int_equal(server->udp.sessions.streams.used, 1);
}

/* In a batch each datagram has the client of its own header, or that of none. */
static void mixed_batch(void **state)
{
	const uint32_t ssrcs[] = { 0, 0, 7, 7, 8, 0 };
	const size_t bytes = RTP_HEADER_BYTES + 1;
	uint8_t text[COUNT(ssrcs) * (RTP_HEADER_BYTES + 1)];
	struct datagram_in in = datagram_from("192.0.2.1", 2001, "");

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(ssrcs); i++) {
		const struct rtp rtp = { .type = 96, .number = (uint16_t)i, .ssrc = ssrcs[i] };

		if (ssrcs[i] != 0)
			rtp_write(text + i * bytes, &rtp);
	}
	in.data = (const char *)text;
	in.bytes = sizeof(text);
	serve_numbered(ROLLCALL_SEQUENCE_AUTO);
	receive_batch(&in, (int)bytes);
	expect("+0 0:xxxxxxxxxxxxx 0:xxxxxxxxxxxxx +1 1:x 1:x +2 2:x 0:xxxxxxxxxxxxx ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(off),
		UDP_TEST(must_have),
		UDP_TEST(may_have),
		UDP_TEST(sources_of_an_address),
		UDP_TEST(delivered_once),
		UDP_TEST(numbered_answers),
		UDP_TEST(numbered_batch),
		UDP_TEST(mixed_batch),
		UDP_TEST(longest),
		UDP_TEST(memory_of_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
