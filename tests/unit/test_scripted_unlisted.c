/* SPDX-License-Identifier: MIT */
/*
 * A stateless service answers also senders that cannot be clients; nobody is
 * remembered, and nothing else can be done about them.
 */
#include "unit/scripted_udp.h"

#include "udp/datagram.h"
#include "udp/rtp.h"

static char bytes[65536];

/* A server where client 0 has the only place of its source, 192.0.2.2. */
static void serve_full(const char *address)
{
	options.udp_clients_per_source_max = 1;
	serve(address);
	come("192.0.2.2", 2001, "x");
	expect("+0 0:x ");
}

static int begin(void **state)
{
	int error = udp_begin(state);

	service.stateless = true;
	return error;
}

/* No place in the table, or none for the source: answered all the same, and counted apart. */
static void answered(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 1;
	options.udp_clients_max = 2;
	serve("udp://192.0.2.9:7070");
	is_answering = true;
	come("192.0.2.1", 2001, "x");
	come("192.0.2.1", 2002, "source");
	expect("+0 0:x none:source ");
	/* A client is not evicted while its answer is in flight. */
	come("192.0.2.2", 2001, "y");
	come("192.0.2.3", 2003, "table");
	expect("+1 1:y none:table ");
	assert_sent("x", "192.0.2.1", 2001);
	assert_sent("source", "192.0.2.1", 2002);
	assert_sent("y", "192.0.2.2", 2001);
	assert_sent("table", "192.0.2.3", 2003);
	assert_int_equal(stats_now().udp_unlisted, 2);
	assert_int_equal(stats_now().udp_dropped_full, 0);
	assert_int_equal(stats_now().udp_dropped_source_full, 0);
	assert_int_equal(stats_now().messages_received, 4);
	assert_int_equal(stats_now().messages_sent, 4);
	assert_int_equal(stats_now().bytes_sent, 13);
	assert_int_equal(stats_now().udp_clients, 2);
}

/* Other services need the client: for them it is dropped and counted. */
static void not_stateless(void **state)
{
	(void)state;
	service.stateless = false;
	serve_full("udp://192.0.2.9:7070");
	come("192.0.2.2", 2002, "y");
	expect("");
	assert_int_equal(stats_now().udp_dropped_source_full, 1);
	assert_int_equal(stats_now().udp_unlisted, 0);
	assert_int_equal(stats_now().messages_received, 1);
}

/* A service that listens to nobody is not called. */
static void deaf_service(void **state)
{
	(void)state;
	options.udp_clients_per_source_max = 1;
	service.received = NULL;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.2", 2001, "x");
	come("192.0.2.2", 2002, "y");
	assert_int_equal(stats_now().udp_unlisted, 1);
	assert_int_equal(stats_now().messages_received, 2);
	expect("+0 ");
}

static void try_all(rollcall_client client, const void *data, size_t size)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	uint8_t cookie[ROLLCALL_COOKIE_BYTES] = { 0 };

	(void)data;
	(void)size;
	assert_int_equal(rollcall_client_get_info(server, client, &info), -ENOENT);
	assert_int_equal(rollcall_set_data(server, client, cookie), -ENOENT);
	assert_null(rollcall_data(server, client));
	assert_int_equal(rollcall_cookie(server, client, cookie), 0);
	assert_int_equal(rollcall_cookie_check(server, client, cookie), 0);
	assert_int_equal(rollcall_cookie_check(server, 0, cookie), -EACCES);
	assert_int_equal(rollcall_close(server, client), -ENOENT);
	assert_int_equal(rollcall_abort(server, client), -ENOENT);
	note("tried ");
}

/* Nobody has no data and does not end; a cookie shows that an answer gets there. */
static void nobody(void **state)
{
	(void)state;
	serve_full("udp://192.0.2.9:7070");
	on_message = try_all;
	come("192.0.2.2", 2002, "y");
	expect("none:y tried ");
	assert_int_equal(rollcall_cookie(server, ROLLCALL_NONE, (uint8_t[8]){ 0 }), -ENOENT);
	assert_int_equal(rollcall_cookie_check(server, ROLLCALL_NONE, (uint8_t[8]){ 0 }), -ENOENT);
}

