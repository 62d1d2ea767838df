/* SPDX-License-Identifier: MIT */
/* The system calls of socket.h: names, listening, addresses, limits. */
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "contract/contract.h"

/* A name, and the addresses that it must give, with port 7. */
static void resolve(void **state)
{
	static const struct {
		const char *host;
		const char *addresses[2];
	} cases[] = {
		{ "localhost", { "127.0.0.1:7", "[::1]:7" } },
		{ "*", { "0.0.0.0:7", "[::]:7" } },
		{ "127.0.0.1", { "127.0.0.1:7" } },
		{ "::1", { "[::1]:7" } },
		{ "::", { "[::]:7" } },
		{ "0.0.0.0", { "0.0.0.0:7" } },
		{ "2001:DB8:0::1", { "[2001:db8::1]:7" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const *expected = cases[i].addresses;
		struct address addresses[4];
		char text[ADDRESS_TEXT_BYTES];
		int count = socket_resolve(ring, cases[i].host, 7, addresses, 4);

		assert_case(cases[i].host, count, expected[1] ? 2 : 1);
		for (int j = 0; j < count; j++) {
			address_format(&addresses[j], text);
			assert_string_equal(text, expected[j]);
		}
	}
}

/* No more addresses than there is space for. */
static void resolve_more_than_fit(void **state)
{
	struct address addresses[2] = { 0 };

	(void)state;
	assert_int_equal(socket_resolve(ring, "127.0.0.1", 65535, addresses, 1), 1);
	assert_int_equal(address_port(&addresses[0]), 65535);
	assert_int_equal(addresses[1].bytes, 0);
}

/* A name that is nobody's (RFC 6761, 6.4), and what cannot be one. */
static void resolve_nothing(void **state)
{
	static const char *const hosts[] = { "no-such-host.invalid", "::1::", "a b", "" };
	struct address addresses[2];

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_case(hosts[i], socket_resolve(ring, hosts[i], 7, addresses, 2), -ENOENT);
}

/* A port of 0 becomes a free one; a port that is listened on is in use for another. */
static void listen_twice(void **state)
{
	struct address address;
	int fd = listen_on_loopback(&address), again;

	(void)state;
	assert_int_not_equal(address_port(&address), 0);
	assert_int_equal(socket_listen(ring, &address, 0, &as_it_likes), -EADDRINUSE);
	socket_close(ring, fd);
	again = socket_listen(ring, &address, 0, &as_it_likes);
	assert_in_range(again, 0, INT32_MAX);
	socket_close(ring, again);
}

/* The port is free again at once though connections of the old listener remain. */
static void listen_again(void **state)
{
	struct address address;
	struct peer peer;
	int listener = listen_on_loopback(&address), fd;

	(void)state;
	assert_int_equal(peer_connect(&peer, &address), 0);
	fd = accept_one(listener);
	close_fd(fd);
	listener = socket_listen(ring, &address, 0, &as_it_likes);
	assert_in_range(listener, 0, INT32_MAX);
	socket_close(ring, listener);
	peer_close(&peer);
}

static void bind_twice(void **state)
{
	struct address address = { .v4 = { .sin_family = AF_INET }, .bytes = sizeof(address.v4) };
	int fd;

	(void)state;
	address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket_bind_udp(ring, &address, &as_it_likes);
	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(socket_local_address(ring, fd, &address), 0);
	assert_int_not_equal(address_port(&address), 0);
	assert_int_equal(socket_bind_udp(ring, &address, &as_it_likes), -EADDRINUSE);
	socket_close(ring, fd);
}

/* A wildcard address stands for all, so the port is in use there too, and the other way round. */
static void wildcard_conflict(void **state)
{
	static const char *const hosts[][2] = { { "0.0.0.0", "127.0.0.1" },
						{ "127.0.0.1", "0.0.0.0" },
						{ "::", "::1" } };

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		struct address first, second;
		int fd;

		assert_int_equal(socket_resolve(ring, hosts[i][0], 0, &first, 1), 1);
		assert_int_equal(socket_resolve(ring, hosts[i][1], 0, &second, 1), 1);
		fd = socket_listen(ring, &first, 0, &as_it_likes);
		assert_in_range(fd, 0, INT32_MAX);
		assert_int_equal(socket_local_address(ring, fd, &first), 0);
		address_set_port(&second, address_port(&first));
		assert_int_equal(socket_listen(ring, &second, 0, &as_it_likes), -EADDRINUSE);
		socket_close(ring, fd);
	}
}

/* IPv4 and IPv6 have a socket each, on the same port, on the wildcard addresses too. */
static void both_families(void **state)
{
	struct address addresses[2];
	int fds[2];

	(void)state;
	assert_int_equal(socket_resolve(ring, "*", 0, addresses, 2), 2);
	fds[0] = socket_listen(ring, &addresses[0], 0, &as_it_likes);
	assert_in_range(fds[0], 0, INT32_MAX);
	assert_int_equal(socket_local_address(ring, fds[0], &addresses[0]), 0);
	address_set_port(&addresses[1], address_port(&addresses[0]));
	fds[1] = socket_listen(ring, &addresses[1], 0, &as_it_likes);
	assert_in_range(fds[1], 0, INT32_MAX);
	socket_close(ring, fds[0]);
	socket_close(ring, fds[1]);
}

/* An address that is not of this machine (RFC 5737 and RFC 3849: for documentation only). */
static void foreign_address(void **state)
{
	static const char *const hosts[] = { "203.0.113.1", "2001:db8::1" };
	struct address address;

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		assert_int_equal(socket_resolve(ring, hosts[i], 0, &address, 1), 1);
		assert_int_equal(socket_listen(ring, &address, 0, &as_it_likes), -EADDRNOTAVAIL);
		assert_int_equal(socket_bind_udp(ring, &address, &as_it_likes), -EADDRNOTAVAIL);
	}
}

