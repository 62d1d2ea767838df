/* SPDX-License-Identifier: MIT */
#include "ring/sockopt.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/time.h>

/* Constants of the kernel, for C libraries that lack them. */
#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31
#endif
#ifndef IPV6_2292PKTINFO
#define IPV6_2292PKTINFO 2
#define IPV6_2292HOPOPTS 3
#define IPV6_2292DSTOPTS 4
#define IPV6_2292RTHDR 5
#define IPV6_2292HOPLIMIT 8
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef SO_RCVMARK /* Linux 5.19 */
#define SO_RCVMARK 75
#endif
#ifndef SO_RCVPRIORITY /* Linux 6.14 */
#define SO_RCVPRIORITY 82
#endif

/* An option, and the value that it must have. */
struct option {
	int level, name, value;
};

/* Other control data would leave too little space for our own. */
static const struct option udp[] = {
	{ SOL_SOCKET, SO_RXQ_OVFL, 0 },
	{ SOL_SOCKET, SO_TIMESTAMP, 0 },
	{ SOL_SOCKET, SO_TIMESTAMPING, 0 },
	{ SOL_SOCKET, SO_RCVMARK, 0 },
	{ SOL_SOCKET, SO_RCVPRIORITY, 0 },
	{ SOL_SOCKET, SO_WIFI_STATUS, 0 },
	/* Answers to a forged source address must not be broadcast. */
	{ SOL_SOCKET, SO_BROADCAST, 0 },
	{ SOL_UDP, UDP_GRO, 1 },
	/* Would segment, or hold back, everything that is sent. */
	{ SOL_UDP, UDP_SEGMENT, 0 },
	{ SOL_UDP, UDP_CORK, 0 },
};

static const struct option udp4[] = {
	/*
	 * An ICMP error caused by one peer would fail the next receive, or a send to another peer.
	 */
	{ IPPROTO_IP, IP_RECVERR, 0 },
	{ IPPROTO_IP, IP_RECVERR_RFC4884, 0 },
	/* Would also deliver datagrams to groups that other sockets have joined. */
	{ IPPROTO_IP, IP_MULTICAST_ALL, 0 },
	{ IPPROTO_IP, IP_RECVTTL, 0 },
	{ IPPROTO_IP, IP_RECVTOS, 0 },
	{ IPPROTO_IP, IP_RECVOPTS, 0 },
	{ IPPROTO_IP, IP_RETOPTS, 0 },
	{ IPPROTO_IP, IP_PASSSEC, 0 },
	{ IPPROTO_IP, IP_CHECKSUM, 0 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, 0 },
	{ IPPROTO_IP, IP_RECVFRAGSIZE, 0 },
};

static const struct option udp6[] = {
	{ IPPROTO_IPV6, IPV6_RECVERR, 0 },	   { IPPROTO_IPV6, IPV6_RECVERR_RFC4884, 0 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0 }, /* Linux 4.20 */
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0 },	   { IPPROTO_IPV6, IPV6_RECVTCLASS, 0 },
	{ IPPROTO_IPV6, IPV6_RECVHOPOPTS, 0 },	   { IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0 },
	{ IPPROTO_IPV6, IPV6_RECVRTHDR, 0 },	   { IPPROTO_IPV6, IPV6_RECVPATHMTU, 0 },
	{ IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 0 }, { IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 0 },
	{ IPPROTO_IPV6, IPV6_FLOWINFO, 0 },	   { IPPROTO_IPV6, IPV6_2292PKTINFO, 0 },
	{ IPPROTO_IPV6, IPV6_2292HOPLIMIT, 0 },	   { IPPROTO_IPV6, IPV6_2292HOPOPTS, 0 },
	{ IPPROTO_IPV6, IPV6_2292DSTOPTS, 0 },	   { IPPROTO_IPV6, IPV6_2292RTHDR, 0 },
};

