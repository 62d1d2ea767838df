/* SPDX-License-Identifier: MIT */
/*
 * Listening where some addresses of a name cannot be had: all of the others, or none. Sockets that
 * others have made: they are taken over, or left alone.
 */
#include "unit/scripted_server.h"

static unsigned binds;
static char logged[512]; /* the last error */
static int v4_error, v6_error;

static int bind_by_family(const struct address *address)
{
	binds++;
	return address->any.sa_family == AF_INET ? v4_error : v6_error;
}

static void log_error(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	assert_int_equal(level, ROLLCALL_LOG_ERROR);
	snprintf(logged, sizeof(logged), "%s", text);
}

static int begin(void **state)
{
	int error = scripted_begin(state);

	logged[0] = '\0';
	options.log = log_error;

	binds = 0;
	v4_error = v6_error = 0;
	kernel.bind = bind_by_family;
	create();
	return error;
}

/* Both addresses of a name get the same free port. */
static void both_families(void **state)
{
	char first[64], second[64];

	(void)state;
	assert_int_equal(listen_on("udp://localhost:0"), 0);
	assert_int_equal(rollcall_listener_address(server, 0, first, sizeof(first)), 0);
	assert_int_equal(rollcall_listener_address(server, 1, second, sizeof(second)), 0);
	assert_int_equal(strncmp(first, "udp 127.0.0.1:", 14), 0);
	assert_int_equal(strncmp(second, "udp [::1]:", 10), 0);
	assert_string_equal(first + 14, second + 10);
}

/* A name that resolves to one address twice is one address, with a free port too. */
static void repeated_address(void **state)
{
	(void)state;
	assert_int_equal(listen_on("tcp://twice:80"), 0);
	assert_int_equal(listen_on("udp://twice:0"), 0);
	assert_int_equal(binds, 2);
	assert_int_equal(rollcall_listener_address(server, 2, (char[64]){ 0 }, 64), -ENOENT);
}

/* A link-local address without its zone is refused as such, before bind(2) is asked. */
static void without_zone(void **state)
{
	(void)state;
	assert_int_equal(listen_on("tcp://[fe80::1]:80"), -ENODEV);
	assert_int_equal(listen_on("udp://[fe80::1]:80"), -ENODEV);
	assert_int_equal(binds, 0);
}

/* A machine without IPv6, or without ::1, serves IPv4; without either, nothing is listened on. */
static void missing_family(void **state)
{
	char text[64];

	(void)state;
	v6_error = -EAFNOSUPPORT;
	assert_int_equal(listen_on("tcp://localhost:80"), 0);
	v6_error = -EADDRNOTAVAIL;
	assert_int_equal(listen_on("udp://localhost:80"), 0);
	assert_int_equal(rollcall_listener_address(server, 0, text, sizeof(text)), 0);
	assert_string_equal(text, "tcp 127.0.0.1:80");
	assert_int_equal(rollcall_listener_address(server, 1, text, sizeof(text)), 0);
	assert_string_equal(text, "udp 127.0.0.1:80");
	assert_int_equal(rollcall_listener_address(server, 2, text, sizeof(text)), -ENOENT);

	v4_error = v6_error = -EAFNOSUPPORT;
	assert_int_equal(listen_on("tcp://localhost:81"), -EAFNOSUPPORT);
	assert_int_equal(rollcall_listener_address(server, 2, text, sizeof(text)), -ENOENT);
}

/*
 * Where a port is free for one family only, another is tried, some times. A port that was asked
 * for is tried once. Either way nothing stays open.
 */
static void taken_ports(void **state)
{
	const unsigned files = count_open_files();

	(void)state;
	v6_error = -EADDRINUSE;
	assert_int_equal(listen_on("tcp://localhost:0"), -EADDRINUSE);
	assert_in_range(binds, 2 * 2, 2 * 100);
	binds = 0;
	assert_int_equal(listen_on("udp://localhost:80"), -EADDRINUSE);
	assert_int_equal(binds, 2);
	assert_int_equal(rollcall_listener_address(server, 0, (char[64]){ 0 }, 64), -ENOENT);
	assert_int_equal(count_open_files(), files);
}

/* A socket whose address cannot be found out is closed. */
static void unknown_address(void **state)
{
	const unsigned files = count_open_files();

	(void)state;
	kernel.local_address_error = -ENOBUFS;
	assert_int_equal(listen_on("tcp://127.0.0.1:0"), -ENOBUFS);
	assert_int_equal(listen_on("udp://127.0.0.1:0"), -ENOBUFS);
	assert_int_equal(binds, 2);
	assert_int_equal(count_open_files(), files);
}

