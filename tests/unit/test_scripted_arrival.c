/* SPDX-License-Identifier: MIT */
/*
 * What comes in one buffer: which sources are not answered, where GRO batches are split, and
 * what the kernel tells besides.
 */
#include "unit/scripted_udp.h"

/* Each reason not to answer has a counter of its own, also for those of a GRO batch. */
static void refused(void **state)
{
#define COUNTER(name) #name, offsetof(struct rollcall_stats, name)
	static const struct {
		const char *name;
		size_t counter;
		const char *host;
		uint16_t port;
	} cases[] = {
		{ COUNTER(udp_dropped_bad_source), "255.255.255.255", 2001 },
		{ COUNTER(udp_dropped_bad_source), "224.0.0.1", 2001 },
		{ COUNTER(udp_dropped_bad_source), "0.0.0.0", 2001 },
		{ COUNTER(udp_dropped_no_port), "192.0.2.1", 0 },
		{ COUNTER(udp_dropped_low_port), "192.0.2.1", 1023 },
		{ COUNTER(udp_dropped_own_source), "192.0.2.9", 7070 },
	};
#undef COUNTER

	(void)state;
	serve("udp://192.0.2.9:7070");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct datagram_in in = datagram_from(cases[i].host, cases[i].port, "abcde");
		const struct rollcall_stats before = stats_now();
		struct rollcall_stats after;
		uint64_t counts[2];

		receive_datagram(&in);
		receive_batch(&in, 2);
		after = stats_now();
		memcpy(&counts[0], (const char *)&before + cases[i].counter, sizeof(counts[0]));
		memcpy(&counts[1], (const char *)&after + cases[i].counter, sizeof(counts[1]));
		assert_case(cases[i].name, counts[1] - counts[0], 1 + 3);
	}
	expect("");
	assert_int_equal(stats_now().udp_clients, 0);
	come("192.0.2.1", 1024, "a");
	come("192.0.2.9", 7071, "b");
	come("192.0.2.1", 7070, "c");
	expect("+0 0:a +1 1:b +2 2:c ");
}

/* Low ports are answered if that is asked for, the others still are not. */
static void low_ports(void **state)
{
	(void)state;
	options.udp_low_ports = true;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 1, "a");
	come("192.0.2.1", 0, "b");
	expect("+0 0:a ");
	assert_int_equal(stats_now().udp_dropped_low_port, 0);
	assert_int_equal(stats_now().udp_dropped_no_port, 1);
}

/* A wildcard endpoint has every address of the machine, and each endpoint its port. */
static void own_endpoints(void **state)
{
	(void)state;
	set_own("127.0.0.1", 8);
	serve("udp://0.0.0.0:7070");
	assert_int_equal(listen_on("udp://192.0.2.9:7071"), 0);
	assert_int_equal(listen_on("udp://[::]:7072"), 0);
	turn();
	come("127.0.0.5", 7070, "a");
	come("192.0.2.9", 7071, "b");
	assert_int_equal(stats_now().udp_dropped_own_source, 2);
	come("127.0.0.5", 7071, "c");
	come("127.0.0.5", 7072, "d");
	come("192.0.2.8", 7071, "e");
	expect("+0 0:c +1 1:d +2 2:e ");
	assert_int_equal(stats_now().udp_dropped_own_source, 2);
}

/* They are split at the size that the kernel tells, if that is one; the last may be shorter. */
static void split(void **state)
{
	static const struct {
		const char *text;
		int segment_bytes;
		const char *expected;
		unsigned batches;
	} cases[] = {
		{ "abcdefg", 3, "0:abc 0:def 0:g ", 1 },
		{ "abcdef", 3, "0:abc 0:def ", 1 },
		{ "abc", 1, "0:a 0:b 0:c ", 1 },
		{ "abcdef", 5, "0:abcde 0:f ", 1 },
		{ "abcdef", 6, "0:abcdef ", 0 },
		{ "abcdef", 7, "0:abcdef ", 0 },
		{ "abcdef", INT32_MAX, "0:abcdef ", 0 },
		{ "abcdef", 0, "0:abcdef ", 0 },
		{ "abcdef", -3, "0:abcdef ", 0 },
		{ "abcdef", INT32_MIN, "0:abcdef ", 0 },
		{ "", 3, "0: ", 0 },
		{ "", 0, "0: ", 0 },
	};
	uint64_t batches = 0;

	(void)state;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	expect("+0 0:a ");
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct datagram_in in = datagram_from("192.0.2.1", 2001, cases[i].text);

		receive_batch(&in, cases[i].segment_bytes);
		expect(cases[i].expected);
		batches += cases[i].batches;
		assert_case(cases[i].text, stats_now().udp_batches_received, batches);
	}
}

/* A size that is cut off is none, and what follows it counts. */
static void split_garbage(void **state)
{
	const struct in_pktinfo asked = { .ipi_spec_dst.s_addr = htonl(0xc0000209) };
	struct datagram_in in = datagram_from("192.0.2.1", 2001, "abcdef");
	struct control control = { 0 };
	const struct in_pktinfo *source;

	(void)state;
	is_answering = true;
	serve("udp://0.0.0.0:7070");
	control_add(&control, SOL_UDP, UDP_GRO, "\2\0", 2);
	control_add(&control, IPPROTO_IP, IP_PKTINFO, &asked, sizeof(asked));
	in.control = control.bytes;
	in.control_bytes = control.used;
	receive_datagram(&in);
	expect("+0 0:abcdef ");
	source = sending_control(IPPROTO_IP, IP_PKTINFO);
	assert_int_equal(source->ipi_spec_dst.s_addr, asked.ipi_spec_dst.s_addr);
	complete_send(6);
}

