/* SPDX-License-Identifier: MIT */
/*
 * Datagrams of the library, on the real kernel's paths: batches, more than a socket has space
 * for, empty ones, and answers that nobody takes.
 */
#include <fcntl.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "contract/library.h"
#include "lib/kernel.h"

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static int begin(void **state)
{
	if (library_begin(state))
		return -1;
	service.connected = NULL;
	service.received = echo;
	service.disconnected = NULL;
	return 0;
}

static void ask(int fd, const char *text)
{
	say(fd, text);
	hear(fd, text);
}

/* ---- A server that waits --------------------------------------------------------------------- */

static pthread_barrier_t gate;

static void wait_at_gate(struct rollcall_server *of, void *context)
{
	(void)of;
	(void)context;
	pthread_barrier_wait(&gate);
	pthread_barrier_wait(&gate);
}

/* From here to release_server() it does nothing: what is sent meanwhile arrives together. */
static void hold_server(void)
{
	expect(pthread_barrier_init(&gate, NULL, 2) == 0);
	expect(rollcall_post(server, wait_at_gate, NULL) == 0);
	pthread_barrier_wait(&gate);
}

static void release_server(void)
{
	pthread_barrier_wait(&gate);
	wait_for_server();
	pthread_barrier_destroy(&gate);
}

/* ---- Together -------------------------------------------------------------------------------- */

enum { SEGMENTS = 40, SEGMENT_BYTES = 100, LAST_BYTES = 33 };

/* Lets the kernel cut what is sent into datagrams. */
static void cut_into(int fd, int bytes)
{
	expect(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &bytes, sizeof(bytes)) == 0);
}

static void send_at_once(void)
{
	uint8_t all[SEGMENTS * SEGMENT_BYTES + LAST_BYTES];
	int fd = dial_udp();

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7 + i / 251);
	cut_into(fd, SEGMENT_BYTES);
	say_bytes(fd, all, sizeof(all));
	for (size_t i = 0; i < SEGMENTS; i++)
		hear_bytes(fd, all + i * SEGMENT_BYTES, SEGMENT_BYTES);
	hear_bytes(fd, all + SEGMENTS * SEGMENT_BYTES, LAST_BYTES);
	close(fd);
}

/* Datagrams that a peer sends as one arrive as one, are delivered one by one, and so answered;
 * the answers leave as one. */
static void batches(void **state)
{
	(void)state;
	needs_linux(5, 11, "a GSO batch arrives as single datagrams on loopback");
	create_and_listen();
	run(send_at_once);
	assert_int_equal(stats_now().messages_received, SEGMENTS + 1);
	assert_int_equal(stats_now().bytes_received, SEGMENTS * SEGMENT_BYTES + LAST_BYTES);
	assert_int_equal(stats_now().udp_batches_received, 1);
	assert_int_equal(stats_now().udp_batches_sent, 1);
	assert_int_equal(stats_now().udp_clients, 1);
	assert_in_range(stats_now().completions, 3, SEGMENTS - 1);
}

/* ---- A narrow way ---------------------------------------------------------------------------- */

enum { MTU = 1500, LARGE_BYTES = 2000, SMALL_BYTES = 1000, ROUND = 20 };

/* A network of our own, whose loopback takes packets of the size of Ethernet's; -1: not allowed. */
static int enter_narrow_network(void)
{
	struct ifreq link = { .ifr_name = "lo", .ifr_mtu = MTU };
	int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	if (unshare(CLONE_NEWNET)) {
		close(before);
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &link), 0);
	link.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &link), 0);
	close(fd);
	return before;
}

/* A round of datagrams that are there before the first is answered: all are, in their order. */
static void come_in_a_round(int fd, size_t bytes)
{
	uint8_t message[LARGE_BYTES] = { 0 };

	hold_server();
	for (uint8_t i = 0; i < ROUND; i++) {
		message[0] = i;
		say_bytes(fd, message, bytes);
	}
	release_server();
	for (uint8_t i = 0; i < ROUND; i++) {
		message[0] = i;
		hear_bytes(fd, message, bytes);
	}
}

static void come_by_narrow_way(void)
{
	int fd = dial_udp();
	uint64_t batches;

	come_in_a_round(fd, SMALL_BYTES);
	expect(wait_for_server()->udp_batches_sent >= 1);
	come_in_a_round(fd, LARGE_BYTES);
	batches = wait_for_server()->udp_batches_sent;
	come_in_a_round(fd, LARGE_BYTES);
	come_in_a_round(fd, SMALL_BYTES);
	expect(wait_for_server()->udp_batches_sent == batches);
	close(fd);
}

