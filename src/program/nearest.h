/* SPDX-License-Identifier: MIT */
/*
 * nearest.h - finds the valid names most similar to a mistyped one. Pure functions; any thread.
 */
#ifndef PROGRAM_NEAREST_H
#define PROGRAM_NEAREST_H

#include <stddef.h>

/* Maximum number of names suggested. */
#define NEAREST_COUNT_MAX 3

/*
 * Returns the edit distance from `a` to `b`: insertions, deletions and replacements of a letter,
 * and swaps of two adjacent letters. Only the first 31 bytes of a text are compared.
 */
unsigned nearest_distance(const char *a, const char *b);

/*
 * Writes the names that start with `wanted`, or if none does, those at the smallest distance, to
 * `text`: at most NEAREST_COUNT_MAX, each with `prefix`, like "--one, --two", with a final NUL.
 */
void nearest_list(char *text, size_t bytes, const char *wanted, const char *prefix,
		  const char *const *names, size_t count);

#endif
