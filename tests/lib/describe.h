/* SPDX-License-Identifier: MIT */
/*
 * describe.h - operations and errors in words, for traces and messages of tests.
 */
#ifndef LIB_DESCRIBE_H
#define LIB_DESCRIBE_H

#include <inttypes.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>

#include "ring/op.h"

/* Fits each text with its NUL. */
#define DESCRIBE_BYTES 96

/* Each kind of operation: "accept on listener 0" is { "accept", "on", "listener" } and its ID. */
static const struct {
	const char *verb, *preposition, *owner;
} describe_kinds[] = {
	[OP_TCP_ACCEPT] = { "accept", "on", "listener" },
	[OP_TCP_ACCEPT_CANCEL] = { "cancel", "on", "listener" },
	[OP_TCP_RECEIVE] = { "receive", "of", "client" },
	[OP_TCP_SEND] = { "send", "to", "client" },
	[OP_TCP_POLL] = { "poll for output", "to", "client" },
	[OP_TCP_CANCEL] = { "cancel", "for", "client" },
	[OP_TCP_CLOSE] = { "close", "of", "client" },
	[OP_UDP_RECEIVE] = { "receive", "on", "endpoint" },
	[OP_UDP_CANCEL] = { "cancel", "on", "endpoint" },
	[OP_UDP_SEND] = { "send", "from", "datagram slot" },
	[OP_WAKE] = { "read", "of", "the wake-up eventfd" },
	[OP_WAKE_CANCEL] = { "cancel", "on", "the wake-up eventfd" },
	[OP_FILE] = { "read or write", "in", "file slot" },
	[OP_FILE_CANCEL] = { "cancel", "in", "file slot" },
};

static inline bool describe_is_known(uint64_t user_data)
{
	const size_t kind = op_kind(user_data);

	return kind < sizeof(describe_kinds) / sizeof(*describe_kinds) && describe_kinds[kind].verb;
}

/* Whether there is only one of its owner, without an ID. */
static inline bool describe_is_single(uint64_t user_data)
{
	return op_kind(user_data) == OP_WAKE || op_kind(user_data) == OP_WAKE_CANCEL;
}

/* What the operation is, without its ID: "receive". */
static inline const char *describe_verb(uint64_t user_data)
{
	return describe_is_known(user_data) ? describe_kinds[op_kind(user_data)].verb : "operation";
}

/* What the operation belongs to: "client 3". Returns `text`. */
static inline const char *describe_owner(uint64_t user_data, char text[static DESCRIBE_BYTES])
{
	if (!describe_is_known(user_data))
		snprintf(text, DESCRIBE_BYTES, "unknown user_data %#" PRIx64, user_data);
	else if (describe_is_single(user_data))
		snprintf(text, DESCRIBE_BYTES, "%s", describe_kinds[op_kind(user_data)].owner);
	else
		snprintf(text, DESCRIBE_BYTES, "%s %" PRIu64,
			 describe_kinds[op_kind(user_data)].owner, op_id(user_data));
	return text;
}

/* Both: "receive of client 3". Returns `text`. */
static inline const char *describe_op(uint64_t user_data, char text[static DESCRIBE_BYTES])
{
	char owner[DESCRIBE_BYTES];

	snprintf(text, DESCRIBE_BYTES, "%s %s %.64s", describe_verb(user_data),
		 describe_is_known(user_data) ? describe_kinds[op_kind(user_data)].preposition
					      : "with",
		 describe_owner(user_data, owner));
	return text;
}

/* The name of an errno value: "ECANCELED". */
static inline const char *describe_error(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "an unknown error";
}

/* The names of the opcodes that the server uses, as of liburing's io_uring_prep_*(). */
static const struct {
	const char *name;
	int opcode;
} describe_opcodes[] = {
	{ "accept", IORING_OP_ACCEPT },	  { "recv", IORING_OP_RECV },
	{ "send", IORING_OP_SEND },	  { "sendmsg", IORING_OP_SENDMSG },
	{ "recvmsg", IORING_OP_RECVMSG }, { "read", IORING_OP_READ },
	{ "write", IORING_OP_WRITE },	  { "cancel", IORING_OP_ASYNC_CANCEL },
	{ "close", IORING_OP_CLOSE },	  { "nop", IORING_OP_NOP },
	{ "poll", IORING_OP_POLL_ADD },
};

static inline const char *describe_opcode(int opcode)
{
	for (size_t i = 0; i < sizeof(describe_opcodes) / sizeof(*describe_opcodes); i++)
		if (describe_opcodes[i].opcode == opcode)
			return describe_opcodes[i].name;
	return "unknown opcode";
}

#endif