static void answer_nobody(rollcall_client client, const void *data, size_t size)
{
	note("%d ", rollcall_send(server, ROLLCALL_NONE, data, size));
	(void)client;
}

/* Only what is just delivered can be answered, and only if it is nobody's. */
static void nothing_to_answer(void **state)
{
	(void)state;
	serve_full("udp://192.0.2.9:7070");
	assert_int_equal(rollcall_send(server, ROLLCALL_NONE, "x", 1), -ENOENT);
	on_message = answer_nobody;
	come("192.0.2.2", 2001, "x");
	expect("0:x -2 ");
	come("192.0.2.2", 2002, "y");
	expect("none:y 0 ");
	assert_sent("y", "192.0.2.2", 2002);
	assert_int_equal(rollcall_send(server, ROLLCALL_NONE, "x", 1), -ENOENT);
	assert_false(is_sending());
}

static void answer_twice(rollcall_client client, const void *data, size_t size)
{
	answer_nobody(client, data, size);
	answer_nobody(client, data, size);
}

/* Two answers of a size leave one by one: nothing could hold back what follows a batch. */
static void one_by_one(void **state)
{
	(void)state;
	serve_full("udp://192.0.2.9:7070");
	on_message = answer_twice;
	come("192.0.2.2", 2002, "y");
	expect("none:y 0 0 ");
	for (int i = 0; i < 2; i++)
		assert_sent("y", "192.0.2.2", 2002);
	assert_false(is_sending());
	assert_int_equal(stats_now().udp_batches_sent, 0);
}

static void answer_and_free_slot(rollcall_client client, const void *data, size_t size)
{
	assert_int_equal(rollcall_send(server, client, data, size), 0);
	if (client == ROLLCALL_NONE)
		assert_int_equal(rollcall_close(server, 0), 0);
}

/* One that becomes a client in the same turn gets the earlier answer first. */
static void client_afterwards(void **state)
{
	const struct datagram_in in = datagram_from("192.0.2.1", 2002, "ab");

	(void)state;
	options.udp_clients_per_source_max = 1;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "x");
	on_message = answer_and_free_slot;
	receive_batch(&in, 1);
	expect("+0 0:x none:a +1 1:b -0(-125) ");
	assert_sent("a", "192.0.2.1", 2002);
	assert_sent("b", "192.0.2.1", 2002);
	assert_false(is_sending());
}

/* On a wildcard address the answer leaves from the address that was asked. */
static void source_of_the_answer(void **state)
{
	const struct in_pktinfo asked = { .ipi_spec_dst.s_addr = htonl(0xc0000209) };
	struct datagram_in in = datagram_from("192.0.2.2", 2002, "y");
	struct control control = { 0 };
	const struct in_pktinfo *source;

	(void)state;
	serve_full("udp://0.0.0.0:7070");
	is_answering = true;
	control_add(&control, IPPROTO_IP, IP_PKTINFO, &asked, sizeof(asked));
	in.control = control.bytes;
	in.control_bytes = control.used;
	receive_datagram(&in);
	source = sending_control(IPPROTO_IP, IP_PKTINFO);
	assert_non_null(source);
	assert_int_equal(source->ipi_spec_dst.s_addr, asked.ipi_spec_dst.s_addr);
	assert_sent("y", "192.0.2.2", 2002);
}

/* A numbered datagram of a port is answered; returns the source of the answer. */
static uint32_t ask_numbered(uint16_t port, const char *asked, size_t asked_bytes,
			     const char answer[static 16])
{
	struct datagram_in in = datagram_from("192.0.2.2", port, "");
	char sent[16];
	uint32_t source;

	in.data = asked;
	in.bytes = asked_bytes;
	receive_datagram(&in);
	expect("none:text ");
	copy_sending(sent, sizeof(sent));
	assert_memory_equal(sent, answer, 8);
	assert_memory_equal(sent + 12, answer + 12, 4);
	memcpy(&source, sent + 8, sizeof(source));
	complete_send(sizeof(sent));
	return source;
}

