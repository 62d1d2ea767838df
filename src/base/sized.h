/* SPDX-License-Identifier: MIT */
/*
 * sized.h - structs of rollcall.h that can grow: the caller states the size of its struct.
 *
 * As with openat2(2) and clone3(2), new fields go to the end and mean nothing while they are 0. So
 * a program and a library built with different versions of rollcall.h understand each other as long
 * as neither needs what the other lacks.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stddef.h>

/* Size of a struct through `member`: its whole size in the version whose last member it was. */
#define SIZED_THROUGH(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* Maximum size: above it, the caller has not set its size. */
#define SIZED_BYTES_MAX 4096

/* Checks the size that a caller states. Errors: -EINVAL: below bytes_min; -E2BIG: too large. */
int sized_check(size_t bytes, size_t bytes_min);

/*
 * Copies an input struct of from_bytes, the size that its caller states, to *to, the one known
 * here. Fields that the caller lacks keep their values in *to. Nothing is copied on an error:
 * those of sized_check(), and -E2BIG also if a byte unknown here is not 0.
 */
int sized_read(void *to, size_t to_bytes, const void *from, size_t from_bytes, size_t bytes_min);

/*
 * Copies the output struct *from to the caller's, of to_bytes: as much as fits, and 0 to the rest
 * of a larger one. Nothing is written on an error (sized_check()).
 */
int sized_write(void *to, size_t to_bytes, const void *from, size_t from_bytes, size_t bytes_min);

#endif
