/* SPDX-License-Identifier: MIT */
/*
 * number.h - parses the numbers of the command line. Unlike strtoull(3) it refuses `12x`, an empty
 * text, a sign, and a value out of range. Pure functions; any thread.
 */
#ifndef PROGRAM_NUMBER_H
#define PROGRAM_NUMBER_H

#include <stdint.h>

enum number_kind {
	NUMBER_WHOLE,	/* 42 */
	NUMBER_BYTES,	/* 42, 64K, 1M or 2G, 1024-based */
	NUMBER_SECONDS, /* 42 or 0.5, with up to three decimals; the value is in milliseconds */
};

/*
 * Parses `text` as a number from `min` to `max` into *value. Returns NULL, or the fault as the end
 * of a sentence, like "is not a whole number". *value is changed only on success.
 */
const char *number_parse(enum number_kind kind, const char *text, uint64_t min, uint64_t max,
			 uint64_t *value);

#endif