/*
 * A numbered datagram is answered with its own header, marker and number included, but without its
 * CSRCs and its padding; the source is one of the server's own, which stays the same.
 */
static void numbered(void **state)
{
	static const char asked[] = "\xa1\x85\x12\x34"
				    "\x01\x02\x03\x04"
				    "ssrc"
				    "csrc"
				    "text\0\2";
	static const char answer[] = "\x80\x85\x12\x34"
				     "\x01\x02\x03\x04"
				     "????"
				     "text";
	static const char marked[] = "\x80\xe0\x12\x35"
				     "\x01\x02\x03\x04"
				     "ssrc"
				     "text";
	uint32_t source;

	(void)state;
	options.udp_sequence = ROLLCALL_SEQUENCE_AUTO;
	serve_full("udp://192.0.2.9:7070");
	is_answering = true;
	source = ask_numbered(2002, asked, sizeof(asked) - 1, answer);
	assert_memory_not_equal(&source, "ssrc", sizeof(source));
	assert_int_equal(ask_numbered(2002, marked, sizeof(marked) - 1, marked), source);
	assert_int_not_equal(ask_numbered(2003, marked, sizeof(marked) - 1, marked), source);
	assert_int_equal(stats_now().sequence_received, 0);
}

static void answer_long(rollcall_client client, const void *data, size_t size)
{
	const size_t header = *(const char *)data == 'n' ? RTP_HEADER_BYTES : 0;

	(void)size;
	assert_int_equal(rollcall_send(server, client, bytes, DATAGRAM_IPV4_BYTES_MAX - header + 1),
			 -EMSGSIZE);
	assert_int_equal(rollcall_send(server, client, bytes, DATAGRAM_IPV4_BYTES_MAX - header), 0);
	note("tried ");
}

/* The longest answer, without a header and with one. */
static void longest(void **state)
{
	struct datagram_in in = datagram_from("192.0.2.2", 2002, "plain");

	(void)state;
	options.udp_sequence = ROLLCALL_SEQUENCE_AUTO;
	serve_full("udp://192.0.2.9:7070");
	on_message = answer_long;
	receive_datagram(&in);
	in.data = "\x80-12timessrcn";
	in.bytes = 13;
	receive_datagram(&in);
	expect("none:plain tried none:n tried ");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sending_bytes(), DATAGRAM_IPV4_BYTES_MAX);
		complete_send(DATAGRAM_IPV4_BYTES_MAX);
	}
	assert_false(is_sending());
}

/* Each is longer than the one before, so that none leaves with others. */
static void answer_often(rollcall_client client, const void *data, size_t size)
{
	(void)data;
	for (unsigned i = 0; i < DATAGRAM_SLOTS + 2; i++)
		assert_int_equal(rollcall_send(server, client, bytes, size + i), 0);
}

/* Without a slot left answers are dropped and counted; the server waits for those in flight. */
static void too_many(void **state)
{
	(void)state;
	serve_full("udp://192.0.2.9:7070");
	on_message = answer_often;
	come("192.0.2.2", 2002, "y");
	assert_int_equal(stats_now().udp_sends_dropped, 2);
	assert_int_equal(stats_now().messages_sent, DATAGRAM_SLOTS);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	assert_int_equal(stats_now().udp_clients_now, 0);
	assert_true(server_is_busy(server));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answered),		 TEST(not_stateless),
		TEST(deaf_service),	 TEST(nobody),
		TEST(nothing_to_answer), TEST(one_by_one),
		TEST(client_afterwards), TEST(source_of_the_answer),
		TEST(numbered),		 TEST(longest),
		TEST(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