/* A socket of the test's own, of which the kernel says that it is such a one. */
static int made_elsewhere(int transport)
{
	const int fd = kernel_open();

	kernel.transport = transport;
	kernel.addresses[fd] = make_address(fd % 2 ? "0.0.0.0" : "::1", 80);
	return fd;
}

static int adopt(int fd)
{
	return rollcall_adopt(server, fd, &service, NULL);
}

/* They are listened on like others, with what the options ask for, and are closed in the end. */
static void adopted(void **state)
{
	const unsigned files = count_open_files();
	int tcp, udp;
	char text[64];

	(void)state;
	tcp = made_elsewhere(ROLLCALL_TCP);
	assert_int_equal(adopt(tcp), 0);
	assert_true(server->unflushed);
	udp = made_elsewhere(ROLLCALL_UDP);
	assert_int_equal(adopt(udp), 0);
	assert_int_equal(kernel.asked_buffers.receive_bytes, options.udp_receive_buffer_bytes);
	assert_int_equal(rollcall_listener_address(server, 0, text, sizeof(text)), 0);
	assert_string_equal(text, tcp % 2 ? "tcp 0.0.0.0:80" : "tcp [::1]:80");
	assert_int_equal(rollcall_listener_address(server, 1, text, sizeof(text)), 0);
	assert_string_equal(text, udp % 2 ? "udp 0.0.0.0:80" : "udp [::1]:80");
	assert_int_equal(server->udp.endpoints[0]->wildcard, udp % 2);
	turn();
	assert_int_equal(started(IORING_OP_ACCEPT, tcp)->fd, tcp);
	assert_int_equal(started(IORING_OP_RECVMSG, udp)->fd, udp);
	assert_int_equal(binds, 0);
	assert_int_equal(count_open_files(), files + 2);
}

/* Whatever fails, the socket is still open, and nothing else is. */
static void not_adopted(void **state)
{
	static const int transports[] = { ROLLCALL_TCP, ROLLCALL_UDP };
	const unsigned files = count_open_files();
	const struct rollcall_service good = service;
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(transports); i++) {
		const int fd = made_elsewhere(transports[i]);

		count++;
		service.size = 0;
		assert_int_equal(adopt(fd), -EINVAL);
		service = good;
		kernel.transport = -ENOTSOCK;
		assert_int_equal(adopt(fd), -ENOTSOCK);
		kernel.transport = transports[i];
		kernel.adopt_error = -ENOBUFS;
		assert_int_equal(adopt(fd), -ENOBUFS);
		kernel.adopt_error = 0;
		kernel.local_address_error = -EBADF;
		assert_int_equal(adopt(fd), -EBADF);
		kernel.local_address_error = 0;
		assert_true(kernel.is_open[fd]);
		assert_int_equal(count_open_files(), files + count);
		assert_int_equal(rollcall_listener_address(server, 0, (char[64]){ 0 }, 64),
				 -ENOENT);
		kernel_close(fd);
		count--;
	}
}

/* No more than 64, and none once the server stops. */
static void too_many_or_too_late(void **state)
{
	int fd;

	(void)state;
	for (unsigned i = 0; i < HUB_ADDRESSES_MAX; i++)
		assert_int_equal(adopt(made_elsewhere(i % 2 ? ROLLCALL_TCP : ROLLCALL_UDP)), 0);
	fd = made_elsewhere(ROLLCALL_TCP);
	assert_int_equal(adopt(fd), -ENOSPC);
	rollcall_stop(server);
	assert_int_equal(adopt(fd), -ESHUTDOWN);
	kernel_close(fd);
}

/* The last call failed, for a reason that was logged. */
#define assert_logged(result, error, text)                                                         \
	do {                                                                                       \
		logged[0] = '\0';                                                                  \
		server->hub.now_ns += LOG_PERIOD_S * UINT64_C(1000000000);                         \
		assert_int_equal(result, error);                                                   \
		assert_string_equal(logged, text);                                                 \
	} while (0)

