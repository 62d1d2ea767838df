/* SPDX-License-Identifier: MIT */
/*
 * UDP on a kernel that hands over what it hardly ever does: malformed arrivals, control data of
 * others, and no buffers at all. Whatever is refused is counted.
 */
#include "unit/scripted_udp.h"

#define PORT 7070
#define ADDRESS "udp://192.0.2.9:7070"

/* Cut, or not even a whole header, or with an address of no known family: counted, no more. */
static void malformed(void **state)
{
	struct datagram_in cut = datagram_from("192.0.2.1", 5000, "hello");
	uint64_t expected = 0;

	(void)state;
	serve("udp://0.0.0.0:7070");
	cut.flags = MSG_TRUNC;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_dropped_truncated, ++expected);
	cut.flags = MSG_CTRUNC;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_dropped_truncated, ++expected);
	cut.flags = 0;
	cut.from.bytes = sizeof(struct sockaddr_in6) + 1;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_dropped_truncated, ++expected);
	complete_with_buffer(started(IORING_OP_RECVMSG, -1), BUFFERS_UDP, 15);
	turn();
	assert_int_equal(stats_now().udp_dropped_truncated, ++expected);
	assert_int_equal(stats_now().udp_clients, 0);
	expect("");

	cut.from.bytes = sizeof(struct sockaddr_in);
	receive_datagram(&cut);
	expect("+0 0:hello ");
}

/* On a wildcard address: the address that was asked, or what only looks like it. */
static struct control asked_address(int level, int type, struct in_addr asked)
{
	const struct in_pktinfo info = { .ipi_spec_dst = asked };
	struct control control = { 0 };

	control_add(&control, level, type, &info, sizeof(info));
	return control;
}

/* Control data that is not the address asked is passed over. */
static void foreign_control(void **state)
{
	static const int kinds[][2] = {
		{ SOL_SOCKET, IP_PKTINFO },
		{ IPPROTO_IP, IP_TOS },
		{ IPPROTO_IPV6, IPV6_TCLASS },
	};
	struct datagram_in in = datagram_from("192.0.2.1", 5000, "hello");

	(void)state;
	is_answering = true;
	serve("udp://0.0.0.0:7070");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct control control =
			asked_address(kinds[i][0], kinds[i][1], in.from.v4.sin_addr);
		const struct in_pktinfo *source;

		in.control = control.bytes;
		in.control_bytes = control.used;
		receive_datagram(&in);
		source = sending_control(IPPROTO_IP, IP_PKTINFO);
		assert_non_null(source);
		assert_int_equal(source->ipi_spec_dst.s_addr, 0);
		assert_sent("hello", "192.0.2.1", 5000);
	}
	expect("+0 0:hello 0:hello 0:hello ");
}

/* On a wildcard address, from an address of this machine and our own port: a packet of our own. */
static void from_an_own_address(void **state)
{
	const struct datagram_in own = datagram_from("192.0.2.1", PORT, "hello");
	const struct datagram_in in = datagram_from("192.0.2.3", PORT, "hello");

	(void)state;
	set_own("192.0.2.1", 32);
	serve("udp://0.0.0.0:7070");
	receive_datagram(&own);
	assert_int_equal(stats_now().udp_dropped_own_source, 1);
	expect("");

	/* Another host may have the same port. */
	receive_datagram(&in);
	assert_int_equal(stats_now().udp_dropped_own_source, 1);
	expect("+0 0:hello ");
}

/* What begins with the prefix twice is an answer to an answer; all else is a message. */
static void prefix_twice(void **state)
{
	static const char *const texts[] = { "Re: Re", "Re: x", "Re: Ra: x", "Re: Re: x" };

	(void)state;
	service.loop_prefix = "Re: ";
	serve(ADDRESS);
	for (size_t i = 0; i < COUNT(texts); i++)
		come("192.0.2.1", 5000, texts[i]);
	expect("+0 0:Re: Re 0:Re: x 0:Re: Ra: x ");
	assert_int_equal(stats_now().udp_dropped_loop, 1);
}

/* Returns how many of `count` identical datagrams of a peer are delivered. */
static uint64_t count_repeats(const char *host, uint16_t port, const char *text, unsigned count)
{
	const uint64_t before = stats_now().messages_received;

	while (count-- > 0)
		come(host, port, text);
	events[events_bytes = 0] = '\0';
	return stats_now().messages_received - before;
}

