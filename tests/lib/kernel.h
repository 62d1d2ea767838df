/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - tests of what older kernels do not do.
 */
#ifndef LIB_KERNEL_H
#define LIB_KERNEL_H

#include "lib/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/utsname.h>

static inline bool is_linux_since(unsigned major, unsigned minor)
{
	unsigned here[2] = { 0 };
	struct utsname name;

	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%u.%u", &here[0], &here[1]), 2);
	return here[0] > major || (here[0] == major && here[1] >= minor);
}

/* Ends a test on older kernels. */
#define needs_linux(major, minor, reason)                                                          \
	do {                                                                                       \
		if (!is_linux_since(major, minor)) {                                               \
			print_message("# %s: %s\n", __func__, reason);                             \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

#endif
