/* SPDX-License-Identifier: MIT */
/*
 * GSO batches of answers to one client: which join, and what is then told to the kernel (udp(7),
 * UDP_SEGMENT).
 */
#include "unit/scripted_udp.h"

#include "udp/datagram.h"

static char bytes[70000];

/* A server with one client, number 0. */
static void serve_one(const char *address, const char *host)
{
	memset(bytes, 'x', sizeof(bytes));
	serve(address);
	come(host, 2001, "hello");
	expect("+0 0:hello ");
}

static void answer(rollcall_client client, size_t size)
{
	assert_int_equal(rollcall_send(server, client, bytes, size), 0);
}

/* What is in flight is these bytes in segments of that size, or a single one; it arrives. */
static void assert_leaves(const char *name, size_t sent_bytes, unsigned segment_bytes)
{
	assert_case(name, is_sending(), true);
	assert_case(name, sending_bytes(), sent_bytes);
	assert_case(name, sending_segment(), segment_bytes);
	complete_send((int)sent_bytes);
}

/* Equal ones join, a shorter one is the last, and a longer one begins another; so do empty ones. */
static void which_join(void **state)
{
	static const struct {
		const char *name;
		size_t answers[4]; /* bytes plus 1; 0 ends them */
		struct {
			size_t bytes;
			unsigned segment_bytes;
		} sent[4]; /* likewise */
	} cases[] = {
		{ "single", { 6 }, { { 6, 0 } } },
		{ "equal", { 6, 6, 6 }, { { 16, 5 } } },
		{ "the last is shorter", { 6, 6, 4 }, { { 14, 5 } } },
		{ "after a shorter one", { 6, 4, 4, 2 }, { { 9, 5 }, { 5, 3 } } },
		{ "after a shorter one, as the first", { 6, 4, 6 }, { { 9, 5 }, { 6, 0 } } },
		{ "longer", { 6, 7, 7 }, { { 6, 0 }, { 13, 6 } } },
		{ "empty", { 1, 1 }, { { 1, 0 }, { 1, 0 } } },
		{ "empty after another", { 6, 1, 6 }, { { 6, 0 }, { 1, 0 }, { 6, 0 } } },
		{ "another after an empty one", { 1, 2 }, { { 1, 0 }, { 2, 0 } } },
		{ "as much as one datagram holds", { 32754, 32754, 2 }, { { 65508, 32753 } } },
		{ "a byte more", { 32754, 32754, 3 }, { { 65507, 32753 }, { 3, 0 } } },
	};

	uint64_t messages = 0, batches = 0;

	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t j = 0; j < COUNT(cases[i].answers) && cases[i].answers[j]; j++) {
			answer(0, cases[i].answers[j] - 1);
			messages++;
		}
		turn();
		for (size_t j = 0; j < COUNT(cases[i].sent) && cases[i].sent[j].bytes; j++) {
			assert_leaves(cases[i].name, cases[i].sent[j].bytes - 1,
				      cases[i].sent[j].segment_bytes);
			batches += cases[i].sent[j].segment_bytes > 0;
		}
		assert_case(cases[i].name, is_sending(), false);
	}
	assert_int_equal(stats_now().udp_batches_sent, batches);
	assert_int_equal(stats_now().messages_sent, messages);
	assert_int_equal(stats_now().udp_send_errors, 0);
}

/* Where the kernel knows no batches, each answer leaves by itself. */
static void none_join(void **state)
{
	(void)state;
	kernel.has_no_batches = true;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	for (size_t i = 0; i < 3; i++)
		answer(0, 5);
	turn();
	for (size_t i = 0; i < 3; i++)
		assert_leaves("single", 5, 0);
	assert_false(is_sending());
	assert_int_equal(stats_now().udp_batches_sent, 0);
}

/* A batch has at most DATAGRAM_SEGMENTS_MAX; the next one begins another. */
static void most_segments(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	for (size_t i = 0; i < DATAGRAM_SEGMENTS_MAX + 1; i++)
		answer(0, 10);
	turn();
	assert_leaves("64", 640, 10);
	assert_leaves("and one", 10, 0);
	assert_false(is_sending());
}

