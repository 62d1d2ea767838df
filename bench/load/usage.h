/* SPDX-License-Identifier: MIT */
/*
 * usage.h - what a process has used so far, in all its threads.
 */
#ifndef LOAD_USAGE_H
#define LOAD_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
	uint64_t cpu_ns;
	uint64_t wait_ns; /* runnable, but another had the core */
	uint64_t switches;
	uint64_t memory_bytes; /* resident */
};

/* Ends the program if there is no such process. */
void usage_read(struct usage *usage, pid_t pid);

/* What was used between two readings; memory is that of the later one. */
struct usage usage_between(const struct usage *before, const struct usage *after);

#endif