/* Why an address cannot be listened on is logged, with what was asked for. */
static void reasons_to_listen(void **state)
{
	const struct rollcall_service good = service;
	char expected[128];

	(void)state;
	assert_logged(listen_on("tcp:/127.0.0.1:80"), -EINVAL,
		      "cannot listen on 'tcp:/127.0.0.1:80': neither tcp://HOST:PORT nor "
		      "udp://HOST:PORT");
	v4_error = -EADDRINUSE;
	assert_logged(listen_on("tcp://127.0.0.1:80"), -EADDRINUSE,
		      "cannot listen on 'tcp://127.0.0.1:80': 127.0.0.1:80: Address already in "
		      "use");
	v4_error = 0;
	v6_error = -EACCES;
	assert_logged(listen_on("udp://localhost:81"), -EACCES,
		      "cannot listen on 'udp://localhost:81': [::1]:81: Permission denied");
	/* It was not missed, if there is another. */
	v6_error = -EADDRNOTAVAIL;
	assert_logged(listen_on("udp://localhost:81"), 0, "");
	v4_error = -EADDRNOTAVAIL;
	assert_logged(listen_on("udp://localhost:82"), -EADDRNOTAVAIL,
		      "cannot listen on 'udp://localhost:82': [::1]:82: Cannot assign requested "
		      "address");
	assert_logged(listen_on("udp://[fe80::1]:82"), -ENODEV,
		      "cannot listen on 'udp://[fe80::1]:82': [fe80::1]:82: a link-local address "
		      "needs a zone, as [fe80::1%eth0] has it");
	kernel.resolve_error = -ENOENT;
	assert_logged(listen_on("tcp://nowhere:80"), -ENOENT,
		      "cannot listen on 'tcp://nowhere:80': the name does not resolve");
	service.size = 8;
	snprintf(expected, sizeof(expected),
		 "cannot listen on 'tcp://127.0.0.1:80': the size of the service is 8, and must "
		 "be at least %zu",
		 sizeof(service));
	assert_logged(listen_on("tcp://127.0.0.1:80"), -EINVAL, expected);
	service = good;
	service.size = SIZE_MAX;
	assert_logged(listen_on("tcp://127.0.0.1:80"), -E2BIG,
		      "cannot listen on 'tcp://127.0.0.1:80': the service sets a field that this "
		      "version of the library does not have");
	service = good;
	service.framing = 3;
	assert_logged(listen_on("tcp://127.0.0.1:80"), -EINVAL,
		      "cannot listen on 'tcp://127.0.0.1:80': the framing of the service is 3, and "
		      "must be 0 to 2");
	service = good;
	service.message_bytes_max = options.memory_bytes_max + 1;
	assert_logged(listen_on("tcp://127.0.0.1:80"), -EINVAL,
		      "cannot listen on 'tcp://127.0.0.1:80': message_bytes_max of the service is "
		      "268435457, and must be at most 268435456");
	assert_logged(rollcall_listen(server, "tcp://127.0.0.1:80", NULL, NULL), -EINVAL,
		      "cannot listen on 'tcp://127.0.0.1:80': the service is NULL");
	rollcall_stop(server);
	assert_logged(listen_on("tcp://127.0.0.1:80"), -ESHUTDOWN,
		      "cannot listen on 'tcp://127.0.0.1:80': the server is stopping");
}

/* Nor is the name cut where it would hide the reason. */
static void long_name(void **state)
{
	char text[400] = "tcp://";

	(void)state;
	memset(text + 6, 'x', 380);
	assert_int_equal(listen_on(text), -EINVAL);
	assert_non_null(strstr(logged, "xxx': neither tcp://HOST:PORT nor udp://HOST:PORT"));
}

/* The same for sockets of the caller's. */
static void reasons_to_adopt(void **state)
{
	static const struct {
		int transport, adopt_error, result;
		const char *why;
	} cases[] = {
		{ -EINVAL, 0, -EINVAL, "it does not listen, or is not bound" },
		{ -EBADF, 0, -EBADF, "Bad file descriptor" },
		{ -EOPNOTSUPP, 0, -EOPNOTSUPP,
		  "it accepts both IPv4 and IPv6 (IPV6_V6ONLY is not set)" },
		{ ROLLCALL_TCP, -EPERM, -EPERM, "Operation not permitted" },
		{ ROLLCALL_UDP, 0, 0, NULL },
		{ ROLLCALL_UDP, 0, -EEXIST, "the server already listens on it" },
	};
	const int fd = made_elsewhere(ROLLCALL_TCP);
	char expected[128];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		kernel.transport = cases[i].transport;
		kernel.adopt_error = cases[i].adopt_error;
		expected[0] = '\0';
		if (cases[i].why)
			snprintf(expected, sizeof(expected), "cannot adopt descriptor %d: %s", fd,
				 cases[i].why);
		assert_logged(adopt(fd), cases[i].result, expected);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(repeated_address),	 TEST(without_zone), TEST(both_families),
		TEST(missing_family),	 TEST(taken_ports),  TEST(unknown_address),
		TEST(adopted),		 TEST(not_adopted),  TEST(too_many_or_too_late),
		TEST(reasons_to_listen), TEST(long_name),    TEST(reasons_to_adopt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
