/* SPDX-License-Identifier: MIT */
#include "load/pattern.h"
#include "load/random.h"

/* Far from the sizes of messages, so that neighbours send nothing alike. */
#define CLIENT_STEP 40503ull

/* The table, twice: so PATTERN_BYTES follow wherever one begins. */
static char pattern[2 * PATTERN_BYTES];

void pattern_init(void)
{
	static const char letters[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-";
	uint64_t seed = 1;

	for (size_t i = 0; i < PATTERN_BYTES; i++) {
		pattern[i] = letters[random_next(&seed) % (sizeof(letters) - 1)];
		pattern[i + PATTERN_BYTES] = pattern[i];
	}
}

const char *pattern_at(uint32_t client, uint64_t position)
{
	return pattern + (client * CLIENT_STEP + position) % PATTERN_BYTES;
}

const char *format_piece(const struct format *format, uint32_t client, uint64_t position,
			 size_t *bytes)
{
	uint64_t message;
	size_t offset;

	if (format->message_bytes == format->body_bytes) {
		*bytes = PATTERN_BYTES;
		return pattern_at(client, position);
	}
	message = position / format->message_bytes;
	offset = (size_t)(position % format->message_bytes);
	if (offset < format->prefix_bytes) {
		*bytes = format->prefix_bytes - offset;
		return format->prefix + offset;
	}
	offset -= format->prefix_bytes;
	if (offset < format->body_bytes) {
		*bytes = format->body_bytes - offset;
		return pattern_at(client, message * format->body_bytes + offset);
	}
	*bytes = format->end_bytes;
	return "\n";
}
