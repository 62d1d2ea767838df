/* SPDX-License-Identifier: MIT */
/*
 * memory.h - large memory, reserved at the start: pages that are never touched cost nothing.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed, aligned to a page; NULL: no address space left, or vm.overcommit_memory forbids it. */
void *memory_reserve(size_t bytes);

/* NULL is allowed. */
void memory_release(void *memory, size_t bytes);

#endif
