/* SPDX-License-Identifier: MIT */
/*
 * escape.h - makes the bytes of a message safe to show on a terminal. They come from a peer or the
 * environment, so no control sequence may pass. Pure functions; any thread.
 */
#ifndef PROGRAM_ESCAPE_H
#define PROGRAM_ESCAPE_H

#include <stddef.h>

/* Maximum bytes of a message that are shown. */
#define ESCAPE_MESSAGE_BYTES_MAX 200

/* Maximum bytes of the escaped text: each byte as \xHH, then "...". */
#define ESCAPE_TEXT_BYTES_MAX (4 * ESCAPE_MESSAGE_BYTES_MAX + 3)

/*
 * Returns the length of the UTF-8 character at the start of `data`, 1 to 4 bytes, or 0 if it is
 * invalid: a stray or missing continuation byte, an overlong form, a surrogate, or above U+10FFFF
 * (RFC 3629, section 4).
 */
size_t escape_utf8_bytes(const unsigned char *data, size_t bytes);

/*
 * Writes an escaped message to `text`, without a final NUL, and returns the bytes written. A final
 * LF or CR LF is left out. Control characters and invalid UTF-8 become \n, \r, \t or \xHH; a
 * backslash is doubled. The C1 controls U+0080 to U+009F count as control characters although they
 * are valid UTF-8, since terminals obey them. A message of more than ESCAPE_MESSAGE_BYTES_MAX bytes
 * is truncated at a character boundary, and "..." follows.
 */
size_t escape_message(char text[static ESCAPE_TEXT_BYTES_MAX], const void *data, size_t bytes);

/*
 * Writes a text to `to` in the same way, but with its line endings, and only limited by `capacity`
 * bytes, at least 3: a longer text is truncated, and "..." follows. Writes no NUL; returns the
 * bytes written.
 */
size_t escape_text(char *to, size_t capacity, const char *text);

#endif