/* Each of these lies in the received buffer by itself, so it takes a piece. */
static void send_pieces(rollcall_client client, const void *data, size_t size)
{
	for (unsigned i = 0; i < DATAGRAM_PIECES; i++)
		assert_int_equal(rollcall_send(server, client, data, size), 0);
}

/* One send has DATAGRAM_PIECES; what may need more begins another, and nothing is lost. */
static void most_pieces(void **state)
{
	size_t left = DATAGRAM_PIECES;

	(void)state;
	on_message = send_pieces;
	serve("udp://192.0.2.9:7070");
	come("192.0.2.1", 2001, "echo");
	while (is_sending()) {
		const size_t pieces = sending()->msg_iovlen;

		assert_in_range(pieces, 1, DATAGRAM_PIECES - 1);
		assert_int_equal(sending_bytes(), 4 * pieces);
		assert_memory_equal(sending()->msg_iov[pieces - 1].iov_base, "echo", 4);
		left -= pieces;
		complete_send((int)(4 * pieces));
	}
	assert_int_equal(left, 0);
}

/* Those of a client join each other, whatever is answered to others between them. */
static void clients_between(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	come("192.0.2.2", 2002, "hello");
	answer(0, 3);
	answer(1, 3);
	answer(1, 3);
	answer(0, 3);
	turn();
	assert_int_equal(sending_segment(), 3);
	assert_sent("xxxxxx", "192.0.2.1", 2001);
	assert_int_equal(sending_segment(), 3);
	assert_sent("xxxxxx", "192.0.2.2", 2002);
	assert_false(is_sending());
}

/*
 * What follows a batch leaves when that has left, since the kernel may refuse it; those that leave
 * alone, and those to others, do not wait. More may join what waits.
 */
static void behind_a_batch(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	come("192.0.2.2", 2002, "hello");
	answer(0, 1);
	answer(0, 3);
	answer(0, 3);
	answer(0, 4);
	answer(1, 9);
	turn();
	assert_leaves("before it", 1, 0);
	answer(0, 4);
	turn();
	assert_leaves("the batch", 6, 3);
	assert_leaves("another client", 9, 0);
	assert_leaves("behind it", 8, 4);
	assert_false(is_sending());
}

/* Those of a turn before are with the kernel: none can join them. */
static void turns_between(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	answer(0, 3);
	turn();
	answer(0, 3);
	turn();
	assert_leaves("first", 3, 0);
	assert_leaves("second", 3, 0);
}

/* A full submission queue delays datagrams, in their order; more may join the last meanwhile. */
static void full_submission_queue(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	kernel.sqes_left = 1;
	answer(0, 1);
	answer(0, 2);
	answer(0, 3);
	turn();
	answer(0, 3);
	turn();
	assert_leaves("first", 1, 0);
	assert_false(is_sending());
	kernel.sqes_left = UINT32_MAX;
	turn();
	assert_leaves("second", 2, 0);
	assert_leaves("last", 6, 3);
}

/* On a wildcard address the source of the answer and the size of the segments stand together. */
static void control_data(void **state)
{
	const struct in_pktinfo asked = { .ipi_spec_dst.s_addr = htonl(0xc0000209) };
	struct datagram_in in = datagram_from("192.0.2.1", 2001, "hello");
	struct control control = { 0 };
	const struct in_pktinfo *source;

	(void)state;
	serve("udp://0.0.0.0:7070");
	control_add(&control, IPPROTO_IP, IP_PKTINFO, &asked, sizeof(asked));
	in.control = control.bytes;
	in.control_bytes = control.used;
	receive_datagram(&in);
	for (unsigned together = 1; together <= 2; together++) {
		for (unsigned i = 0; i < together; i++)
			answer(0, 7);
		turn();
		source = sending_control(IPPROTO_IP, IP_PKTINFO);
		assert_non_null(source);
		assert_int_equal(source->ipi_spec_dst.s_addr, asked.ipi_spec_dst.s_addr);
		assert_int_equal(source->ipi_addr.s_addr, 0);
		assert_leaves("wildcard", 7 * (size_t)together, together > 1 ? 7 : 0);
	}
}

