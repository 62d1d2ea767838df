/* SPDX-License-Identifier: MIT */
/*
 * framing.h - where the messages end in a stream of bytes: by line or by length.
 */
#ifndef TCP_FRAMING_H
#define TCP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rollcall.h"

/* A 32-bit length in network byte order stands before each message of ROLLCALL_LENGTH. */
#define FRAMING_LENGTH_BYTES 4

/* What a message has beside message_bytes_max, at most: that, or CR and LF. */
#define FRAMING_BYTES_MAX FRAMING_LENGTH_BYTES

/* The bytes of a message seen so far, and the next ones from the stream. */
struct framing_input {
	const uint8_t *held;
	size_t held_bytes;
	const uint8_t *next;
	size_t next_bytes; /* at least 1 */
};

/*
 * How many of the next bytes belong to the message that the held ones began, its line ending or
 * length prefix included, and whether it is whole with them. -EMSGSIZE: it has more than
 * message_bytes_max, not counting the ending or prefix. Looks at no held byte but the prefix and
 * the last.
 */
ssize_t framing_take(enum rollcall_framing framing, size_t message_bytes_max,
		     const struct framing_input *input, bool *whole);

#endif
