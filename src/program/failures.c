/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "program/failures.h"

__attribute__((format(printf, 3, 4))) static void set_cause(struct failure *failure, int exit_code,
							    const char *format, ...)
{
	va_list arguments;

	failure->exit_code = exit_code;
	failure->cure[0] = '\0';
	va_start(arguments, format);
	vsnprintf(failure->cause, sizeof(failure->cause), format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void set_cure(struct failure *failure,
							   const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure->cure, sizeof(failure->cure), format, arguments);
	va_end(arguments);
}

/* Descriptors for the default addresses, a service manager and some clients. */
#define DESCRIPTORS_USUAL 64

static void more_descriptors(struct failure *failure, uint64_t least)
{
	set_cure(failure,
		 "raise the limit to %" PRIu64 " or more: ulimit -n (shell), --ulimit nofile= "
		 "(Docker, Podman), LimitNOFILE= (systemd)",
		 least);
}

void failure_of_clients(struct failure *failure, const struct kernel_facts *facts)
{
	set_cause(failure, EX_OSERR,
		  "no file descriptor is left for a TCP client: RLIMIT_NOFILE is %" PRIu64
		  ", and all are in use before the first one connects",
		  facts->nofile_hard);
	more_descriptors(failure, facts->nofile_hard + DESCRIPTORS_USUAL);
}

/* Limits that may prevent a listening socket as well as a ring. */
static void out_of_resources(struct failure *failure, int error, const char *what,
			     const struct kernel_facts *facts)
{
	if (error == -EMFILE) {
		set_cause(failure, EX_OSERR,
			  "%s: no file descriptor is left: RLIMIT_NOFILE is %" PRIu64, what,
			  facts->nofile_hard);
		more_descriptors(failure, DESCRIPTORS_USUAL);
	} else if (error == -ENFILE) {
		set_cause(failure, EX_OSERR, "%s: the whole system has no file descriptor left",
			  what);
		set_cure(failure, "raise it: sysctl fs.file-max");
	} else {
		set_cause(failure, EX_OSERR, "%s: %s", what, strerror(-error));
	}
}

static void too_old(struct failure *failure, const struct kernel_facts *facts)
{
	set_cause(failure, EX_UNAVAILABLE,
		  "the kernel is too old: this is Linux %s, and io_uring needs 6.1 or later here",
		  facts->release);
	set_cure(failure, "boot a newer kernel; in a container: on the host");
}

/* -EPERM and -ENOSYS have several causes; the most certain evidence is tested first. */
static void forbidden(struct failure *failure, int error, const struct kernel_facts *facts)
{
	if (facts->io_uring_disabled == 2) {
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is turned off on this machine: kernel.io_uring_disabled is 2");
		set_cure(failure, "as root: sysctl kernel.io_uring_disabled=0");
	} else if (facts->io_uring_disabled == 1 && !facts->io_uring_exempt) {
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is allowed to one group only: kernel.io_uring_disabled is 1, "
			  "kernel.io_uring_group is %ld",
			  facts->io_uring_group);
		set_cure(failure, "run as a member of that group, or as root: "
				  "sysctl kernel.io_uring_disabled=0");
	} else if (facts->seccomp) {
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is blocked by a seccomp filter (%s), probably of a container",
			  error == -EPERM ? "EPERM, as from Docker" : "ENOSYS, as from Podman");
		set_cure(failure,
			 "docker (or podman) run --security-opt seccomp=docker/seccomp.json, "
			 "which is Docker's default profile, and allows besides: io_uring_setup, "
			 "io_uring_enter, io_uring_register");
	} else if (error == -EPERM) {
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is forbidden to this process, perhaps by a security module");
		set_cure(failure, "see the policies of SELinux or AppArmor, and dmesg");
	} else if (!kernel_is_at_least(facts, 6, 1)) {
		too_old(failure, facts);
	} else {
		set_cause(failure, EX_UNAVAILABLE, "this kernel, Linux %s, has no io_uring",
			  facts->release);
		set_cure(failure,
			 "use a kernel built with CONFIG_IO_URING, outside of sandboxes such "
			 "as gVisor");
	}
}

