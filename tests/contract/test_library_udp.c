/* SPDX-License-Identifier: MIT */
/*
 * Which peers are UDP clients of the library: datagrams that must not be answered, and
 * limits that are reached. Each has a counter of its own, and nothing else changes. Most are sent
 * with a raw socket, from addresses that are nobody's, in a network where nobody else is.
 */
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "contract/library.h"

static bool is_alone;
static int raw = -1;
static int disconnected_count[2]; /* of all, and of the first clients */

enum { REGULARS = 8 };

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void count_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			       void *context)
{
	(void)of;
	(void)context;
	disconnected_count[0] += reason == -ENOSPC;
	disconnected_count[1] += client < REGULARS && reason != -ESHUTDOWN;
}

static int begin(void **state)
{
	raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	disconnected_count[0] = disconnected_count[1] = 0;
	if (library_begin(state))
		return -1;
	service.connected = NULL;
	service.received = echo;
	service.disconnected = count_disconnected;
	return 0;
}

static int end(void **state)
{
	close(raw);
	return library_end(state);
}

/* A network namespace of our own, with nothing but a loopback. */
static int enter_own_network(void **state)
{
	struct ifreq link = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET))
		return 0;
	is_alone = true;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &link))
		return -1;
	return close(fd);
}

static void need_raw_sockets(void)
{
	if (raw < 0 || !is_alone) {
		print_message("# no raw sockets, or no network namespace\n");
		skip();
	}
}

/* Sends a datagram to the server as if from this address. */
static void spoof(uint32_t host, uint16_t port, const char *text)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char text[64];
	} packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP },
		.udp = { .source = htons(port), .dest = udp_address.sin_port },
	};
	const size_t bytes = strlen(text), all = sizeof(packet.ip) + sizeof(packet.udp) + bytes;

	packet.ip.saddr = htonl(host);
	packet.ip.daddr = udp_address.sin_addr.s_addr;
	packet.udp.len = htons((uint16_t)(sizeof(packet.udp) + bytes));
	expect(bytes <= sizeof(packet.text));
	memcpy(packet.text, text, bytes);
	expect(sendto(raw, &packet, all, 0, (struct sockaddr *)&udp_address, sizeof(udp_address)) ==
	       (ssize_t)all);
}

/* A socket whose local address is this one, any port. */
static int dial_udp_from(uint32_t host)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct timeval limit = { .tv_sec = SCRIPT_LIMIT_S };

	from.sin_addr.s_addr = htonl(host);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	expect(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
	expect(connect(fd, (struct sockaddr *)&udp_address, sizeof(udp_address)) == 0);
	return fd;
}

static void ask(int fd, const char *text)
{
	say(fd, text);
	hear(fd, text);
}

static bool hears_nothing(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* ---- Guards ---------------------------------------------------------------------------------- */

#define LOCALHOST 0x7f000001
#define SERVER_PORT 1 /* stands for it: it is not known before */

#define COUNTER(name) offsetof(struct rollcall_stats, name)

static const struct guard {
	uint32_t host;
	uint16_t port;
	const char *text;
	size_t counter;
} guards[] = {
	{ LOCALHOST, SERVER_PORT, "from the server itself", COUNTER(udp_dropped_own_source) },
	{ LOCALHOST, 0, "from no port", COUNTER(udp_dropped_no_port) },
	{ LOCALHOST, 7, "from echo (RFC 862)", COUNTER(udp_dropped_low_port) },
	{ LOCALHOST, 1023, "from the last low port", COUNTER(udp_dropped_low_port) },
	{ 0xffffffff, 5000, "from a broadcast address", COUNTER(udp_dropped_bad_source) },
	{ 0xe0000001, 5000, "from a multicast address", COUNTER(udp_dropped_bad_source) },
	{ 0xf0000001, 5000, "from a reserved address", COUNTER(udp_dropped_bad_source) },
	{ 0x7f000003, 5000, "-> -> from a loop", COUNTER(udp_dropped_loop) },
	/* And these are none of it, or nothing of the above would show anything. */
	{ LOCALHOST, 1024, "from the first high port", COUNTER(messages_received) },
	{ 0x7f000003, 5000, "-> from a person", COUNTER(messages_received) },
};

static uint64_t counter_of(const struct rollcall_stats *stats, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + offset, sizeof(value));
	return value;
}

/* Each raises its own counter by one, apart from what the socket that asks after it does. */
static void come_from_bad_places(void)
{
	int fd = dial_udp();

	ask(fd, "first");
	for (size_t i = 0; i < COUNT(guards); i++) {
		const struct guard *guard = &guards[i];
		const bool good = guard->counter == COUNTER(messages_received);
		struct rollcall_stats before = *wait_for_server(), after;
		uint64_t changed = 0;

		spoof(guard->host,
		      guard->port == SERVER_PORT ? ntohs(udp_address.sin_port) : guard->port,
		      guard->text);
		ask(fd, "after");
		after = *wait_for_server();
		expect(counter_of(&after, guard->counter) - good ==
		       counter_of(&before, guard->counter) + 1);
		expect(after.messages_received == before.messages_received + 1 + good);
		expect(after.messages_sent == before.messages_sent + 1 + good);
		for (size_t at = COUNTER(udp_dropped_full); at <= COUNTER(udp_dropped_kernel);
		     at += sizeof(uint64_t))
			changed += counter_of(&after, at) - counter_of(&before, at);
		expect(changed == !good);
		if (script_failure[0])
			break;
	}
	close(fd);
}

