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

/* Unmaps memory of memory_reserve(); NULL is allowed. */
void memory_release(void *memory, size_t bytes);

#endif
