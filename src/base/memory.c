/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <sys/mman.h>

void *memory_reserve(size_t bytes)
{
	/* NORESERVE: a table for the limit may exceed the memory ever used, or that of the host. */
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void memory_release(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}