/* A socket has the transport that it was made with; a number is no socket. */
static void transport(void **state)
{
	struct address address;
	struct peer peer;
	int fd = listen_on_loopback(&address);

	(void)state;
	assert_int_equal(socket_transport(ring, -1), -EBADF);
	assert_int_equal(socket_transport(ring, fd), ROLLCALL_TCP);
	assert_int_equal(socket_adopt_tcp(ring, fd, 1000, &as_it_likes), 0);
	assert_int_equal(peer_connect(&peer, &address), 0);
	fd = accept_one(fd);
	assert_int_equal(socket_transport(ring, fd), -EINVAL);
	close_fd(fd);
	assert_int_equal(socket_transport(ring, fd), -EBADF);
	peer_close(&peer);

	fd = socket_event(ring);
	assert_int_equal(socket_transport(ring, fd), -ENOTSOCK);
	socket_close(ring, fd);
}

/* An adopted UDP socket gets the requested buffer sizes, or keeps its own. */
static void adopt_udp(void **state)
{
	const struct socket_buffers little = { 8192, 16384 };
	struct address address = { .v4 = { .sin_family = AF_INET }, .bytes = sizeof(address.v4) };
	struct socket_buffers sizes;
	int fd = socket_bind_udp(ring, &address, &as_it_likes);

	(void)state;
	assert_int_equal(socket_transport(ring, fd), ROLLCALL_UDP);
	assert_int_equal(socket_adopt_udp(ring, fd, &little), 0);
	socket_buffer_sizes(ring, fd, &sizes);
	assert_int_equal(sizes.receive_bytes, little.receive_bytes);
	assert_int_equal(sizes.send_bytes, little.send_bytes);
	assert_int_equal(socket_adopt_udp(ring, fd, &as_it_likes), 0);
	socket_buffer_sizes(ring, fd, &sizes);
	assert_int_equal(sizes.receive_bytes, little.receive_bytes);
	socket_close(ring, fd);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &bytes), 0);
	return value;
}

/* Accepted sockets inherit the buffers of the listener. */
static void listener_buffers(void **state)
{
	const struct socket_buffers asked = { 20000, 30000 };
	struct socket_buffers granted;
	struct address address;
	int fd, client;

	(void)state;
	needs_the_kernel("reads the options of a socket");
	fd = listen_on_loopback(&address);
	socket_close(ring, fd);
	fd = socket_listen(ring, &address, 0, &asked);
	assert_true(fd >= 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &address.any, address.bytes), 0);
	socket_buffer_sizes(ring, fd, &granted);
	assert_int_equal(granted.receive_bytes, 20000);
	assert_int_equal(granted.send_bytes, 30000);
	/* Linux shows twice of what was set. */
	socket_close(ring, client);
	client = accept(fd, NULL, NULL);
	assert_int_equal(option(client, SOL_SOCKET, SO_RCVBUF), 40000);
	assert_int_equal(option(client, SOL_SOCKET, SO_SNDBUF), 60000);
	socket_close(ring, client);
	socket_close(ring, fd);
}

