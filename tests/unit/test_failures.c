/* SPDX-License-Identifier: MIT */
/*
 * What a failed call means: by tables of errors and of facts about the kernel, and words that must
 * be in the cause and in the cure.
 */
#include "lib/test.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "program/failures.h"

/* A kernel of this version, and what else a case is about. */
#define LINUX(number, dot, ...)                                                                    \
	{                                                                                          \
		.release = #number "." #dot ".7-test", .major = number, .minor = dot, __VA_ARGS__  \
	}

static const struct kernel_facts good =
	LINUX(6, 18, .nofile_hard = 4711, .unprivileged_port = 1024);

static void assert_has(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("'%s' is not in: %s", words, text);
}

static void assert_failure(const struct failure *failure, int exit_code, const char *cause,
			   const char *cure)
{
	assert_has(failure->cause, cause);
	assert_has(failure->cure, cure);
	assert_int_equal(failure->exit_code, exit_code);
	/* What has no cure says none. */
	assert_int_equal(failure->cure[0] == '\0', cure[0] == '\0');
}

/* Where several causes are possible, the surest evidence decides. */
static void create(void **state)
{
	static const char allow[] = "--security-opt seccomp=docker/seccomp.json, ";
	static const struct {
		int error;
		struct kernel_facts facts;
		int exit_code;
		const char *cause, *cure;
	} cases[] = {
		{ -EPERM, LINUX(6, 18, .io_uring_disabled = 2, .seccomp = true), EX_UNAVAILABLE,
		  "io_uring_disabled is 2", "sysctl" },
		{ -EPERM, LINUX(6, 18, .io_uring_disabled = 1, .io_uring_group = 77),
		  EX_UNAVAILABLE, "io_uring_group is 77", "member" },
		{ -EPERM, LINUX(6, 18, .io_uring_disabled = 1, .io_uring_exempt = true),
		  EX_UNAVAILABLE, "security module", "SELinux" },
		{ -EPERM, LINUX(6, 18, .seccomp = true), EX_UNAVAILABLE, "EPERM", allow },
		{ -EACCES, LINUX(6, 18, .seccomp = true), EX_UNAVAILABLE,
		  "security module (EACCES)", "SELinux" },
		{ -EOPNOTSUPP, LINUX(6, 18), EX_UNAVAILABLE, "managed Kubernetes",
		  "runtime class" },
		{ -ENOSYS, LINUX(6, 18, .seccomp = true), EX_UNAVAILABLE, "ENOSYS", allow },
		{ -EPERM, LINUX(5, 19), EX_UNAVAILABLE, "security module", "dmesg" },
		{ -ENOSYS, LINUX(5, 10), EX_UNAVAILABLE, "too old: this is Linux 5.10.7", "newer" },
		{ -ENOSYS, LINUX(6, 0), EX_UNAVAILABLE, "too old", "newer" },
		{ -ENOSYS, LINUX(6, 1), EX_UNAVAILABLE, "has no io_uring", "CONFIG_IO_URING" },
		{ -ENOSYS, LINUX(7, 0), EX_UNAVAILABLE, "has no io_uring", "CONFIG_IO_URING" },
		{ -EINVAL, LINUX(5, 19), EX_UNAVAILABLE, "too old", "newer" },
		{ -EINVAL, LINUX(6, 1), EX_UNAVAILABLE, "lacks a feature", "--check" },
		{ -EMFILE, LINUX(6, 18, .nofile_hard = 4711), EX_OSERR, "RLIMIT_NOFILE is 4711",
		  "to 64 or more: ulimit -n" },
		{ -ENFILE, LINUX(6, 18), EX_OSERR, "whole system", "fs.file-max" },
		{ -EIO, LINUX(6, 18), EX_OSERR, "Input/output error", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct failure failure;

		failure_of_create(&failure, cases[i].error, &cases[i].facts);
		assert_failure(&failure, cases[i].exit_code, cases[i].cause, cases[i].cure);
	}
}

/* Three limits make -ENOMEM; a small server tells them apart. */
static void create_without_memory(void **state)
{
	static const uint64_t none = RLIM_INFINITY;
	static const struct {
		uint64_t memlock, address_space, data;
		bool small_server;
		const char *cause, *cure;
	} cases[] = {
		{ 65536, none, none, false, "RLIMIT_MEMLOCK is 64 KiB", "ulimit -l" },
		{ 65536, 300 << 20, none, false, "RLIMIT_MEMLOCK is 64 KiB", "ulimit -l" },
		{ 65536, none, none, true, "not enough memory to start", "--max-clients" },
		{ none, none, none, false, "not enough memory to start", "overcommit" },
		{ 65536, 300 << 20, none, true, "RLIMIT_AS is 307200 KiB", "ulimit -v" },
		{ 65536, none, 300 << 20, true, "RLIMIT_DATA is 307200 KiB", "LimitDATA=" },
		{ 65536, 300 << 20, 200 << 20, true, "RLIMIT_DATA is 204800 KiB", "ulimit -d" },
		{ 65536, 200 << 20, 300 << 20, true, "RLIMIT_AS is 204800 KiB", "LimitAS=" },
		{ 65536, 16 << 20, none, false, "RLIMIT_AS is 16384 KiB", "--max-clients" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct kernel_facts facts = good;
		struct failure failure;

		facts.memlock_bytes = cases[i].memlock;
		facts.address_space_bytes = cases[i].address_space;
		facts.data_bytes = cases[i].data;
		facts.small_server = cases[i].small_server;
		failure_of_create(&failure, -ENOMEM, &facts);
		assert_failure(&failure, EX_OSERR, cases[i].cause, cases[i].cure);
	}
}

/* The number that is needed is named. */
static void no_descriptor_for_clients(void **state)
{
	struct failure failure;

	(void)state;
	failure_of_clients(&failure, &good);
	assert_failure(&failure, EX_OSERR, "RLIMIT_NOFILE is 4711", "to 4775 or more");
}

/* The address is quoted, without its transport's prefix. */
static void listening(void **state)
{
	static const struct {
		int error, exit_code;
		const char *cause, *cure;
	} cases[] = {
		{ -EINVAL, EX_USAGE, "malformed", "[IPv6]:PORT" },
		{ -ENOENT, EX_NOHOST, "does not resolve", "getent" },
		{ -EADDRINUSE, EX_OSERR, "in use", "--udp HOST:PORT" },
		{ -EADDRINUSE, EX_OSERR, "in use", "ss -anup 'sport = :80'" },
		{ -ENODEV, EX_USAGE, "needs a zone", "[fe80::1%eth0]:PORT" },
		{ -EADDRNOTAVAIL, EX_OSERR, "not an address of this machine", "ip address" },
		{ -EAFNOSUPPORT, EX_OSERR, "no IPv6", "IPv4" },
		{ -EACCES, EX_NOPERM, "ports below 1024", "CAP_NET_BIND_SERVICE" },
		{ -EPERM, EX_NOPERM, "ports below 1024", "CAP_NET_BIND_SERVICE" },
		{ -ENOSPC, EX_USAGE, "at most 64", "fewer" },
		{ -EMFILE, EX_OSERR, "RLIMIT_NOFILE is 4711", "ulimit -n" },
		{ -ENFILE, EX_OSERR, "whole system", "fs.file-max" },
		{ -ENOMEM, EX_OSERR, "Cannot allocate memory", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct failure failure;

		failure_of_listen(&failure, cases[i].error, "udp://host:80", &good);
		assert_has(failure.cause, "udp 'host:80': ");
		assert_failure(&failure, cases[i].exit_code, cases[i].cause, cases[i].cure);
	}
}

/* An interface that does not exist does not resolve. */
static void unknown_zone(void **state)
{
	struct failure failure;

	(void)state;
	failure_of_listen(&failure, -ENOENT, "tcp://[fe80::1%nosuch]:79", &good);
	assert_failure(&failure, EX_USAGE, "needs a zone", "ip link show");
}

/* From which port on all may listen the kernel says; where it does not, it is the usual one. */
static void privileged_ports(void **state)
{
	struct kernel_facts facts = good;
	struct failure failure;

	(void)state;
	facts.unprivileged_port = 80;
	failure_of_listen(&failure, -EACCES, "tcp://host:79", &facts);
	assert_has(failure.cause, "ports below 80 ");
	facts.unprivileged_port = KERNEL_UNKNOWN;
	failure_of_listen(&failure, -EACCES, "tcp://host:79", &facts);
	assert_has(failure.cause, "ports below 1024 ");
}

/* What a service manager has passed: the descriptor is named. */
static void adopting(void **state)
{
	static const struct {
		int error, exit_code;
		const char *cause, *cure;
	} cases[] = {
		{ -EBADF, EX_CONFIG, "not open", "ListenStream=" },
		{ -ENOTSOCK, EX_CONFIG, "not a socket", "ListenDatagram=" },
		{ -EAFNOSUPPORT, EX_CONFIG, "neither IPv4 nor IPv6", "IP" },
		{ -EPROTONOSUPPORT, EX_CONFIG, "neither TCP nor UDP", "ListenDatagram=" },
		{ -EINVAL, EX_CONFIG, "does not listen", "Accept=no" },
		{ -EOPNOTSUPP, EX_CONFIG, "both IPv4 and IPv6", "BindIPv6Only=ipv6-only" },
		{ -ENOSPC, EX_CONFIG, "at most 64", "fewer" },
		{ -ENOMEM, EX_OSERR, "Cannot allocate memory", "" },
	};
	struct failure failure;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		failure_of_adopt(&failure, cases[i].error, 5);
		assert_has(failure.cause, "descriptor 5, from the service manager: ");
		assert_failure(&failure, cases[i].exit_code, cases[i].cause, cases[i].cure);
	}
	failure_of_sockets(&failure);
	assert_failure(&failure, EX_CONFIG, "LISTEN_FDS", "LISTEN_PID");
}

static void running(void **state)
{
	struct failure failure;

	(void)state;
	failure_of_run(&failure, -EBADR);
	assert_failure(&failure, EX_OSERR, strerror(EBADR), "restart");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_without_memory),
		cmocka_unit_test(no_descriptor_for_clients),
		cmocka_unit_test(create),
		cmocka_unit_test(listening),
		cmocka_unit_test(privileged_ports),
		cmocka_unit_test(adopting),
		cmocka_unit_test(running),
		cmocka_unit_test(unknown_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
