/* SPDX-License-Identifier: MIT */
/*
 * framing.h - finds where messages end in a byte stream: by line or by length.
 */
#ifndef TCP_FRAMING_H
#define TCP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rollcall.h"

/* Length prefix of a ROLLCALL_FRAMING_LENGTH message: 32 bits, in network byte order. */
#define FRAMING_LENGTH_BYTES 4

/* Maximum of a message beyond message_bytes_max: the length prefix, or CR and LF. */
#define FRAMING_BYTES_MAX FRAMING_LENGTH_BYTES

/* The bytes of a message held so far, and the next bytes of the stream. */
struct framing_input {
	const uint8_t *held;
	size_t held_bytes;
	const uint8_t *next;
	size_t next_bytes; /* at least 1 */
};

/* For framing_take(): the same for lines and length prefixes. */
ssize_t framing_find(enum rollcall_framing framing, size_t message_bytes_max,
		     const struct framing_input *input, bool *whole);

/*
 * Returns how many of the next bytes belong to the message that the held bytes began, its line
 * ending or length prefix included; *whole: the message is complete with them. -EMSGSIZE: it
 * exceeds message_bytes_max, ending or prefix not counted. Of the held bytes only the prefix and
 * the last one are read.
 */
static inline ssize_t framing_take(enum rollcall_framing framing, size_t message_bytes_max,
				   const struct framing_input *input, bool *whole)
{
	if (framing != ROLLCALL_FRAMING_RAW)
		return framing_find(framing, message_bytes_max, input, whole);
	*whole = true;
	return (ssize_t)input->next_bytes;
}

#endif
