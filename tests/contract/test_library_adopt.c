/* SPDX-License-Identifier: MIT */
/* Sockets that somebody else has made: what is taken over serves as others do; what is not, why. */
#include "contract/library.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/un.h>

union any_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static int made[8];
static unsigned made_count;

/* An IPv6 one takes IPv4 as well, unless v6_only. */
static int make_socket(int family, int type, int protocol, int v6_only)
{
	int fd = socket(family, type, protocol);

	assert_in_range(fd, 0, INT32_MAX);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only,
					    sizeof(v6_only)),
				 0);
	assert_in_range(made_count, 0, COUNT(made) - 1);
	made[made_count++] = fd;
	return fd;
}

static void bind_to(int fd, int family, const char *host)
{
	union any_address address = { .any.sa_family = (sa_family_t)family };
	const void *at =
		family == AF_INET ? (void *)&address.v4.sin_addr : (void *)&address.v6.sin6_addr;

	assert_int_equal(inet_pton(family, host, (void *)at), 1);
	assert_int_equal(bind(fd, &address.any, sizeof(address)), 0);
}

static int ready_socket(int type)
{
	int fd = make_socket(AF_INET, type | SOCK_NONBLOCK, 0, 0);

	bind_to(fd, AF_INET, "127.0.0.1");
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int adopt_begin(void **state)
{
	made_count = 0;
	return library_begin(state);
}

static int adopt_end(void **state)
{
	while (made_count > 0)
		close(made[--made_count]);
	return library_end(state);
}

/* From now on the server's. */
static void give(int fd)
{
	assert_int_equal(rollcall_adopt(server, fd, &service, &trace), 0);
	assert_int_equal(made[made_count - 1], fd);
	made_count--;
}

/* ---- What is taken over ---- */

static int early;

static void talk(void)
{
	int udp = dial_udp(), late = dial();

	hear(early, "early\n");
	say(late, "late\n");
	hear(late, "late\n");
	say(udp, "datagram\n");
	hear(udp, "datagram\n");
	close(early);
	close(late);
	close(udp);
	/* Waiting for a client that does not come takes no turns. */
	wait_for_server();
	usleep(50000);
	expect(wait_for_server()->turns < 100);
}

/* A client that has come before is served too; O_NONBLOCK, as systemd sets it, changes nothing. */
static void serves(void **state)
{
	int tcp, udp;

	(void)state;
	create();
	tcp = ready_socket(SOCK_STREAM);
	give(tcp);
	udp = ready_socket(SOCK_DGRAM);
	give(udp);
	assert_int_equal(fcntl(tcp, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(udp, F_GETFD), FD_CLOEXEC);
	tcp_address = find_address("tcp");
	early = dial();
	say(early, "early\n");
	run(talk);
	assert_non_null(strstr(trace, "received 0 early\n"));
	/* The server has let go of the listener as it stopped; of the other when it ends. */
	assert_int_equal(fcntl(tcp, F_GETFD), -1);
	library_end(NULL);
	assert_int_equal(fcntl(udp, F_GETFD), -1);
}

static void leave(void)
{
}

/* The server closes its own descriptor only: through another one, the waiting clients are found. */
static void others_keep_it(void **state)
{
	int mine, listener, client, accepted;

	(void)state;
	create();
	mine = ready_socket(SOCK_STREAM);
	listener = dup(mine);
	give(mine);
	run(leave);
	client = dial();
	accepted = accept(listener, NULL, NULL);
	assert_in_range(accepted, 0, INT32_MAX);
	assert_string_equal(script_failure, "");
	close(accepted);
	close(client);
	close(listener);
}

/* ---- What its maker has set ---- */

/* An option with a value that its maker may have set, and the one that it then has. */
static const struct foreign {
	const char *name;
	int family, type, level, option, value, wanted;
} foreign[] = {
#define ANY(type, level, option, value, wanted)                                                    \
	{ #option, AF_INET, type, level, option, value, wanted },                                  \
	{                                                                                          \
#option, AF_INET6, type, level, option, value, wanted                              \
	}
#define V4(option, wanted)                                                                         \
	{                                                                                          \
#option, AF_INET, SOCK_DGRAM, IPPROTO_IP, option, !(wanted), wanted                \
	}
#define V6(option, wanted)                                                                         \
	{                                                                                          \
#option, AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, option, !(wanted), wanted             \
	}
	ANY(SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMP, 1, 0),
	ANY(SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMPNS, 1, 0),
	ANY(SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4, 0),
	ANY(SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1, 0),
	ANY(SOCK_DGRAM, SOL_UDP, UDP_CORK, 1, 0),
	ANY(SOCK_DGRAM, SOL_UDP, UDP_SEGMENT, 2, 0),
	V4(IP_RECVERR, 0),
	V4(IP_MULTICAST_ALL, 0),
	V4(IP_PKTINFO, 1),
	V4(IP_RECVTTL, 0),
	V4(IP_RECVTOS, 0),
	V4(IP_RECVOPTS, 0),
	V4(IP_RETOPTS, 0),
	V4(IP_RECVORIGDSTADDR, 0),
	V6(IPV6_RECVERR, 0),
	V6(IPV6_MULTICAST_ALL, 0),
	V6(IPV6_FREEBIND, 1),
	V6(IPV6_RECVPKTINFO, 1),
	V6(IPV6_RECVHOPLIMIT, 0),
	V6(IPV6_RECVTCLASS, 0),
	V6(IPV6_RECVHOPOPTS, 0),
	V6(IPV6_RECVRTHDR, 0),
	V6(IPV6_RECVDSTOPTS, 0),
	V6(IPV6_RECVORIGDSTADDR, 0),
	V6(IPV6_2292PKTINFO, 0),
	V6(IPV6_2292HOPLIMIT, 0),
	ANY(SOCK_STREAM, SOL_SOCKET, SO_LINGER, 1, 0),
	ANY(SOCK_STREAM, SOL_SOCKET, SO_RCVLOWAT, 100, 1),
	ANY(SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 1, 0),
	ANY(SOCK_STREAM, IPPROTO_TCP, TCP_CORK, 1, 0),
	ANY(SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 0, 1),
#undef ANY
#undef V4
#undef V6
};

static int get_option(int fd, const struct foreign *option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	assert_int_equal(getsockopt(fd, option->level, option->option, &value, &bytes), 0);
	return value;
}

/* What is set with a struct begins with the value. */
static void set_option(int fd, const struct foreign *option)
{
	const int values[2] = { option->value };
	const socklen_t bytes = option->option == SO_LINGER ? sizeof(values) : sizeof(*values);

	assert_case(option->name, setsockopt(fd, option->level, option->option, values, bytes), 0);
}

static bool is_of(const struct foreign *option, int family, int type)
{
	return option->family == family && option->type == type;
}

/* A socket on every address of the machine, with all of these options; another one shows it. */
static int give_with_options(int family, int type)
{
	const int fd = make_socket(family, type, 0, 1);
	int other;

	for (size_t i = 0; i < COUNT(foreign); i++)
		if (is_of(&foreign[i], family, type))
			set_option(fd, &foreign[i]);
	bind_to(fd, family, family == AF_INET ? "0.0.0.0" : "::");
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	other = dup(fd);
	give(fd);
	made[made_count++] = other;
	return other;
}

static uint16_t ports[4];

static void ask_port(uint16_t port, int family, int type)
{
	const struct timeval limit = { .tv_sec = SCRIPT_LIMIT_S };
	union any_address to = { .any.sa_family = (sa_family_t)family };
	int fd = socket(family, type, 0);

	to.v4.sin_port = port;
	if (family == AF_INET6)
		to.v6.sin6_addr = in6addr_loopback;
	else
		to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(connect(fd, &to.any, sizeof(to)) == 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	say(fd, "hello\n");
	hear(fd, "hello\n");
	close(fd);
}

static void ask_all(void)
{
	for (int i = 0; i < 4; i++)
		ask_port(ports[i], i & 1 ? AF_INET6 : AF_INET, i & 2 ? SOCK_DGRAM : SOCK_STREAM);
}

/* They are set as those of the server's own sockets: it answers at once, and drops nothing. */
static void foreign_options(void **state)
{
	(void)state;
	create();
	for (int i = 0; i < 4; i++) {
		const int family = i & 1 ? AF_INET6 : AF_INET;
		const int type = i & 2 ? SOCK_DGRAM : SOCK_STREAM;
		const int fd = give_with_options(family, type);
		union any_address address;
		socklen_t bytes = sizeof(address);

		for (size_t j = 0; j < COUNT(foreign); j++)
			if (is_of(&foreign[j], family, type))
				assert_case(foreign[j].name, get_option(fd, &foreign[j]),
					    foreign[j].wanted);
		assert_int_equal(getsockname(fd, &address.any, &bytes), 0);
		ports[i] = address.v4.sin_port;
	}
	run(ask_all);
	assert_int_equal(stats_now().messages_received, 4);
	assert_int_equal(stats_now().udp_dropped_truncated, 0);
}

/* An error that came before IP_RECVERR was off (ICMP) does not delay what comes after. */
static void foreign_error(void **state)
{
	const int on = 1;
	struct sockaddr_in nobody = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(nobody);
	int fd, gone;

	(void)state;
	create();
	gone = ready_socket(SOCK_DGRAM);
	assert_int_equal(getsockname(gone, (struct sockaddr *)&nobody, &bytes), 0);
	close(made[--made_count]);
	fd = ready_socket(SOCK_DGRAM);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	assert_int_equal(sendto(fd, "", 1, 0, (struct sockaddr *)&nobody, sizeof(nobody)), 1);
	give(fd);
	bytes = sizeof(nobody);
	assert_int_equal(recv(fd, &bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* What the socket has dropped before is not the server's. */
static void earlier_drops(void **state)
{
	static const char message[1000];
	int fd, client, bytes = 4096;

	(void)state;
	create();
	fd = ready_socket(SOCK_DGRAM);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&udp_address,
				     &(socklen_t){ sizeof(udp_address) }),
			 0);
	client = dial_udp();
	for (int i = 0; i < 100; i++)
		say_bytes(client, message, sizeof(message));
	give(fd);
	assert_int_equal(stats_now().udp_dropped_kernel, 0);
	for (int i = 0; i < 100; i++)
		say_bytes(client, message, sizeof(message));
	assert_int_equal(stats_now().udp_dropped_kernel, 100);
	assert_string_equal(script_failure, "");
	close(client);
}

/* ---- What is not ---- */

static void refuse(int fd, int error)
{
	assert_int_equal(rollcall_adopt(server, fd, &service, NULL), error);
	/* It is still ours. */
	assert_true(fd < 0 || fcntl(fd, F_GETFD) >= 0);
}

/* Some kernels have no UDP-Lite any more, and only root may have raw sockets. */
static int other_protocol(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	close(fd);
	return fd < 0 ? make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP, 0)
		      : make_socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, 0);
}

static void refused(void **state)
{
	const struct sockaddr_un name = { .sun_family = AF_UNIX };
	int pipes[2], fd;

	(void)state;
	create();
	refuse(-1, -EBADF);
	assert_int_equal(pipe(pipes), 0);
	refuse(pipes[0], -ENOTSOCK);
	close(pipes[0]);
	close(pipes[1]);

	fd = make_socket(AF_UNIX, SOCK_STREAM, 0, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(fd, 1), 0);
	refuse(fd, -EAFNOSUPPORT);
	refuse(other_protocol(), -EPROTONOSUPPORT);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (fd >= 0)
		refuse(fd, -EPROTONOSUPPORT);
	close(fd);

	/* Neither bound, nor listening. */
	refuse(make_socket(AF_INET, SOCK_DGRAM, 0, 0), -EINVAL);
	fd = make_socket(AF_INET, SOCK_STREAM, 0, 0);
	refuse(fd, -EINVAL);
	bind_to(fd, AF_INET, "127.0.0.1");
	refuse(fd, -EINVAL);
}

/* What the server has already it would close twice. */
static void twice(void **state)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM };

	(void)state;
	create();
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const int fd = ready_socket(kinds[i]);

		give(fd);
		refuse(fd, -EEXIST);
	}
}

