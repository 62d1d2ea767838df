/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "program/escape.h"

/* Four bytes as \xHH. */
#define ESCAPE_CHARACTER_BYTES_MAX 16

#define DOTS_BYTES (sizeof("...") - 1)

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

size_t escape_utf8_bytes(const unsigned char *data, size_t bytes)
{
	/* The range of the second byte excludes overlong forms, surrogates and > U+10FFFF. */
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

/* Whether the character of `length` bytes is shown by a terminal, not a control character. */
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

/* Escapes the character at the start of `from`; returns its length. *used is the length of the
 * escaped text. */
static size_t escape_character(char text[static ESCAPE_CHARACTER_BYTES_MAX],
			       const unsigned char *from, size_t bytes, size_t *used)
{
	size_t length = escape_utf8_bytes(from, bytes);

	if (length > 0 && is_shown(from, length)) {
		memcpy(text, from, length);
		*used = length;
		return length;
	}
	*used = 0;
	length = length > 0 ? length : 1;
	for (size_t i = 0; i < length; i++)
		*used += escape_byte(text + *used, from[i]);
	return length;
}

/* Escapes at most shown_max bytes into at most `capacity` bytes, "..." included. */
static size_t escape(char *text, size_t capacity, const unsigned char *from, size_t bytes,
		     size_t shown_max)
{
	char character[ESCAPE_CHARACTER_BYTES_MAX];
	size_t used = 0, at = 0;

	while (at < bytes) {
		size_t more, length = escape_character(character, from + at, bytes - at, &more);

		if (at + length > shown_max || used + more + DOTS_BYTES > capacity) {
			memcpy(text + used, "...", DOTS_BYTES);
			return used + DOTS_BYTES;
		}
		memcpy(text + used, character, more);
		used += more;
		at += length;
	}
	return used;
}

size_t escape_message(char text[static ESCAPE_TEXT_BYTES_MAX], const void *data, size_t bytes)
{
	return escape(text, ESCAPE_TEXT_BYTES_MAX, data, without_line_ending(data, bytes),
		      ESCAPE_MESSAGE_BYTES_MAX);
}

size_t escape_text(char *to, size_t capacity, const char *text)
{
	return escape(to, capacity, (const unsigned char *)text, strlen(text), SIZE_MAX);
}