/* What would make the server a weapon is not answered, and counted under its own name. */
static void guarded(void **state)
{
	(void)state;
	need_raw_sockets();
	service.loop_prefix = "-> ";
	create_and_listen();
	run(come_from_bad_places);
	assert_int_equal(stats_now().udp_clients, 3);
}

/* ---- Places ---------------------------------------------------------------------------------- */

enum { STRANGERS = 20000, STRANGERS_A_TURN = 100, PLACES = 64 };

static void come_in_crowds(void)
{
	int regulars[REGULARS];

	for (int i = 0; i < REGULARS; i++)
		regulars[i] = dial_udp();
	/* Several answers over some seconds make them active. */
	for (int turn = 0; turn < 4; turn++) {
		usleep(turn > 0 ? 1010000 : 0);
		for (int i = 0; i < REGULARS; i++)
			ask(regulars[i], "still here");
	}
	for (uint32_t i = 0; i < STRANGERS; i++) {
		spoof(0x7f100000 + i, (uint16_t)(2000 + i % 60000), "stranger");
		if (i % STRANGERS_A_TURN == 0)
			ask(regulars[i / STRANGERS_A_TURN % REGULARS], "still here");
	}
	for (int i = 0; i < REGULARS; i++) {
		ask(regulars[i], "and now");
		close(regulars[i]);
	}
	wait_for_server();
}

/* Strangers take places from each other, in a crowd of any size, and none from active clients. */
static void crowds(void **state)
{
	struct rollcall_stats stats;

	(void)state;
	need_raw_sockets();
	options.udp_clients_max = PLACES;
	create_and_listen();
	run(come_in_crowds);
	stats = passed_stats;
	assert_int_equal(stats.udp_dropped_kernel, 0);
	assert_int_equal(stats.udp_clients_now, PLACES);
	/* Those that came when no client could be evicted: answers to all were in flight. */
	assert_int_equal(stats.udp_clients, REGULARS + STRANGERS - stats.udp_dropped_full);
	assert_in_range(stats.udp_dropped_full, 0, STRANGERS / 2);
	assert_int_equal(stats.udp_evictions, stats.udp_clients - PLACES);
	assert_int_equal(disconnected_count[0], stats.udp_evictions);
	assert_int_equal(disconnected_count[1], 0);
}

static void come_one_too_many(void)
{
	int fds[3] = { dial_udp(), dial_udp(), dial_udp() };

	for (int turn = 0; turn < 2; turn++) {
		ask(fds[0], "first");
		ask(fds[1], "second");
	}
	say(fds[2], "third");
	if (service.stateless)
		hear(fds[2], "third");
	ask(fds[0], "first");
	expect(hears_nothing(fds[2]));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void come_from_two_sources(void)
{
	int other = dial_udp_from(0x7f000009);

	come_one_too_many();
	ask(other, "from elsewhere");
	close(other);
}

/*
 * One address has a limited number of clients, and others still have theirs. Only a stateless
 * service answers one more.
 */
static void full_source(void **state)
{
	options.udp_clients_per_source_max = 2;
	for (int stateless = 0; stateless <= 1; stateless++) {
		service.stateless = stateless;
		create_and_listen();
		run(come_from_two_sources);
		assert_int_equal(stats_now().udp_clients, 3);
		assert_int_equal(stats_now().udp_dropped_source_full, !stateless);
		assert_int_equal(stats_now().udp_dropped_full, 0);
		assert_int_equal(stats_now().udp_unlisted, stateless);
		assert_int_equal(stats_now().udp_evictions, 0);
		assert_int_equal(stats_now().messages_sent, 6 + stateless);
		library_end(state);
	}
}

/* ---- Rate ------------------------------------------------------------------------------------ */

enum { RATE = 5, BURST = 50 };

static double clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void hurry(void)
{
	const double begin_s = clock_s();
	int fd = dial_udp(), other = dial_udp_from(0x7f000009);
	uint64_t passed;

	for (int i = 0; i < BURST; i++)
		say(fd, "now");
	/* It has as much as if nobody else had sent, and is answered after the others. */
	for (int i = 0; i < RATE; i++)
		ask(other, "calmly");
	passed = BURST - wait_for_server()->udp_dropped_rate;
	expect(passed >= RATE && (double)passed <= RATE + 1 + (clock_s() - begin_s) * (double)RATE);
	expect(passed < BURST);
	for (uint64_t i = 0; i < passed; i++)
		hear(fd, "now");
	expect(hears_nothing(fd));
	usleep(1000000 / RATE);
	ask(fd, "later");
	expect(wait_for_server()->messages_received == RATE + passed + 1);
	close(fd);
	close(other);
}

/* Of a burst, as many pass as the limit allows a second; the rest is counted. Later it goes on. */
static void limited_rate(void **state)
{
	(void)state;
	options.udp_rate = RATE;
	create_and_listen();
	run(hurry);
}

#define UDP_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_TEST(guarded),
		UDP_TEST(crowds),
		UDP_TEST(full_source),
		UDP_TEST(limited_rate),
	};

	return cmocka_run_group_tests(tests, enter_own_network, NULL);
}
