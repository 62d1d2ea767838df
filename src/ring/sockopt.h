/* SPDX-License-Identifier: MIT */
/*
 * sockopt.h - private to ring/: the socket options that a server's sockets must have.
 *
 * An adopted socket comes with the options of its creator. Options that change what is received, or
 * how answers leave, are set to the value that the server relies on. What an operator may choose
 * stays: buffers, TTL, TOS, priority, mark, device, path MTU discovery, groups, filters.
 *
 * All return 0 or an error of setsockopt(2). Options that the kernel does not know are skipped.
 */
#ifndef RING_SOCKOPT_H
#define RING_SOCKOPT_H

#include "base/address.h"

/*
 * Sets the options of a UDP socket bound, or to be bound, to the address: UDP_GRO; on a wildcard
 * address IP_PKTINFO (RFC 3542, section 6); no other control data; multicast only of its own
 * groups.
 */
int sockopt_prepare_udp(int fd, const struct address *address);

/*
 * Sets the options of a listening TCP socket, which its connections inherit; keepalive probes after
 * idle_s of silence (0: none).
 */
int sockopt_prepare_tcp(int fd, sa_family_t family, uint64_t idle_s);

/* Sets one option. */
int sockopt_set(int fd, int level, int name, int value);

/* Returns the value of an option that is never negative, or a negative errno value. */
int sockopt_get(int fd, int level, int name);

#endif
