/* SPDX-License-Identifier: MIT */
/*
 * memory.h - large tables, reserved at the start: untouched pages take no memory.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/*
 * Returns zeroed, page-aligned memory; NULL: no address space left, or vm.overcommit_memory forbids
 * it.
 */
void *memory_reserve(size_t bytes);

/*
 * Gives the whole pages of this range of memory_reserve() back to the system. They are zero when
 * next touched.
 */
void memory_discard(void *memory, size_t bytes);

/* Asks malloc(3) to give back what it keeps of freed memory, where it can (glibc). */
void memory_trim(void);

/* Unmaps memory of memory_reserve(); NULL is allowed. */
void memory_release(void *memory, size_t bytes);

#endif
