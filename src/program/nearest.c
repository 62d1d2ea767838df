/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "program/nearest.h"

#define NAME_BYTES_MAX 31

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
	unsigned cost[NAME_BYTES_MAX + 1][NAME_BYTES_MAX + 1];
	size_t rows = strnlen(a, NAME_BYTES_MAX), columns = strnlen(b, NAME_BYTES_MAX);

	for (size_t i = 0; i <= rows; i++)
		cost[i][0] = (unsigned)i;
	for (size_t j = 0; j <= columns; j++)
		cost[0][j] = (unsigned)j;
	for (size_t i = 1; i <= rows; i++) {
		for (size_t j = 1; j <= columns; j++) {
			unsigned replaced = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			cost[i][j] = least(replaced, least(cost[i - 1][j], cost[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
		}
	}
	return cost[rows][columns];
}

/* An abbreviation of a name, which may be ambiguous, has the distance 0. */
static unsigned name_distance(const char *wanted, const char *name)
{
	if (strncmp(name, wanted, strlen(wanted)) == 0)
		return 0;
	return nearest_distance(wanted, name);
}

void nearest_list(char *text, size_t bytes, const char *wanted, const char *prefix,
		  const char *const *names, size_t count)
{
	unsigned smallest = UINT_MAX, listed = 0;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		smallest = least(smallest, name_distance(wanted, names[i]));

	text[0] = '\0';
	for (size_t i = 0; i < count && listed < NEAREST_COUNT_MAX && used < bytes; i++) {
		if (name_distance(wanted, names[i]) != smallest)
			continue;
		used += (size_t)snprintf(text + used, bytes - used, "%s%s%s", listed ? ", " : "",
					 prefix, names[i]);
		listed++;
	}
}
