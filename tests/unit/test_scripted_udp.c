/* SPDX-License-Identifier: MIT */
/*
 * UDP on a kernel that hands over what it hardly ever does: malformed arrivals, control data of
 * others, and no buffers at all. Whatever is refused is counted.
 */
#include "unit/scripted_server.h"

#define PORT 7070

static unsigned received_count, disconnected_count;

/* Notes the message and sends it back from where it lies. */
static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	received_count++;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)client;
	(void)reason;
	(void)context;
	disconnected_count++;
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	service.received = echo;
	service.disconnected = on_disconnected;
	received_count = disconnected_count = 0;
	create();
	return error;
}

static void listen_to(const char *text)
{
	assert_int_equal(listen_on(text), 0);
	turn();
}

static struct datagram_in hello_from(const char *host, uint16_t port)
{
	return (struct datagram_in){
		.from = make_address(host, port),
		.data = "hello",
		.bytes = 5,
	};
}

/* The message that is being sent, and its end: it has arrived. */
static const struct msghdr *sending(void)
{
	return (const struct msghdr *)(uintptr_t)started(IORING_OP_SENDMSG, -1)->addr;
}

static void complete_send(void)
{
	complete(started(IORING_OP_SENDMSG, -1), 1, 0);
	turn();
}

/* Cut, or not even a whole header, or with an address of no known family: counted, no more. */
static void malformed(void **state)
{
	struct datagram_in cut = hello_from("192.0.2.1", 5000);
	uint64_t expected = 0;

	(void)state;
	listen_to("udp://0.0.0.0:7070");
	cut.flags = MSG_TRUNC;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_truncated, ++expected);
	cut.flags = MSG_CTRUNC;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_truncated, ++expected);
	cut.flags = 0;
	cut.from.bytes = sizeof(struct sockaddr_in6) + 1;
	receive_datagram(&cut);
	assert_int_equal(stats_now().udp_truncated, ++expected);
	complete_with_buffer(started(IORING_OP_RECVMSG, -1), BUFFERS_UDP, 15);
	turn();
	assert_int_equal(stats_now().udp_truncated, ++expected);
	assert_int_equal(stats_now().udp_clients, 0);
	assert_int_equal(received_count, 0);

	cut.from.bytes = sizeof(struct sockaddr_in);
	receive_datagram(&cut);
	assert_int_equal(received_count, 1);
	complete_send();
}

/* One piece of control data. */
struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static struct control make_control(int level, int type, struct in_addr asked)
{
	const struct in_pktinfo info = { .ipi_spec_dst = asked };
	struct control control = { 0 };
	struct cmsghdr *header = (struct cmsghdr *)control.bytes;

	header->cmsg_len = CMSG_LEN(sizeof(info));
	header->cmsg_level = level;
	header->cmsg_type = type;
	memcpy(CMSG_DATA(header), &info, sizeof(info));
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
	struct datagram_in in = hello_from("192.0.2.1", 5000);

	(void)state;
	listen_to("udp://0.0.0.0:7070");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct control control =
			make_control(kinds[i][0], kinds[i][1], in.from.v4.sin_addr);
		struct in_pktinfo source;

		in.control = &control;
		in.control_bytes = sizeof(control);
		receive_datagram(&in);
		assert_int_equal(received_count, i + 1);
		memcpy(&source, CMSG_DATA((struct cmsghdr *)sending()->msg_control),
		       sizeof(source));
		assert_int_equal(source.ipi_spec_dst.s_addr, 0);
		complete_send();
	}
	assert_int_equal(stats_now().udp_clients, 1);
}

