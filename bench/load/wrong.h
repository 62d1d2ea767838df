/* SPDX-License-Identifier: MIT */
/*
 * wrong.h - shows what is wrong in an answer.
 */
#ifndef LOAD_WRONG_H
#define LOAD_WRONG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Ends the program with the first byte that differs: its position in the client's stream (UDP: in
 * the datagram), and some bytes from there on. One has to differ.
 */
__attribute__((noreturn)) void wrong_bytes(uint32_t client, uint64_t position, const char *expected,
					   const char *got, size_t bytes);

#endif
