/* SPDX-License-Identifier: MIT */
/*
 * address.h - IPv4 and IPv6 socket addresses: parsing, formatting, comparing, classifying. Pure
 * functions; any thread.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rollcall.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t bytes;
};

/* "[addr%scope]:port" and its NUL. */
#define ADDRESS_TEXT_BYTES (INET6_ADDRSTRLEN + 20)

/* The longest host name (RFC 1035, section 2.3.4) and its NUL. */
#define ADDRESS_HOST_BYTES 256

/* An address to listen on, as the user writes it. */
struct address_name {
	enum rollcall_transport transport;
	char host[ADDRESS_HOST_BYTES]; /* without brackets; "*": every address */
	uint16_t port;
};

/* Parses "tcp://HOST:PORT" or "udp://HOST:PORT". -EINVAL: malformed. */
int address_parse(const char *text, struct address_name *name);

/* Formats an address as "127.0.0.1:8080" or "[::1]:8080". */
void address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES]);

uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* Whether family, address, port and scope are equal. */
bool address_equal(const struct address *a, const struct address *b);

/* Whether family, address and scope are equal; ports are ignored. */
bool address_same_host(const struct address *a, const struct address *b);

/* Whether it is 0.0.0.0 or ::, which stands for every address of this machine. */
bool address_is_wildcard(const struct address *address);

/* Whether it is in 127.0.0.0/8, or ::1. */
bool address_is_loopback(const struct address *address);

/* Whether it is an IPv6 link-local address without a zone, the interface (RFC 4007, section 11). */
bool address_needs_zone(const struct address *address);

/* Whether one host can have it: not broadcast, multicast or unspecified (RFC 1122, 3.2.1.3). */
bool address_is_unicast(const struct address *address);

#endif