/*
 * Of a service that sends back what it receives, identical datagrams may be its own answers: they
 * are limited, from ports that may be a server's.
 */
static void repeats(void **state)
{
	(void)state;
	service.loop_prefix = "";
	serve("udp://192.0.2.9:40000");
	assert_int_equal(count_repeats("192.0.2.1", 32767, "ping", 100), UDP_REPEATS_BURST);
	assert_int_equal(count_repeats("192.0.2.1", 40000, "ping", 100), UDP_REPEATS_BURST);
	assert_int_equal(stats_now().udp_dropped_loop, 2 * (100 - UDP_REPEATS_BURST));
	/* Other ports, peers, texts and times. */
	assert_int_equal(count_repeats("192.0.2.1", 32768, "ping", 100), 100);
	assert_int_equal(count_repeats("192.0.2.1", 32766, "ping", 1), 1);
	assert_int_equal(count_repeats("192.0.2.2", 32767, "ping", 1), 1);
	assert_int_equal(count_repeats("192.0.2.1", 32767, "pong", 1), 1);
	assert_int_equal(count_repeats("192.0.2.1", 32767, "", 100), UDP_REPEATS_BURST);
	for (int i = 0; i < 10; i++) {
		pass(1000);
		assert_int_equal(count_repeats("192.0.2.1", 32767, "ping", 2), 1);
	}
}

/* The numbers of RTP headers do not matter: each answer has others. */
static void repeats_with_numbers(void **state)
{
	uint8_t text[] = "\x80"
			 "\x60"
			 "12timessrcping";
	struct datagram_in in = datagram_from("192.0.2.1", 7071, "");

	(void)state;
	service.loop_prefix = "";
	options.udp_sequence = ROLLCALL_SEQUENCE_RTP;
	serve(ADDRESS);
	in.data = text;
	in.bytes = sizeof(text) - 1;
	for (uint8_t i = 0; i < 100; i++) {
		text[3] = text[7] = text[11] = i;
		receive_datagram(&in);
	}
	assert_int_equal(stats_now().messages_received, UDP_REPEATS_BURST);
}

/* Other services may get what they get as often as they like. */
static void repeats_to_others(void **state)
{
	(void)state;
	serve(ADDRESS);
	assert_int_equal(count_repeats("192.0.2.1", 7070, "ping", 100), 100);
}

/* Every buffer is being sent from: no receive until one is back, and then one at once. */
static void no_buffers(void **state)
{
	(void)state;
	is_answering = true;
	serve(ADDRESS);
	for (;;) {
		while (fake_groups[BUFFERS_UDP].count > 0)
			come("192.0.2.1", 5000, "hello");
		complete(started(IORING_OP_RECVMSG, -1), -ENOBUFS, 0);
		turn();
		if (fake_groups[BUFFERS_UDP].count == 0)
			break;
	}
	assert_in_range(stats_now().buffers_exhausted, 2, 100);
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	turn();
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	assert_sent("hello", "192.0.2.1", 5000);
	come("192.0.2.1", 5000, "hello");
	assert_int_equal(stats_now().udp_sends_dropped, 0);
}

/*
 * All slots are in flight; more answers are dropped and counted; none waits. Each is longer than
 * the one before, so that none leaves with others.
 */
static void too_many_answers(void **state)
{
	static const uint8_t answer[DATAGRAM_SLOTS + 8];

	(void)state;
	serve(ADDRESS);
	come("192.0.2.1", 5000, "hello");
	for (unsigned i = 0; i < DATAGRAM_SLOTS; i++)
		assert_int_equal(rollcall_send(server, 0, answer, 5 + i), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 0);
	assert_int_equal(rollcall_send(server, 0, answer, sizeof(answer)), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 1);
	assert_int_equal(stats_now().messages_sent, DATAGRAM_SLOTS);
	turn();
	complete_send(5);
	assert_int_equal(rollcall_send(server, 0, answer, sizeof(answer)), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 1);
}

/* A closed client is gone when its last answer is: not before. */
static void closed_while_sending(void **state)
{
	(void)state;
	is_answering = true;
	serve(ADDRESS);
	come("192.0.2.1", 5000, "a");
	come("192.0.2.1", 5000, "b");
	expect("+0 0:a 0:b ");
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	assert_sent("a", "192.0.2.1", 5000);
	expect("");
	assert_sent("b", "192.0.2.1", 5000);
	expect("-0(-125) ");
	assert_int_equal(stats_now().udp_clients_now, 0);
}

