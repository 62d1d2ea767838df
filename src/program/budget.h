/* SPDX-License-Identifier: MIT */
/*
 * budget.h - divides --memory among all that takes memory, and checks that it suffices.
 */
#ifndef PROGRAM_BUDGET_H
#define PROGRAM_BUDGET_H

#include "program/options.h"

/* The least --memory in bytes. */
#define BUDGET_BYTES_MIN ((size_t)48 << 20)

#define BUDGET_MESSAGE_BYTES 512

/* SO_RCVBUF and SO_SNDBUF, in the bytes that one would set: half of what the kernel reports. */
struct budget_buffers {
	size_t receive_bytes, send_bytes;
};

/* The number of UDP sockets that the addresses of the command line become, two for a name. */
unsigned budget_udp_sockets(const struct program_options *options);

/*
 * Sets the limits of the library for --memory; without it, changes nothing. Numbers of clients and
 * sizes of socket buffers that are not the defaults stay as they are. `udp`: what the kernel gives
 * a UDP socket by default.
 */
void budget_divide(const struct program_options *options, const struct budget_buffers *udp,
		   struct rollcall_options *library);

/* All that the server can come to use with that many UDP sockets; UINT64_MAX: TCP sockets are not
 * limited. */
uint64_t budget_total(const struct rollcall_memory *memory, unsigned udp_sockets);

/* Whether the server stays within --memory; if not, writes why and what to do. */
bool budget_holds(const struct program_options *options, struct rollcall_server *server,
		  unsigned udp_sockets, char message[static BUDGET_MESSAGE_BYTES]);

#endif
