/* SPDX-License-Identifier: MIT */
/*
 * counter.h - the counters of struct rollcall_stats by name, for tables of them.
 */
#ifndef TESTS_SIM_COUNTER_H
#define TESTS_SIM_COUNTER_H

#include <stddef.h>

#include "rollcall.h"

struct counter {
	const char *name;
	size_t offset;
};

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct rollcall_stats, name)                                       \
	}

static inline uint64_t counter_value(const struct counter *counter,
				     const struct rollcall_stats *stats)
{
	return *(const uint64_t *)((const char *)stats + counter->offset);
}

#endif