/* A datagram of no bytes is a message, and may end the receive: it is started again at once. */
static void ended_by_an_empty_one(void **state)
{
	const struct datagram_in in = datagram_from("192.0.2.1", 5000, "");

	(void)state;
	serve(ADDRESS);
	receive_datagram_flags(&in, 0);
	expect("+0 0: ");
	come("192.0.2.1", 5000, "a");
	expect("0:a ");
	complete(started(IORING_OP_RECVMSG, -1), 0, 0);
	turn();
	come("192.0.2.1", 5000, "b");
	expect("0:b ");
}

/* After an error that may last the receive waits a moment, so that it does not spin. */
static void failing_receive(void **state)
{
	(void)state;
	serve(ADDRESS);
	complete(started(IORING_OP_RECVMSG, -1), -ENOMEM, 0);
	turn();
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	pass(99);
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	pass(1);
	come("192.0.2.1", 5000, "a");
	expect("+0 0:a ");
}

static char logged[512];

static void note_log(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	assert_int_equal(level, ROLLCALL_LOG_WARNING);
	strncat(logged, text, sizeof(logged) - strlen(logged) - 2);
	strcat(logged, "\n");
}

/* What the kernel holds of datagrams is what was asked for, and a line says where it is less. */
static void socket_buffer_sizes_logged(void **state)
{
	static const struct {
		size_t receive_bytes, send_bytes;
		const char *logged;
	} cases[] = {
		{ 4000, 3000, "" },
		{ 5000, 5000, "" },
		{ 3999, 3000,
		  "the UDP receive buffer has 3999 bytes instead of 4000 (raise "
		  "net.core.rmem_max)\n" },
		{ 4000, 2999,
		  "the UDP send buffer has 2999 bytes instead of 3000 (raise "
		  "net.core.wmem_max)\n" },
	};

	(void)state;
	options.log_level = ROLLCALL_LOG_WARNING;
	options.log = note_log;
	options.udp_receive_buffer_bytes = 4000;
	options.udp_send_buffer_bytes = 3000;
	create();
	for (size_t i = 0; i < COUNT(cases); i++) {
		logged[0] = '\0';
		kernel.buffers.receive_bytes = cases[i].receive_bytes;
		kernel.buffers.send_bytes = cases[i].send_bytes;
		assert_int_equal(listen_on("udp://192.0.2.9:0"), 0);
		assert_int_equal(kernel.asked_buffers.receive_bytes, 4000);
		assert_int_equal(kernel.asked_buffers.send_bytes, 3000);
		assert_string_equal(logged, cases[i].logged);
	}
}

/* Returns the number of turns that a due timer waits while a datagram arrives in each. */
static unsigned count_held_turns(void)
{
	unsigned turns = 0;

	come("192.0.2.1", 2001, "silent");
	come("192.0.2.2", 2002, "busy");
	kernel.now_ns += 2 * options.udp_idle_timeout_ms * MILLISECOND_NS;
	for (; stats_now().udp_clients_now == 2; turns++) {
		come("192.0.2.2", 2002, "busy");
		assert_in_range(turns, 0, 10000);
	}
	return turns;
}

/* Timers wait for the datagrams that fit into SO_RCVBUF as granted, not as asked for. */
static void timers_wait_for_what_is_granted(void **state)
{
	const size_t granted_bytes = 1 << 24;
	unsigned turns;

	(void)state;
	options.udp_receive_buffer_bytes = (size_t)1 << 29;
	serve(ADDRESS);
	turns = count_held_turns();
	assert_in_range(turns, 256, 300);
	kernel.buffers.receive_bytes = granted_bytes;
	assert_int_equal(listen_on("udp://192.0.2.9:7071"), 0);
	turn();
	/* 32 datagrams a turn, of 512 bytes each. */
	assert_int_equal(count_held_turns(), turns + granted_bytes / (32 * 512));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(malformed),
		UDP_TEST(foreign_control),
		UDP_TEST(from_an_own_address),
		UDP_TEST(prefix_twice),
		UDP_TEST(repeats),
		UDP_TEST(repeats_with_numbers),
		UDP_TEST(repeats_to_others),
		UDP_TEST(no_buffers),
		UDP_TEST(too_many_answers),
		UDP_TEST(closed_while_sending),
		UDP_TEST(ended_by_an_empty_one),
		UDP_TEST(failing_receive),
		UDP_TEST(socket_buffer_sizes_logged),
		UDP_TEST(timers_wait_for_what_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
