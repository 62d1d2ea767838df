/* SPDX-License-Identifier: MIT */
/*
 * stats_field.h - a counter of struct rollcall_stats with its name, for tables of them.
 */
#ifndef TESTS_SIM_STATS_FIELD_H
#define TESTS_SIM_STATS_FIELD_H

#include <stddef.h>

#include "rollcall.h"

struct stats_field {
	const char *name;
	size_t offset;
};

#define STATS_FIELD(name)                                                                          \
	{                                                                                          \
#name, offsetof(struct rollcall_stats, name)                                       \
	}

static inline uint64_t stats_field_value(const struct stats_field *field,
					 const struct rollcall_stats *stats)
{
	return *(const uint64_t *)((const char *)stats + field->offset);
}

#endif
