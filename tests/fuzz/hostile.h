/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - a kernel behind ring/ring.h and ring/socket.h that does to the server whatever a
 * kernel may do, as a script of bytes says: completions in any order, with any result that the
 * operation can have, as late as it likes.
 *
 * Where the script ends, there is no memory for a while: a server that asks again and again without
 * waiting is caught. Then it turns kind: what can complete does, and time passes. A server that was
 * stopped has to come to its end; one that waits without end, or turns on and on, is caught. So are
 * descriptors closed twice, with an operation in flight, or never; buffers given twice, or used
 * while the kernel has them (where there is AddressSanitizer); and memory changed while it is sent.
 */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One at a time. ended() is called once, where the kernel turns kind. */
void hostile_begin(const uint8_t *script, size_t bytes, void (*ended)(void *context),
		   void *context);

/* The server is gone: all must have been given back. */
void hostile_end(void);

/* The next byte of the script; 0: it has ended. */
uint8_t hostile_byte(void);

#endif
