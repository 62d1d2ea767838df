/* SPDX-License-Identifier: MIT */
/* The escaping of messages for the console. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "program/escape.h"

static void assert_escaped(const char *message, size_t bytes, const char *expected)
{
	char text[ESCAPE_TEXT_BYTES_MAX + 1];
	size_t used = escape_message(text, message, bytes);

	text[used] = '\0';
	assert_string_equal(text, expected);
}

/* For messages without a NUL in them. */
static void assert_shown(const char *message, const char *expected)
{
	assert_escaped(message, strlen(message), expected);
}

/* One line ending is left out, LF or CR LF; what precedes it is not touched. */
static void line_endings(void **state)
{
	(void)state;
	assert_shown("hello\n", "hello");
	assert_shown("hello\r\n", "hello");
	assert_shown("hello", "hello");
	assert_shown("hello\r", "hello\\r");
	assert_shown("hello\n\n", "hello\\n");
	assert_shown("hello\r\r\n", "hello\\r");
	assert_shown("\n", "");
	assert_shown("\r\n", "");
	assert_shown("", "");
	assert_shown("a\nb\n", "a\\nb");
}

/* Every control byte becomes visible, and a backslash is doubled so that nothing looks like one. */
static void control_bytes(void **state)
{
	(void)state;
	assert_shown("tab\there", "tab\\there");
	assert_shown("\x1b[2J\x07", "\\x1b[2J\\x07");
	assert_shown("\x7f", "\\x7f");
	assert_shown("a\\n", "a\\\\n");
	assert_escaped("\0x", 2, "\\x00x");
	assert_shown(" ~", " ~");
}

/* Each byte from 0 to 255, alone: exactly the printable ASCII ones pass, all others are escaped. */
static void every_byte(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char text[ESCAPE_TEXT_BYTES_MAX], message[] = { (char)byte, 'x' };
		size_t used = escape_message(text, message, 2);
		int passes = byte >= 0x20 && byte < 0x7f && byte != '\\';

		assert_int_equal(used, passes ? 2 : byte && strchr("\n\r\t\\", byte) ? 3 : 5);
		assert_int_equal(text[0], passes ? byte : '\\');
		assert_int_equal(text[used - 1], 'x');
	}
}

/* The first and the last character of each length of RFC 3629 pass as they are. */
static void valid_utf8_passes(void **state)
{
	static const char *const characters[] = {
		"\xc2\xa0",	    "\xdf\xbf",		"\xe0\xa0\x80",
		"\xed\x9f\xbf",	    "\xee\x80\x80",	"\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "gr\xc3\xbc\xc3\x9f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
		assert_shown(characters[i], characters[i]);
}

/* What RFC 3629 forbids is escaped byte by byte, and a good character right behind it passes. */
static void invalid_utf8_is_escaped(void **state)
{
	static const struct {
		const char *message;
		const char *expected;
	} cases[] = {
		{ "\x80", "\\x80" },				/* a stray continuation */
		{ "\xc0\xaf", "\\xc0\\xaf" },			/* overlong, two bytes */
		{ "\xc1\xbf", "\\xc1\\xbf" },			/* overlong, two bytes */
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },		/* overlong, three bytes */
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" }, /* overlong, four bytes */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* the first surrogate */
		{ "\xed\xbf\xbf", "\\xed\\xbf\\xbf" },		/* the last surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* U+110000 */
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" }, /* never a first byte */
		{ "\xff\xfe", "\\xff\\xfe" },			/* never in UTF-8 */
		{ "\xc3", "\\xc3" },				/* cut off */
		{ "\xe2\x82", "\\xe2\\x82" },			/* cut off */
		{ "\xf0\x9f\x8e", "\\xf0\\x9f\\x8e" },		/* cut off */
		{ "\xe2\x82\x41", "\\xe2\\x82\x41" },		/* no third byte */
		{ "\xc3\xc3\xbc", "\\xc3\xc3\xbc" },		/* a good one after half of one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_shown(cases[i].message, cases[i].expected);
}

/* U+0080 to U+009F are valid UTF-8, and U+009B starts a terminal's commands: they do not pass. */
static void c1_controls_are_escaped(void **state)
{
	(void)state;
	assert_shown("\xc2\x80", "\\xc2\\x80");
	assert_shown("\xc2\x9b"
		     "2J",
		     "\\xc2\\x9b"
		     "2J");
	assert_shown("\xc2\x9f", "\\xc2\\x9f");
}

/* Messages of 199 to 201 bytes, and the largest: three dots stand where bytes are missing. */
static void cut_at_the_limit(void **state)
{
	static char message[65536];
	char expected[ESCAPE_TEXT_BYTES_MAX + 1];

	(void)state;
	memset(message, 'x', sizeof(message));
	memset(expected, 'x', 203);
	expected[199] = '\0';
	assert_escaped(message, 199, expected);
	expected[199] = 'x';
	expected[200] = '\0';
	assert_escaped(message, 200, expected);
	memcpy(expected + 200, "...", 4);
	assert_escaped(message, 201, expected);
	assert_escaped(message, sizeof(message), expected);

	/* The line ending is not a part of the 200. */
	message[200] = '\n';
	expected[200] = '\0';
	assert_escaped(message, 201, expected);
}

/* A message of nothing but bytes that take four each fills the text to its last byte. */
static void cut_when_all_is_escaped(void **state)
{
	char message[ESCAPE_MESSAGE_BYTES_MAX + 1], text[ESCAPE_TEXT_BYTES_MAX];

	(void)state;
	memset(message, 1, sizeof(message));
	assert_int_equal(escape_message(text, message, sizeof(message)), ESCAPE_TEXT_BYTES_MAX);
	assert_memory_equal(text + ESCAPE_TEXT_BYTES_MAX - 7, "\\x01...", 7);
}

/* A character of four bytes across the limit is left out whole; one that ends there is shown. */
static void cut_between_characters(void **state)
{
	char message[ESCAPE_MESSAGE_BYTES_MAX + 8], text[ESCAPE_TEXT_BYTES_MAX];

	(void)state;
	for (size_t before = 196; before <= 200; before++) {
		memset(message, 'x', sizeof(message));
		memcpy(message + before, "\xf0\x9f\x8e\x89", 4);
		assert_int_equal(escape_message(text, message, sizeof(message)),
				 before == 196 ? 203 : before + 3);
		assert_memory_equal(text + (before == 196 ? 200 : before), "...", 3);
	}
}

/* A text is shown whole, its line ending escaped, as far as the dots behind it fit. */
static void texts(void **state)
{
	static const struct {
		const char *text;
		size_t capacity;
		const char *expected;
	} cases[] = {
		{ "", 3, "" },
		{ "hello\n", 100, "hello\\n" },
		{ "\x1b[2J", 100, "\\x1b[2J" },
		{ "\xc2\x9b", 100, "\\xc2\\x9b" },
		{ "hello", 8, "hello" },
		{ "hello", 7, "hell..." },
		{ "a\x1b", 7, "a..." },
		{ "\xc3\xa4\xc3\xa4", 6, "\xc3\xa4..." },
		{ "hello", 3, "..." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[101];
		size_t used = escape_text(text, cases[i].capacity, cases[i].text);

		assert_in_range(used, 0, cases[i].capacity);
		text[used] = '\0';
		assert_string_equal(text, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_endings),
		cmocka_unit_test(control_bytes),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(valid_utf8_passes),
		cmocka_unit_test(invalid_utf8_is_escaped),
		cmocka_unit_test(c1_controls_are_escaped),
		cmocka_unit_test(cut_at_the_limit),
		cmocka_unit_test(cut_when_all_is_escaped),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
