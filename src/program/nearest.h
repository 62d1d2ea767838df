/* SPDX-License-Identifier: MIT */
/*
 * nearest.h - which valid names a mistyped one comes nearest to. Pure functions; any thread.
 */
#ifndef PROGRAM_NEAREST_H
#define PROGRAM_NEAREST_H

#include <stddef.h>

/* How many names are suggested at most. */
#define NEAREST_COUNT_MAX 3

/*
 * How many single letters must be inserted, deleted, replaced or swapped with their neighbour to
 * make `b` of `a`. Texts longer than 31 bytes are compared by their first 31.
 */
unsigned nearest_distance(const char *a, const char *b);

/*
 * Writes those of the `count` names that `wanted` begins, or else those at the smallest distance,
 * up to NEAREST_COUNT_MAX, each behind `prefix`, as "--one, --two" with a final NUL into `text`.
 */
void nearest_list(char *text, size_t bytes, const char *wanted, const char *prefix,
		  const char *const *names, size_t count);

#endif