static void out_of_locked_memory(struct failure *failure, const struct kernel_facts *facts)
{
	set_cause(failure, EX_OSERR,
		  "there is not enough memory for the smallest rings: RLIMIT_MEMLOCK is %" PRIu64
		  " KiB, for all processes of this user together",
		  facts->memlock_bytes >> 10);
	set_cure(failure, "raise the limit to 8 MiB or more: ulimit -l 8192 (shell), --ulimit "
			  "memlock=8388608 (Docker, Podman), LimitMEMLOCK=8M (systemd)");
}

static void out_of_address_space(struct failure *failure, const char *name, uint64_t bytes,
				 const char *letter)
{
	set_cause(failure, EX_OSERR,
		  "there is not enough address space: RLIMIT_%s is %" PRIu64 " KiB", name,
		  bytes >> 10);
	set_cure(failure,
		 "raise the limit: ulimit -%s unlimited (shell), Limit%s=infinity "
		 "(systemd); or ask for less: --max-clients, --udp-max-clients",
		 letter, name);
}

/*
 * With a lower limit of the address space, even the smallest rings do not fit beside the program
 * and its libraries.
 */
#define ADDRESS_SPACE_LEAST ((uint64_t)64 << 20)

/* -ENOMEM: if a small server can be created, locked memory is not the cause. */
static void out_of_memory(struct failure *failure, const struct kernel_facts *facts)
{
	const bool is_data = facts->data_bytes < facts->address_space_bytes;
	const uint64_t space = is_data ? facts->data_bytes : facts->address_space_bytes;

	if (space != RLIM_INFINITY && (facts->small_server || space < ADDRESS_SPACE_LEAST)) {
		out_of_address_space(failure, is_data ? "DATA" : "AS", space, is_data ? "d" : "v");
	} else if (!facts->small_server && facts->memlock_bytes != RLIM_INFINITY) {
		out_of_locked_memory(failure, facts);
	} else {
		set_cause(failure, EX_OSERR, "there is not enough memory to start");
		set_cure(failure, "free some, or ask for less: --max-clients, --udp-max-clients; "
				  "with vm.overcommit_memory=2 what is only reserved counts too");
	}
}

void failure_of_create(struct failure *failure, int error, const struct kernel_facts *facts)
{
	switch (error) {
	case -EPERM:
	case -ENOSYS:
		forbidden(failure, error, facts);
		break;
	case -EACCES:
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is forbidden by a security module (EACCES), as by SELinux");
		set_cure(failure, "see the denial: ausearch -m avc (SELinux), dmesg; allow this "
				  "program the class io_uring, or run it in another domain");
		break;
	case -EOPNOTSUPP:
		set_cause(failure, EX_UNAVAILABLE,
			  "io_uring is not supported here (EOPNOTSUPP), as on the nodes of some "
			  "managed Kubernetes and in sandboxes");
		set_cure(failure, "use another kind of node or runtime class, one with io_uring; "
				  "rollcall --check shows it");
		break;
	case -EINVAL:
		if (!kernel_is_at_least(facts, 6, 1)) {
			too_old(failure, facts);
			break;
		}
		set_cause(failure, EX_UNAVAILABLE,
			  "the kernel, Linux %s, lacks a feature of io_uring that Linux 6.1 has",
			  facts->release);
		set_cure(failure, "see which: rollcall --check");
		break;
	case -ENOMEM:
		out_of_memory(failure, facts);
		break;
	default:
		out_of_resources(failure, error, "cannot create the server", facts);
	}
}

/* Splits "tcp://HOST:PORT": copies "tcp" to `transport`, returns a pointer to "HOST:PORT". */
static const char *split_address(const char *address, char transport[static 4])
{
	snprintf(transport, 4, "%s", address);
	return address + sizeof("tcp://") - 1;
}

static void no_zone(struct failure *failure, const char *what)
{
	set_cause(failure, EX_USAGE,
		  "%s: a link-local address needs a zone, the name of its interface", what);
	set_cure(failure, "write it as in [fe80::1%%eth0]:PORT; the interfaces: ip link show");
}