static const struct option tcp[] = {
	{ SOL_SOCKET, SO_REUSEADDR, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 0 },
	/* A request shorter than this would not be received until more arrives. */
	{ SOL_SOCKET, SO_RCVLOWAT, 1 },
	{ IPPROTO_TCP, TCP_NODELAY, 1 },
	{ IPPROTO_TCP, TCP_CORK, 0 },
};

int sockopt_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

int sockopt_get(int fd, int level, int name)
{
	int value = 0;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, level, name, &value, &bytes) ? -errno : value;
}

static int require(int fd, const struct option *option)
{
	const int error = sockopt_set(fd, option->level, option->name, option->value);
	int value;

	if (!error)
		return 0;
	/* Some options need a privilege even to set their current value (SO_RCVMARK). */
	value = sockopt_get(fd, option->level, option->name);
	return value < 0 || value == option->value ? 0 : error;
}

static int require_all(int fd, const struct option *options, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = require(fd, &options[i]);
	return error;
}

#define REQUIRE_ALL(fd, options) require_all(fd, options, sizeof(options) / sizeof(*(options)))

/*
 * Each datagram carries its destination address, from which the answer is sent. On IPv6 the kernel
 * refuses that for an address that only a local route makes ours, unless IPV6_FREEBIND is set
 * (Linux 4.15).
 */
static int set_wildcard(int fd, bool is_ipv4, bool wildcard)
{
	int error;

	if (is_ipv4)
		return sockopt_set(fd, IPPROTO_IP, IP_PKTINFO, wildcard);
	error = sockopt_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, wildcard);
	if (!error && wildcard)
		sockopt_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	return error;
}

int sockopt_prepare_udp(int fd, const struct address *address)
{
	const bool is_ipv4 = address->any.sa_family == AF_INET;
	int error = REQUIRE_ALL(fd, udp);

	if (!error)
		error = is_ipv4 ? REQUIRE_ALL(fd, udp4) : REQUIRE_ALL(fd, udp6);
	if (!error)
		error = set_wildcard(fd, is_ipv4, address_is_wildcard(address));
	/*
	 * Clears an error from before IP_RECVERR was off, with which the first receive would fail.
	 */
	sockopt_get(fd, SOL_SOCKET, SO_ERROR);
	return error;
}

/* Number of keepalive probes, sent within the same time again as the silence before them. */
#define KEEPALIVE_PROBES 6

static int set_keepalive(int fd, uint64_t idle_s)
{
	const uint64_t interval_s = (idle_s + KEEPALIVE_PROBES - 1) / KEEPALIVE_PROBES;
	int error = sockopt_set(fd, SOL_SOCKET, SO_KEEPALIVE, idle_s > 0);

	if (error || !idle_s)
		return error;
	error = sockopt_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
	if (!error)
		error = sockopt_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)interval_s);
	/* TCP_USER_TIMEOUT would also end a live peer that has stopped reading for a while. */
	return error ? error : sockopt_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

int sockopt_prepare_tcp(int fd, sa_family_t family, uint64_t idle_s)
{
	/* SO_LINGER could make a close reset the connection, and drop unsent output. */
	const struct linger no_linger = { 0 };
	/* A timeout would end sends that wait in an io-wq worker early. */
	const struct timeval no_limit = { 0 };
	const bool is_ipv4 = family == AF_INET;
	int error = REQUIRE_ALL(fd, tcp);

	/* Transient errors (ICMP) would end connections. */
	if (!error)
		error = is_ipv4 ? sockopt_set(fd, IPPROTO_IP, IP_RECVERR, 0)
				: sockopt_set(fd, IPPROTO_IPV6, IPV6_RECVERR, 0);
	if (!error && (setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger)) ||
		       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &no_limit, sizeof(no_limit)) ||
		       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &no_limit, sizeof(no_limit))))
		error = -errno;
	return error ? error : set_keepalive(fd, idle_s);
}
