/* SPDX-License-Identifier: MIT */
/*
 * sockopt.h - inside of ring/: the socket options that a server's sockets must have.
 *
 * A socket that was made elsewhere keeps what its maker has set. Options that change what is
 * received, or how answers leave, get the value that the server relies on. What an operator may
 * choose stays: buffers, TTL, TOS, priority, mark, device, path MTU discovery, groups, filters.
 *
 * All return 0 or what setsockopt(2) says. An option that the kernel does not know is left out.
 */
#ifndef RING_SOCKOPT_H
#define RING_SOCKOPT_H

#include "base/address.h"

/*
 * A UDP socket bound, or to be bound, to the address: with UDP_GRO; on a wildcard address with
 * IP_PKTINFO (RFC 3542, section 6); no other control data; no multicast but of its own groups.
 */
int sockopt_prepare_udp(int fd, const struct address *address);

/* A listener and, as they inherit it, its connections; probes after idle_s of silence (0: none). */
int sockopt_prepare_tcp(int fd, sa_family_t family, uint64_t idle_s);

/* One option. */
int sockopt_set(int fd, int level, int name, int value);

/* One that is never negative, or -errno. */
int sockopt_get(int fd, int level, int name);

#endif
