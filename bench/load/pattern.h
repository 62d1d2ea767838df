/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - what clients send, and what they must get. Each byte follows from the client's number
 * and the position in its stream, so that one that is wrong, missing or there twice shows at once;
 * but nothing is computed for it: messages are sent from, and answers compared with, one table of
 * pseudo-random text, which begins at another place for each client.
 *
 * The table has a prime number of bytes: no stream of whole messages comes back to where it began
 * before all of them have passed.
 */
#ifndef LOAD_PATTERN_H
#define LOAD_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#define PATTERN_BYTES 65537

/* How a message is made: prefix, body_bytes of the pattern, and a line feed if it is a line. */
struct format {
	const char *prefix;
	size_t prefix_bytes;
	size_t body_bytes;
	size_t end_bytes;
	size_t message_bytes;
};

void pattern_init(void);

/* The pattern at a position of a client's text, PATTERN_BYTES of it at least. */
const char *pattern_at(uint32_t client, uint64_t position);

/* What is at a position of a client's stream of messages, and for how many bytes. */
const char *format_piece(const struct format *format, uint32_t client, uint64_t position,
			 size_t *bytes);

#endif