void failure_of_listen(struct failure *failure, int error, const char *address,
		       const struct kernel_facts *facts)
{
	char transport[4], what[320];
	const char *place = split_address(address, transport);

	snprintf(what, sizeof(what), "cannot listen on %s '%.255s'", transport, place);
	switch (error) {
	case -EINVAL:
		set_cause(failure, EX_USAGE, "%s: the address is malformed", what);
		set_cure(failure, "write HOST:PORT, [IPv6]:PORT or *:PORT");
		break;
	case -ENODEV:
		no_zone(failure, what);
		break;
	case -ENOENT:
		if (strchr(place, '%')) {
			no_zone(failure, what);
			break;
		}
		set_cause(failure, EX_NOHOST, "%s: the host name does not resolve", what);
		set_cure(failure, "check the name and the resolver: getent ahosts NAME");
		break;
	case -EADDRINUSE:
		set_cause(failure, EX_OSERR, "%s: the port is in use", what);
		set_cure(failure,
			 "choose another: --%s HOST:PORT; see which process has it: ss %s 'sport = "
			 ":%s'",
			 transport, transport[0] == 't' ? "-antp" : "-anup",
			 strrchr(place, ':') + 1);
		break;
	case -EADDRNOTAVAIL:
		set_cause(failure, EX_OSERR, "%s: not an address of this machine", what);
		set_cure(failure, "choose one of ip address show, or * for all");
		break;
	case -EAFNOSUPPORT:
		set_cause(failure, EX_OSERR, "%s: this machine has no IPv6", what);
		set_cure(failure, "choose an IPv4 address");
		break;
	case -EACCES:
	case -EPERM:
		set_cause(failure, EX_NOPERM,
			  "%s: the port is privileged: ports below %ld are not for unprivileged "
			  "processes",
			  what, facts->unprivileged_port < 0 ? 1024 : facts->unprivileged_port);
		set_cure(failure, "choose a higher port, or grant CAP_NET_BIND_SERVICE, or lower "
				  "net.ipv4.ip_unprivileged_port_start");
		break;
	case -ENOSPC:
		set_cause(failure, EX_USAGE, "%s: a server listens on at most 64 addresses", what);
		set_cure(failure, "pass fewer; a host name may have several");
		break;
	default:
		out_of_resources(failure, error, what, facts);
	}
}

void failure_of_sockets(struct failure *failure)
{
	set_cause(failure, EX_CONFIG, "LISTEN_FDS is not a number of sockets");
	set_cure(failure, "unset LISTEN_FDS and LISTEN_PID: they are for service managers only");
}

void failure_of_adopt(struct failure *failure, int error, int fd)
{
	static const char usual[] = "pass sockets of ListenStream= with Accept=no, and of "
				    "ListenDatagram=, with a port or an IP address and a port";
	static const struct {
		int error;
		const char *cause, *cure;
	} cases[] = {
		{ -EBADF, "it is not open", usual },
		{ -ENOTSOCK, "it is not a socket", usual },
		{ -EAFNOSUPPORT, "neither IPv4 nor IPv6", usual },
		{ -EPROTONOSUPPORT, "neither TCP nor UDP", usual },
		{ -EINVAL, "it does not listen, or is not bound", usual },
		{ -EOPNOTSUPP, "it accepts both IPv4 and IPv6",
		  "set BindIPv6Only=ipv6-only, and list IPv4 addresses too" },
		{ -ENOSPC, "a server listens on at most 64 addresses", "pass fewer" },
	};
	static const char format[] = "cannot use descriptor %d, from the service manager: %s";

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (cases[i].error != error)
			continue;
		set_cause(failure, EX_CONFIG, format, fd, cases[i].cause);
		set_cure(failure, "%s", cases[i].cure);
		return;
	}
	set_cause(failure, EX_OSERR, format, fd, strerror(-error));
}

void failure_of_run(struct failure *failure, int error)
{
	set_cause(failure, EX_OSERR, "the ring failed: %s", strerror(-error));
	set_cure(failure, "restart rollcall; this is a bug in rollcall or in the kernel");
}
