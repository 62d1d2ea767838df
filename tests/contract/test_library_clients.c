/* SPDX-License-Identifier: MIT */
/* The library's view of its clients: walking over them, and what is known of them. */
#include "contract/library.h"

/* ---- Walking --------------------------------------------------------------------------------- */

enum { TCP_CLIENTS = 5, UDP_CLIENTS = 3 };

static int count_clients(struct rollcall_server *of)
{
	rollcall_client client = ROLLCALL_NONE;
	int count = 0;

	while ((client = rollcall_client_next(of, client)) != ROLLCALL_NONE)
		count++;
	return count;
}

/* Ends each client in the walk, which goes on behind it all the same. */
static void walk_and_end(struct rollcall_server *of, void *context)
{
	rollcall_client client = ROLLCALL_NONE, before = 0;
	int count = 0;

	(void)context;
	while ((client = rollcall_client_next(of, client)) != ROLLCALL_NONE) {
		assert_true(count == 0 || client > before);
		before = client;
		assert_int_equal(count % 2 ? rollcall_close(of, client)
					   : rollcall_abort(of, client),
				 0);
		count++;
	}
	note("walked over %d", count);
}

static void come_and_be_ended(void)
{
	int fds[TCP_CLIENTS + UDP_CLIENTS];

	for (int i = 0; i < TCP_CLIENTS + UDP_CLIENTS; i++) {
		fds[i] = i % 3 == 1 ? dial_udp() : dial();
		say(fds[i], "x\n");
		hear(fds[i], "x\n");
	}
	expect(rollcall_post(server, walk_and_end, NULL) == 0);
	for (int i = 0; i < TCP_CLIENTS + UDP_CLIENTS; i++)
		close(fds[i]);
	while (wait_for_server()->tcp_clients_now + wait_for_server()->udp_clients_now > 0)
		usleep(1000);
}

/* A walk meets each client of both transports once, also while it ends them. */
static void walk(void **state)
{
	char expected[32];

	(void)state;
	create_and_listen();
	assert_int_equal(count_clients(server), 0);
	run(come_and_be_ended);
	snprintf(expected, sizeof(expected), "walked over %d\n", TCP_CLIENTS + UDP_CLIENTS);
	assert_non_null(strstr(trace, expected));
	assert_int_equal(count_clients(server), 0);
}

/* ---- Information ----------------------------------------------------------------------------- */

static struct sockaddr_in own_address;

static void look(struct rollcall_server *of, void *expected_transport)
{
	const rollcall_client client = rollcall_client_next(of, ROLLCALL_NONE);
	struct rollcall_client_info info = { .size = sizeof(info) }, older = { 0 };
	const struct sockaddr_in *address = (const struct sockaddr_in *)&info.address;

	assert_int_equal(rollcall_client_get_info(of, client, &info), 0);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.transport, (uintptr_t)expected_transport);
	assert_int_equal(info.address_bytes, sizeof(*address));
	assert_int_equal(address->sin_family, AF_INET);
	assert_int_equal(address->sin_port, own_address.sin_port);
	assert_int_equal(address->sin_addr.s_addr, own_address.sin_addr.s_addr);
	assert_int_equal(info.messages_received, 2);
	assert_int_equal(info.bytes_received, 10);
	assert_int_equal(info.messages_sent, 2);
	assert_int_equal(info.bytes_sent, 10);
	assert_int_equal(info.queued_bytes, 0);

	/* A caller that sets no size gets an error; one with a smaller struct gets less. */
	assert_int_equal(rollcall_client_get_info(of, client, &older), -EINVAL);
	older.size = offsetof(struct rollcall_client_info, messages_sent);
	assert_int_equal(rollcall_client_get_info(of, client, &older), 0);
	assert_int_equal(older.messages_received, 2);
	assert_int_equal(older.messages_sent, 0);
	note("looked");
}

static void be_looked_at(int fd, enum rollcall_transport transport)
{
	socklen_t bytes = sizeof(own_address);

	expect(getsockname(fd, (struct sockaddr *)&own_address, &bytes) == 0);
	say(fd, "hey\n");
	hear(fd, "hey\n");
	say(fd, "hello\n");
	hear(fd, "hello\n");
	expect(rollcall_post(server, look, (void *)(uintptr_t)transport) == 0);
	wait_for_server();
	close(fd);
}

static void tcp_is_looked_at(void)
{
	be_looked_at(dial(), ROLLCALL_TCP);
}

static void udp_is_looked_at(void)
{
	be_looked_at(dial_udp(), ROLLCALL_UDP);
}

static void information(void **state)
{
	(void)state;
	service.connected = NULL;
	service.received = note_and_echo;
	create_and_listen();
	run(tcp_is_looked_at);
	assert_non_null(strstr(trace, "looked"));
	rollcall_destroy(server);
	trace[0] = '\0';
	create_and_listen();
	run(udp_is_looked_at);
	assert_non_null(strstr(trace, "looked"));
}

static void one_each(void)
{
	int fd = dial();

	say(fd, "hello\n");
	hear(fd, "hello\n");
	close(fd);
	fd = dial_udp();
	say(fd, "hey");
	hear(fd, "hey");
	close(fd);
}

static void statistics(void **state)
{
	struct rollcall_stats stats;

	(void)state;
	create_and_listen();
	assert_int_equal(stats_now().turns, 0);
	run(one_each);
	stats = stats_now();
	assert_int_equal(stats.size, sizeof(stats));
	assert_in_range(stats.turns, 4, 1000);
	assert_in_range(stats.completions, 8, 1000);
	assert_int_equal(stats.tcp_clients, 1);
	assert_int_equal(stats.udp_clients, 1);
	assert_int_equal(stats.tcp_clients_now + stats.udp_clients_now, 0);
	assert_int_equal(stats.messages_received, 2);
	assert_int_equal(stats.messages_sent, 2);
	assert_int_equal(stats.bytes_received, 9);
	assert_int_equal(stats.bytes_sent, 9);
	assert_int_equal(stats.memory_bytes_now, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(walk),
		LIBRARY_TEST(information),
		LIBRARY_TEST(statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
