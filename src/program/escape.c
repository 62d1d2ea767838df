/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "program/escape.h"

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t escape_utf8_bytes(const unsigned char *data, size_t bytes)
{
	/* The second byte's range is what excludes overlong forms, surrogates and > U+10FFFF. */
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (bytes == 0)
		return 0;
	if (data[0] < 0x80)
		return 1;

	if (data[0] >= 0xc2 && data[0] <= 0xdf)
		length = 2;
	else if (data[0] >= 0xe0 && data[0] <= 0xef)
		length = 3;
	else if (data[0] >= 0xf0 && data[0] <= 0xf4)
		length = 4;
	else
		return 0;

	if (data[0] == 0xe0)
		low = 0xa0;
	else if (data[0] == 0xed)
		high = 0x9f;
	else if (data[0] == 0xf0)
		low = 0x90;
	else if (data[0] == 0xf4)
		high = 0x8f;

	if (bytes < length || data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (!is_continuation(data[i]))
			return 0;
	}
	return length;
}

static size_t without_line_ending(const unsigned char *data, size_t bytes)
{
	if (bytes > 0 && data[bytes - 1] == '\n') {
		bytes--;
		if (bytes > 0 && data[bytes - 1] == '\r')
			bytes--;
	}
	return bytes;
}

/* Whether the character of `length` bytes is one that a terminal shows rather than obeys. */
static bool is_shown(const unsigned char *data, size_t length)
{
	if (length == 1)
		return data[0] >= 0x20 && data[0] != 0x7f && data[0] != '\\';
	return length > 2 || data[0] != 0xc2 || data[1] > 0x9f;
}

static size_t escape_byte(char *text, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";

	text[0] = '\\';
	switch (byte) {
	case '\n':
		text[1] = 'n';
		return 2;
	case '\r':
		text[1] = 'r';
		return 2;
	case '\t':
		text[1] = 't';
		return 2;
	case '\\':
		text[1] = '\\';
		return 2;
	default:
		text[1] = 'x';
		text[2] = hex[byte >> 4];
		text[3] = hex[byte & 0xf];
		return 4;
	}
}

size_t escape_message(char text[static ESCAPE_TEXT_BYTES_MAX], const void *data, size_t bytes)
{
	const unsigned char *from = data;
	size_t used = 0, at = 0;

	bytes = without_line_ending(from, bytes);
	while (at < bytes) {
		size_t length = escape_utf8_bytes(from + at, bytes - at);
		bool shown = length > 0 && is_shown(from + at, length);

		if (length == 0)
			length = 1;
		if (at + length > ESCAPE_MESSAGE_BYTES_MAX)
			break;
		if (shown) {
			memcpy(text + used, from + at, length);
			used += length;
		} else {
			for (size_t i = 0; i < length; i++)
				used += escape_byte(text + used, from[at + i]);
		}
		at += length;
	}
	if (at < bytes) {
		memcpy(text + used, "...", 3);
		used += 3;
	}
	return used;
}
