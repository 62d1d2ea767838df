/* SPDX-License-Identifier: MIT */
#include "tcp/framing.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"

static bool ends_in_cr(const struct framing_input *input, size_t taken)
{
	if (taken > 0)
		return input->next[taken - 1] == '\r';
	return input->held_bytes > 0 && input->held[input->held_bytes - 1] == '\r';
}

/* A CR counts as part of the line ending as long as an LF may follow it. */
static ssize_t take_line(size_t message_bytes_max, const struct framing_input *input, bool *whole)
{
	const uint8_t *end = memchr(input->next, '\n', input->next_bytes);
	size_t taken = end ? (size_t)(end - input->next) : input->next_bytes;
	size_t line_bytes = input->held_bytes + taken;

	if (ends_in_cr(input, taken))
		line_bytes--;
	if (line_bytes > message_bytes_max)
		return -EMSGSIZE;
	*whole = end;
	return (ssize_t)(end ? taken + 1 : taken);
}

static ssize_t take_length(size_t message_bytes_max, const struct framing_input *input, bool *whole)
{
	uint8_t prefix[FRAMING_LENGTH_BYTES];
	size_t held = min_size(input->held_bytes, sizeof(prefix));
	size_t missing = min_size(sizeof(prefix) - held, input->next_bytes);
	size_t total, taken;
	uint32_t length;

	if (held > 0)
		memcpy(prefix, input->held, held);
	memcpy(prefix + held, input->next, missing);
	if (held + missing < sizeof(prefix)) {
		*whole = false;
		return (ssize_t)missing;
	}
	memcpy(&length, prefix, sizeof(length));
	if (be32toh(length) > message_bytes_max)
		return -EMSGSIZE;
	total = sizeof(prefix) + be32toh(length);
	taken = min_size(total - input->held_bytes, input->next_bytes);
	*whole = input->held_bytes + taken == total;
	return (ssize_t)taken;
}

ssize_t framing_find(enum rollcall_framing framing, size_t message_bytes_max,
		     const struct framing_input *input, bool *whole)
{
	CHECK(input->next_bytes > 0);
	if (framing == ROLLCALL_FRAMING_LINES)
		return take_line(message_bytes_max, input, whole);
	return take_length(message_bytes_max, input, whole);
}
