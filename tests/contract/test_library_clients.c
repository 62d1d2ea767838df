/* SPDX-License-Identifier: MIT */
/* The library's view of its clients and addresses, and what it refuses. */
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
		assert_int_equal(count % 2 ? rollcall_close(of, client) : rollcall_abort(of, client),
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

	assert_int_equal(rollcall_client_info(of, client, &info), 0);
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

	/* A caller who sets no size is told so; one who knows less gets less. */
	assert_int_equal(rollcall_client_info(of, client, &older), -EINVAL);
	older.size = offsetof(struct rollcall_client_info, messages_sent);
	assert_int_equal(rollcall_client_info(of, client, &older), 0);
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
	struct rollcall_stats stats = { .size = 0 };

	(void)state;
	create_and_listen();
	assert_int_equal(rollcall_stats(server, &stats), -EINVAL);
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
	memset(&stats, 0, sizeof(stats));
	stats.size = offsetof(struct rollcall_stats, messages_sent);
	assert_int_equal(rollcall_stats(server, &stats), 0);
	assert_int_equal(stats.messages_received, 2);
	assert_int_equal(stats.messages_sent, 0);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

static void note_log(enum rollcall_log_level level, const char *text, void *context)
{
	assert_ptr_equal(context, &trace);
	note("%d %s", level, text);
}

/* What is listened on can be asked for, and is logged; both addresses of localhost share a port. */
static void listening(void **state)
{
	static const char *const formats[] = { "tcp 127.0.0.1:%u", "tcp [::1]:%u",
					       "udp 127.0.0.1:%u", "udp [::1]:%u" };
	unsigned ports[COUNT(formats)];
	char text[80], line[100];

	(void)state;
	options.log = note_log;
	options.log_context = &trace;
	create();
	assert_int_equal(rollcall_listening(server, 0, text, sizeof(text)), -ENOENT);
	assert_int_equal(rollcall_listen(server, "tcp://localhost:0", &service, NULL), 0);
	assert_int_equal(rollcall_listen(server, "udp://localhost:0", &service, NULL), 0);
	for (unsigned i = 0; i < COUNT(formats); i++) {
		assert_int_equal(rollcall_listening(server, i, text, sizeof(text)), 0);
		assert_int_equal(sscanf(text, formats[i], &ports[i]), 1);
		assert_in_range(ports[i], 1, 65535);
		snprintf(line, sizeof(line), "%d listening on %s\n", ROLLCALL_LOG_INFO, text);
		assert_non_null(strstr(trace, line));
	}
	assert_int_equal(ports[0], ports[1]);
	assert_int_equal(ports[2], ports[3]);
	assert_int_equal(rollcall_listening(server, COUNT(formats), text, sizeof(text)), -ENOENT);
	assert_int_equal(rollcall_listening(server, 0, text, strlen("tcp 127.0.0.1:1")), -ENOSPC);
	assert_int_equal(rollcall_listening(server, 0, NULL, 0), -ENOSPC);
}

static void bad_addresses(void **state)
{
	static const struct {
		const char *address;
		int error;
	} cases[] = {
		{ "", -EINVAL },
		{ "localhost:80", -EINVAL },
		{ "tcp://:80", -EINVAL },
		{ "tcp://localhost", -EINVAL },
		{ "tcp://localhost:65536", -EINVAL },
		{ "tcp://no-such-host.invalid:0", -ENOENT },
		{ "tcp://203.0.113.1:0", -EADDRNOTAVAIL },
		{ "udp://203.0.113.1:0", -EADDRNOTAVAIL },
	};
	char text[80], address[100];

	(void)state;
	create();
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_case(cases[i].address,
			    rollcall_listen(server, cases[i].address, &service, NULL),
			    cases[i].error);
	assert_int_equal(rollcall_listening(server, 0, text, sizeof(text)), -ENOENT);

	/* The second of its name is in use: the first is closed again. */
	assert_int_equal(rollcall_listen(server, "tcp://[::1]:0", &service, NULL), 0);
	assert_int_equal(rollcall_listening(server, 0, text, sizeof(text)), 0);
	snprintf(address, sizeof(address), "tcp://localhost:%s", strrchr(text, ':') + 1);
	assert_int_equal(rollcall_listen(server, address, &service, NULL), -EADDRINUSE);
	assert_int_equal(rollcall_listening(server, 1, text, sizeof(text)), -ENOENT);
}

static void bad_services(void **state)
{
	(void)state;
	create();
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", NULL, NULL), -EINVAL);
	service.size = 0;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.size = sizeof(service);
	service.framing = (enum rollcall_framing)(ROLLCALL_LENGTH + 1);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.framing = ROLLCALL_LENGTH;
	service.message_bytes_max = ((size_t)1 << 30) + 1;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -EINVAL);
	service.message_bytes_max--;
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
}

/* 64 addresses; a name that would pass that gets none of its addresses. */
static void many_addresses(void **state)
{
	char text[80];

	(void)state;
	create();
	for (int i = 0; i < 63; i++)
		assert_int_equal(rollcall_listen(server,
						 i % 2 ? "tcp://127.0.0.1:0" : "udp://127.0.0.1:0",
						 &service, NULL),
				 0);
	assert_int_equal(rollcall_listen(server, "tcp://localhost:0", &service, NULL), -ENOSPC);
	assert_int_equal(rollcall_listening(server, 63, text, sizeof(text)), -ENOENT);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), -ENOSPC);
}

/* ---- Creation -------------------------------------------------------------------------------- */

static void creation(void **state)
{
	(void)state;
	options.tcp_clients_max = 0;
	assert_int_equal(rollcall_create(&server, &options), -EINVAL);
	options.size = 0;
	assert_int_equal(rollcall_create(&server, &options), -EINVAL);
	assert_null(server);
	assert_int_equal(rollcall_create(&server, NULL), 0);
}

/* The features of this kernel: the required ones work, or nothing here would. */
static void features(void **state)
{
	struct rollcall_feature found[64];
	int count = rollcall_features(found, COUNT(found));

	(void)state;
	assert_in_range(count, 5, COUNT(found));
	for (int i = 0; i < count; i++) {
		assert_non_null(found[i].name);
		assert_non_null(found[i].since);
		assert_in_range(-found[i].result, 0, 4095);
		if (found[i].required)
			assert_case(found[i].name, found[i].result, 0);
	}
	assert_int_equal(rollcall_features(NULL, 0), count);
	found[1].name = NULL;
	assert_int_equal(rollcall_features(found, 1), count);
	assert_null(found[1].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(walk),	      LIBRARY_TEST(information),
		LIBRARY_TEST(statistics),     LIBRARY_TEST(listening),
		LIBRARY_TEST(bad_addresses),  LIBRARY_TEST(bad_services),
		LIBRARY_TEST(many_addresses), LIBRARY_TEST(creation),
		LIBRARY_TEST(features),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
