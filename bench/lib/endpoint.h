/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - addresses as they are written in options, HOST:PORT, [IPv6]:PORT or PORT alone (of
 * 127.0.0.1), and what the programs of the benchmark need besides to open sockets.
 */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	} address;
	socklen_t bytes;
};

/* Fills in `endpoint` from `text`, or ends the program with a message that quotes it. */
void endpoint_parse(struct endpoint *endpoint, const char *text);

/* Whether it is in 127.0.0.0/8. */
bool endpoint_is_loopback_ipv4(const struct endpoint *endpoint);

/* A bound socket, not blocking for TCP; says on standard error where it is bound. */
int endpoint_bind(const struct endpoint *endpoint, int type, const char *name);

void socket_set(int fd, int level, int option, int value, const char *what);

/* Asks for a receive buffer of so many bytes, above net.core.rmem_max too where allowed. */
void socket_receive_buffer(int fd, int bytes);

/* Raises the limit of open files as far as it goes, and returns it. */
unsigned long files_limit_raise(void);

#endif