/* Likewise over IPv6, where a link-local peer also has an interface. */
static void control_data_v6(void **state)
{
	struct datagram_in in = datagram_from("fe80::1", 2001, "hello");
	const struct in6_pktinfo asked = { .ipi6_addr = make_address("fe80::9", 0).v6.sin6_addr,
					   .ipi6_ifindex = 3 };
	struct control control = { 0 };
	const struct in6_pktinfo *source;

	(void)state;
	serve("udp://[::]:7070");
	control_add(&control, IPPROTO_IPV6, IPV6_PKTINFO, &asked, sizeof(asked));
	in.from.v6.sin6_scope_id = 3;
	in.control = control.bytes;
	in.control_bytes = control.used;
	receive_datagram(&in);
	answer(0, 7);
	answer(0, 7);
	turn();
	source = sending_control(IPPROTO_IPV6, IPV6_PKTINFO);
	assert_non_null(source);
	assert_memory_equal(source, &asked, sizeof(asked));
	assert_int_equal(((const struct sockaddr_in6 *)sending()->msg_name)->sin6_scope_id, 3);
	assert_leaves("wildcard", 14, 7);
}

/* On an address of its own a single datagram needs no control data. */
static void no_control_data(void **state)
{
	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	answer(0, 7);
	turn();
	assert_null(sending()->msg_control);
	assert_int_equal(sending()->msg_controllen, 0);
	answer(0, 7);
	answer(0, 7);
	turn();
	complete_send(7);
	assert_int_equal(sending()->msg_controllen, CMSG_SPACE(sizeof(uint16_t)));
}

/* The largest datagram of each family; a byte more is refused, and nothing is sent. */
static void longest(void **state)
{
	struct datagram_in in = datagram_from("2001:db8::1", 2001, "hello");

	(void)state;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	assert_int_equal(listen_on("udp://[2001:db8::9]:7070"), 0);
	turn();
	assert_int_equal(rollcall_send(server, 0, bytes, 65508), -EMSGSIZE);
	answer(0, 65507);
	turn();
	assert_leaves("IPv4", 65507, 0);
	in.endpoint = 1;
	receive_datagram(&in);
	assert_int_equal(rollcall_send(server, 1, bytes, 65528), -EMSGSIZE);
	answer(1, 65527);
	turn();
	assert_leaves("IPv6", 65527, 0);
	assert_false(is_sending());
}

/* Without memory for one more, what is joined stays as it is; the rest is dropped and counted. */
static void no_memory(void **state)
{
	unsigned sent = 0, left = 0;

	(void)state;
	options.memory_bytes_max = 1 << 20;
	options.send_queue_bytes = options.send_queue_bytes_max = 1 << 20;
	serve_one("udp://192.0.2.9:7070", "192.0.2.1");
	/* Without this one full batches would use up all blocks, and no joining would fail. */
	answer(0, 1);
	while (stats_now().udp_sends_dropped == 0) {
		answer(0, 3000);
		sent++;
	}
	assert_in_range(--sent, 100, 400);
	assert_int_equal(stats_now().messages_sent, 1 + sent);
	turn();
	assert_leaves("first", 1, 0);
	while (is_sending()) {
		left += (unsigned)(sending_bytes() / 3000);
		assert_int_equal(sending_bytes() % 3000, 0);
		complete_send(1);
	}
	assert_int_equal(left, sent);
	answer(0, 3000);
	turn();
	assert_leaves("again", 3000, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(which_join),	   UDP_TEST(most_segments),
		UDP_TEST(most_pieces),	   UDP_TEST(clients_between),
		UDP_TEST(turns_between),   UDP_TEST(full_submission_queue),
		UDP_TEST(control_data),	   UDP_TEST(control_data_v6),
		UDP_TEST(no_control_data), UDP_TEST(longest),
		UDP_TEST(no_memory),	   UDP_TEST(behind_a_batch),
		UDP_TEST(none_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
