/* SPDX-License-Identifier: MIT */
/*
 * poison.h - marks memory as inaccessible for AddressSanitizer. A no-op without it, or if its
 * header is not installed.
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)(memory), (void)(bytes))
#endif

#endif
