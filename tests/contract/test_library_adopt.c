/* SPDX-License-Identifier: MIT */
/* Sockets that somebody else has made: what is taken over serves as others do; what is not, why. */
#include "contract/library.h"

#include <fcntl.h>
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
	/* To wait for who does not come takes no turns. */
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

/* The server closes its descriptor alone: who has another one finds the clients that wait there. */
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

/* ---- What is not ---- */

static void refuse(int fd, int error)
{
	assert_int_equal(rollcall_adopt(server, fd, &service, NULL), error);
	/* It is still ours. */
	assert_true(fd < 0 || fcntl(fd, F_GETFD) >= 0);
}

/* Some kernels have no UDP-Lite any more, and who is not root may have no raw sockets. */
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
		ADOPT_TEST(serves), ADOPT_TEST(others_keep_it),	       ADOPT_TEST(refused),
		ADOPT_TEST(twice),  ADOPT_TEST(both_families_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