/* Answers larger than a packet of the way are refused together (EINVAL), and then leave one by one,
 * without another try, and so do all others to that client. */
static void narrow_way(void **state)
{
	int before = enter_narrow_network();

	(void)state;
	if (before < 0) {
		print_message("# no network namespace: %s\n", strerror(errno));
		skip();
	}
	create_and_listen();
	run(come_by_narrow_way);
	assert_int_equal(setns(before, CLONE_NEWNET), 0);
	close(before);
	assert_int_equal(stats_now().messages_sent, 4 * ROUND);
	assert_int_equal(stats_now().udp_send_errors, 0);
	assert_int_equal(stats_now().udp_sends_dropped, 0);
}

/* ---- No space ------------------------------------------------------------------------------- */

enum { FLOOD = 500, FLOOD_BYTES = 1000, ROOM_BYTES = 32 << 10 };

static uint64_t drain(int fd)
{
	static char answer[FLOOD_BYTES];
	uint64_t count = 0;

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		count++;
	return count;
}

static void flood(void)
{
	static const char message[FLOOD_BYTES];
	const struct rollcall_stats *stats;
	int fd = dial_udp();
	uint64_t answers;

	ask(fd, "before");
	hold_server();
	for (int i = 0; i < FLOOD; i++)
		say_bytes(fd, message, sizeof(message));
	release_server();
	answers = drain(fd);
	stats = wait_for_server();
	for (int i = 0;
	     stats->messages_received < 1 + FLOOD - stats->udp_dropped_kernel && i < 1000; i++)
		stats = wait_for_server();
	/* In the turn after that the last answers have left. */
	wait_for_server();
	answers += drain(fd);
	expect(stats->udp_dropped_kernel > 0 && stats->udp_dropped_kernel < FLOOD);
	expect(answers == FLOOD - stats->udp_dropped_kernel);
	close(fd);
}

/* What does not fit into SO_RCVBUF is lost, but all of it is counted, though none follows. */
static void kernel_drops(void **state)
{
	(void)state;
	options.udp_receive_buffer_bytes = ROOM_BYTES;
	create_and_listen();
	run(flood);
	assert_int_equal(stats_now().messages_received + stats_now().udp_dropped_kernel, FLOOD + 1);
}

/* ---- Empty ----------------------------------------------------------------------------------- */

enum { EMPTY = 200, REST_MS = 200 };

static void say_nothing(void)
{
	int fd = dial_udp();
	uint64_t turns;

	for (int i = 0; i < EMPTY; i++) {
		say_bytes(fd, "", 0);
		hear_bytes(fd, "", 0);
	}
	turns = wait_for_server()->turns;
	usleep(REST_MS * 1000);
	/* Ten, for what is left to complete, and what asks for the count. */
	expect(wait_for_server()->turns <= turns + 10);
	ask(fd, "still here");
	close(fd);
}

/* A datagram of no bytes ends the kernel's multishot receive: it is started again, once. */
static void empty(void **state)
{
	(void)state;
	create_and_listen();
	run(say_nothing);
	assert_int_equal(stats_now().messages_received, EMPTY + 1);
	assert_int_equal(stats_now().udp_clients, 1);
	assert_in_range(stats_now().turns, 1, 4 * EMPTY);
}

/* ---- Answers that nobody takes --------------------------------------------------------------- */

enum { GONE = 100 };

static void vanish(void)
{
	int steady = dial_udp();

	for (int i = 0; i < GONE; i++) {
		int fd = dial_udp();

		hold_server();
		say(fd, "gone before the answer");
		close(fd);
		release_server();
		ask(steady, "still here");
	}
	close(steady);
}

/* The kernel's reports that nobody is there (ICMP) fail nothing of another client. */
static void unreachable(void **state)
{
	(void)state;
	options.udp_clients_max = 2 * GONE;
	create_and_listen();
	run(vanish);
	assert_int_equal(stats_now().messages_received, 2 * GONE);
	assert_int_equal(stats_now().messages_sent, 2 * GONE);
	assert_int_equal(stats_now().udp_send_errors, 0);
}

#define DATAGRAM_TEST(test) cmocka_unit_test_setup_teardown(test, begin, library_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DATAGRAM_TEST(batches), DATAGRAM_TEST(narrow_way),  DATAGRAM_TEST(kernel_drops),
		DATAGRAM_TEST(empty),	DATAGRAM_TEST(unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
