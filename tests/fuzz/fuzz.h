/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what each fuzz target defines. libFuzzer calls it with inputs that it makes up, replay.c
 * with those of the corpus. A target that finds something wrong aborts.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
