/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

void *memory_reserve(size_t bytes)
{
	/* NORESERVE: a table for the limit may exceed the memory ever used, or that of the host. */
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_ANONYMOUS | MAP_PRIVATE | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void memory_discard(void *memory, size_t bytes)
{
	const uintptr_t page = getauxval(AT_PAGESZ);
	const uintptr_t begin = ((uintptr_t)memory + page - 1) / page * page;
	const uintptr_t end = ((uintptr_t)memory + bytes) / page * page;

	if (begin < end)
		madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void memory_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void memory_release(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}