/* On a wildcard address, from the address asked and our own port: a packet of our own. */
static void from_the_asked_address(void **state)
{
	struct datagram_in in = hello_from("192.0.2.1", PORT);
	struct in_addr asked = in.from.v4.sin_addr;
	struct control control = make_control(IPPROTO_IP, IP_PKTINFO, asked);

	(void)state;
	listen_to("udp://0.0.0.0:7070");
	in.control = &control;
	in.control_bytes = sizeof(control);
	receive_datagram(&in);
	assert_int_equal(stats_now().udp_own_sources, 1);
	assert_int_equal(received_count, 0);

	/* Another host may have the same port. */
	asked.s_addr ^= htonl(2);
	control = make_control(IPPROTO_IP, IP_PKTINFO, asked);
	receive_datagram(&in);
	assert_int_equal(stats_now().udp_own_sources, 1);
	assert_int_equal(received_count, 1);
	complete_send();
}

/* What begins with the prefix twice is an answer to an answer; all else is a message. */
static void prefix_twice(void **state)
{
	static const char *const texts[] = { "Re: Re", "Re: x", "Re: Ra: x", "Re: Re: x" };
	struct datagram_in in = hello_from("192.0.2.1", 5000);

	(void)state;
	service.loop_prefix = "Re: ";
	listen_to("udp://192.0.2.9:7070");
	for (size_t i = 0; i < COUNT(texts); i++) {
		in.data = texts[i];
		in.bytes = strlen(texts[i]);
		receive_datagram(&in);
	}
	assert_int_equal(received_count, 3);
	assert_int_equal(stats_now().udp_loops, 1);
}

/* Every buffer is being sent from: no receive until one is back, and then one at once. */
static void no_buffers(void **state)
{
	const struct datagram_in in = hello_from("192.0.2.1", 5000);

	(void)state;
	listen_to("udp://192.0.2.9:7070");
	for (;;) {
		while (fake_groups[BUFFERS_UDP].count > 0)
			receive_datagram(&in);
		complete(started(IORING_OP_RECVMSG, -1), -ENOBUFS, 0);
		turn();
		if (fake_groups[BUFFERS_UDP].count == 0)
			break;
	}
	assert_in_range(stats_now().buffers_exhausted, 2, 100);
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	turn();
	assert_null(find_started(IORING_OP_RECVMSG, -1));
	complete_send();
	receive_datagram(&in);
	assert_int_equal(stats_now().udp_sends_dropped, 0);
}

/*
 * So many answers are in flight; more are dropped and counted, and none waits. Each is longer than
 * the one before, so that none leaves with others.
 */
static void too_many_answers(void **state)
{
	static const uint8_t answer[DATAGRAM_SLOTS + 8];
	const struct datagram_in in = hello_from("192.0.2.1", 5000);

	(void)state;
	listen_to("udp://192.0.2.9:7070");
	receive_datagram(&in);
	for (unsigned i = 1; i < DATAGRAM_SLOTS; i++)
		assert_int_equal(rollcall_send(server, 0, answer, 5 + i), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 0);
	assert_int_equal(rollcall_send(server, 0, answer, sizeof(answer)), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 1);
	assert_int_equal(stats_now().messages_sent, DATAGRAM_SLOTS);
	turn();
	complete_send();
	assert_int_equal(rollcall_send(server, 0, answer, sizeof(answer)), 0);
	assert_int_equal(stats_now().udp_sends_dropped, 1);
}

/* A closed client is gone when its last answer is: not before. */
static void closed_while_sending(void **state)
{
	const struct datagram_in in = hello_from("192.0.2.1", 5000);

	(void)state;
	listen_to("udp://192.0.2.9:7070");
	receive_datagram(&in);
	receive_datagram(&in);
	assert_int_equal(rollcall_close(server, 0), 0);
	turn();
	complete_send();
	assert_int_equal(disconnected_count, 0);
	complete_send();
	assert_int_equal(disconnected_count, 1);
	assert_int_equal(stats_now().udp_clients_now, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(malformed),
		TEST(foreign_control),
		TEST(from_the_asked_address),
		TEST(prefix_twice),
		TEST(no_buffers),
		TEST(too_many_answers),
		TEST(closed_while_sending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