static void close_client(rollcall_client client, const void *data, size_t size)
{
	(void)data;
	(void)size;
	assert_int_equal(rollcall_close(server, client), 0);
}

/* A client that is closed at the first datagram of a batch is a new one with the second. */
static void closed_between(void **state)
{
	const struct datagram_in in = datagram_from("192.0.2.1", 2001, "ab");

	(void)state;
	on_message = close_client;
	serve("udp://192.0.2.9:7070");
	receive_batch(&in, 1);
	expect("+0 0:a +1 1:b -0(-125) -1(-125) ");
}

/* Each datagram of a batch counts against the rate. */
static void rate_of_a_batch(void **state)
{
	const struct datagram_in in = datagram_from("192.0.2.1", 2001, "abcde");

	(void)state;
	options.udp_rate = 3;
	serve("udp://192.0.2.9:7070");
	receive_batch(&in, 1);
	expect("+0 0:a 0:b 0:c ");
	assert_int_equal(stats_now().udp_dropped_rate, 2);
}

/* What the kernel has dropped is told at any time, also without a datagram that comes after. */
static void kernel_drops(void **state)
{
	static const struct {
		uint32_t drops;
		uint64_t counted;
	} cases[] = {
		{ 5, 5 },
		{ 5, 5 },
		{ 9, 9 },
		{ UINT32_MAX, UINT32_MAX },
		{ 3, (uint64_t)UINT32_MAX + 4 },
		{ 3, (uint64_t)UINT32_MAX + 4 },
	};

	(void)state;
	serve("udp://192.0.2.9:7070");
	for (size_t i = 0; i < COUNT(cases); i++) {
		kernel.drops[server->udp.endpoints[0]->fd] = cases[i].drops;
		assert_int_equal(stats_now().udp_dropped_kernel, cases[i].counted);
	}
	rollcall_stop(server);
	kernel.drops[server->udp.endpoints[0]->fd] = 4;
	assert_int_equal(stats_now().udp_dropped_kernel, (uint64_t)UINT32_MAX + 5);
}

/* Each endpoint has its own count, and an adopted one has none from before. */
static void kernel_drops_of_endpoints(void **state)
{
	int fd;

	(void)state;
	serve("udp://192.0.2.9:7070");
	fd = kernel_open();
	kernel.transport = ROLLCALL_UDP;
	kernel.addresses[fd] = make_address("192.0.2.9", 7071);
	kernel.drops[fd] = 100;
	assert_int_equal(rollcall_adopt(server, fd, &service, NULL), 0);
	assert_int_equal(stats_now().udp_dropped_kernel, 0);
	kernel.drops[server->udp.endpoints[0]->fd] = 7;
	kernel.drops[fd] = 101;
	assert_int_equal(stats_now().udp_dropped_kernel, 8);
}

/* The kernel's count wraps: it is read now and then, though nobody asks for the statistics. */
static void kernel_drops_of_long(void **state)
{
	(void)state;
	serve("udp://192.0.2.9:7070");
	for (unsigned i = 0; i < 3; i++) {
		kernel.drops[server->udp.endpoints[0]->fd] += UINT32_MAX;
		server->udp.endpoints[0]->receives = ENDPOINT_RECEIVES_PER_COUNT - 1;
		come("192.0.2.1", 2001, "a");
	}
	assert_int_equal(stats_now().udp_dropped_kernel, 3 * (uint64_t)UINT32_MAX);
}

/* What is still received while the server is being ended is nobody's. */
static void at_the_end(void **state)
{
	(void)state;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "a");
	rollcall_stop(server);
	rollcall_stop(server);
	turn();
	expect("+0 0:a -0(-108) ");
	come("192.0.2.1", 2001, "b");
	expect("");
	assert_int_equal(stats_now().udp_clients, 1);
}

/* Nothing can leave from the address of a group: its datagrams are answered from another. */
static void asked_at_a_group(void **state)
{
	const struct in6_pktinfo asked = { .ipi6_addr = make_address("ff02::1", 0).v6.sin6_addr };
	struct datagram_in in = datagram_from("2001:db8::1", 2001, "hello");
	const struct in6_pktinfo *source;
	struct control control = { 0 };

	(void)state;
	is_answering = true;
	serve("udp://[::]:7070");
	control_add(&control, IPPROTO_IPV6, IPV6_PKTINFO, &asked, sizeof(asked));
	in.control = control.bytes;
	in.control_bytes = control.used;
	receive_datagram(&in);
	source = sending_control(IPPROTO_IPV6, IPV6_PKTINFO);
	assert_non_null(source);
	assert_true(IN6_IS_ADDR_UNSPECIFIED(&source->ipi6_addr));
	complete_send(5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(refused),
		UDP_TEST(low_ports),
		UDP_TEST(own_endpoints),
		UDP_TEST(split),
		UDP_TEST(split_garbage),
		UDP_TEST(closed_between),
		UDP_TEST(rate_of_a_batch),
		UDP_TEST(kernel_drops),
		UDP_TEST(kernel_drops_of_endpoints),
		UDP_TEST(kernel_drops_of_long),
		UDP_TEST(at_the_end),
		UDP_TEST(asked_at_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
