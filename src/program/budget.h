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

/*
 * Sets the limits of the library for --memory; without it, changes nothing. Numbers of clients and
 * sizes of socket buffers that are not the defaults stay as they are.
 */
void budget_divide(const struct program_options *options, struct rollcall_options *library);

/* All that the server can come to use; UINT64_MAX: sockets are not limited. */
uint64_t budget_total(const struct rollcall_memory *memory);

/* Whether the server stays within --memory; if not, writes why and what to do. */
bool budget_holds(const struct program_options *options, struct rollcall_server *server,
		  char message[static BUDGET_MESSAGE_BYTES]);

#endif
