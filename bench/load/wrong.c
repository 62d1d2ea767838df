/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>

#include "lib/fail.h"
#include "load/wrong.h"

#define SHOWN_BYTES 16

struct shown {
	char text[4 * SHOWN_BYTES + 1];
};

static struct shown show(const char *data, size_t bytes)
{
	struct shown shown = { "" };
	size_t used = 0;

	for (size_t i = 0; i < bytes && i < SHOWN_BYTES; i++)
		used += (size_t)snprintf(shown.text + used, sizeof(shown.text) - used,
					 isgraph((unsigned char)data[i]) ? "%c" : "\\x%02x",
					 (unsigned char)data[i]);
	return shown;
}

void wrong_bytes(uint32_t client, uint64_t position, const char *expected, const char *got,
		 size_t bytes)
{
	size_t same = 0;

	while (expected[same] == got[same])
		same++;
	fail("client %u: wrong bytes at position %llu: expected '%s', got '%s'", client,
	     (unsigned long long)(position + same), show(expected + same, bytes - same).text,
	     show(got + same, bytes - same).text);
}
