/* SPDX-License-Identifier: MIT */
/*
 * escape.h - makes the bytes of a message safe to show on a terminal. A peer chooses those bytes,
 * or the environment, so nothing that a terminal obeys may pass. Pure functions; any thread.
 */
#ifndef PROGRAM_ESCAPE_H
#define PROGRAM_ESCAPE_H

#include <stddef.h>

/* How many bytes of a message are shown. */
#define ESCAPE_MESSAGE_BYTES_MAX 200

/* What those take at most: each byte as \xHH, then the three dots. */
#define ESCAPE_TEXT_BYTES_MAX (4 * ESCAPE_MESSAGE_BYTES_MAX + 3)

/*
 * Returns how many bytes the UTF-8 character at the start of `data` has, 1 to 4, or 0 if there is
 * none: a stray or missing continuation byte, an overlong form, a surrogate, or more than U+10FFFF
 * (RFC 3629, section 4).
 */
size_t escape_utf8_bytes(const unsigned char *data, size_t bytes);

/*
 * Writes a message to `text`, without a final NUL, and returns the bytes written. Its LF or CR LF
 * is left out; control characters and what is not UTF-8 become \n, \r, \t or \xHH, a backslash two.
 * The C1 controls U+0080 to U+009F count as control characters though they are valid UTF-8:
 * terminals obey them. A message of more than ESCAPE_MESSAGE_BYTES_MAX bytes is cut there, or
 * before a character that would be cut in two, and "..." follows.
 */
size_t escape_message(char text[static ESCAPE_TEXT_BYTES_MAX], const void *data, size_t bytes);

/*
 * Writes a text to `to` in the same way, but whole: its line endings too. What does not fit into
 * `room` bytes, 3 at least, is cut, and "..." follows. Returns the bytes written, without a NUL.
 */
size_t escape_text(char *to, size_t room, const char *text);

#endif