/* IPv6 that takes IPv4 too would name its clients differently. For one address it cannot. */
static void both_families_at_once(void **state)
{
	static const struct {
		const char *host;
		int v6_only, result;
	} cases[] = {
		{ "::", 0, -EOPNOTSUPP },
		{ "::ffff:127.0.0.1", 0, -EOPNOTSUPP },
		{ "::", 1, 0 },
		{ "::1", 0, 0 },
	};

	(void)state;
	create();
	for (size_t i = 0; i < COUNT(cases); i++) {
		int fd = make_socket(AF_INET6, SOCK_DGRAM, 0, cases[i].v6_only);

		bind_to(fd, AF_INET6, cases[i].host);
		assert_case(cases[i].host, rollcall_adopt(server, fd, &service, NULL),
			    cases[i].result);
		made_count -= cases[i].result == 0;
	}
}

#define ADOPT_TEST(test) cmocka_unit_test_setup_teardown(test, adopt_begin, adopt_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADOPT_TEST(serves),	     ADOPT_TEST(others_keep_it),
		ADOPT_TEST(foreign_options), ADOPT_TEST(foreign_error),
		ADOPT_TEST(earlier_drops),   ADOPT_TEST(refused),
		ADOPT_TEST(twice),	     ADOPT_TEST(both_families_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