/* Probes begin after the time that was asked for, in whole seconds; with 0 no probe is sent. */
static void keepalive(void **state)
{
	static const struct {
		uint64_t keepalive_ms;
		int idle_s;
	} cases[] = { { 1000, 1 }, { 1001, 2 }, { 60000, 60 }, { 1, 1 }, { 32767000, 32767 } };
	struct address address;
	int fd, probes_s;

	(void)state;
	needs_the_kernel("reads the options of a socket");
	fd = listen_on_loopback(&address);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	socket_close(ring, fd);
	for (size_t i = 0; i < COUNT(cases); i++) {
		fd = socket_listen(ring, &address, cases[i].keepalive_ms, &as_it_likes);
		assert_in_range(fd, 0, INT32_MAX);
		assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), cases[i].idle_s);
		/* The probes together last as long as the silence before, or little longer. */
		probes_s = option(fd, IPPROTO_TCP, TCP_KEEPCNT) *
			   option(fd, IPPROTO_TCP, TCP_KEEPINTVL);
		assert_in_range(probes_s, cases[i].idle_s, cases[i].idle_s + 10);
		/* It would also end a client that has stopped reading for a while. */
		assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
		socket_close(ring, fd);
	}
}

/* Other options of its creator: no probes where none are wanted, and no timestamps. */
static void adopt_settings(void **state)
{
	struct address address;
	const int on = 1;
	int fd;

	(void)state;
	needs_the_kernel("sets the options of a socket");
	fd = listen_on_loopback(&address);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
	assert_int_equal(socket_adopt_tcp(ring, fd, 0, &as_it_likes), 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(socket_adopt_tcp(ring, fd, 7000, &as_it_likes), 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
	socket_close(ring, fd);

	fd = socket_bind_udp(ring, &address, &as_it_likes);
	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), 0);
	assert_int_equal(socket_adopt_udp(ring, fd, &as_it_likes), 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_TIMESTAMPNS), 0);
	socket_close(ring, fd);
}

/* A socket without a connection has no other end, nor has one whose peer has reset; but one whose
 * peer has ended its side does. */
static void no_peer(void **state)
{
	struct address address;
	struct peer peer;
	int fd = listen_on_loopback(&address);

	(void)state;
	assert_int_equal(socket_peer_address(ring, fd, &address), -ENOTCONN);
	socket_close(ring, fd);
	fd = connected(&peer);
	assert_int_equal(socket_peer_address(ring, fd, &address), 0);
	peer_shutdown(&peer);
	turn();
	assert_int_equal(socket_peer_address(ring, fd, &address), 0);
	peer_close(&peer);
	close_fd(fd);
	fd = connected(&peer);
	peer_reset(&peer);
	for (int i = 0; i < 1000 && socket_peer_address(ring, fd, &address) == 0; i++)
		turn();
	assert_int_equal(socket_peer_address(ring, fd, &address), -ENOTCONN);
	close_fd(fd);
}

/* The soft limit of descriptors is raised to the hard one. */
static void limit(void **state)
{
	struct rlimit before, lowered;

	(void)state;
	needs_the_kernel("sets the limit of the process");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowered = before;
	lowered.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
	assert_int_equal(socket_limit_raise(), before.rlim_max);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &lowered), 0);
	assert_int_equal(lowered.rlim_cur, before.rlim_max);
	assert_int_equal(socket_limit_raise(), before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTRACT_TEST(resolve),		  CONTRACT_TEST(resolve_more_than_fit),
		CONTRACT_TEST(resolve_nothing),	  CONTRACT_TEST(listen_twice),
		CONTRACT_TEST(listen_again),	  CONTRACT_TEST(bind_twice),
		CONTRACT_TEST(both_families),	  CONTRACT_TEST(foreign_address),
		CONTRACT_TEST(listener_buffers),  CONTRACT_TEST(keepalive),
		CONTRACT_TEST(no_peer),		  CONTRACT_TEST(limit),
		CONTRACT_TEST(wildcard_conflict), CONTRACT_TEST(transport),
		CONTRACT_TEST(adopt_udp),	  CONTRACT_TEST(adopt_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
