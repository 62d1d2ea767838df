/* SPDX-License-Identifier: MIT */
/*
 * test.h - what every test includes: cmocka, and before it what its header needs.
 */
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* assert_int_equal() for one case of a table, with the case's name when it fails. */
#define assert_case(name, a, b)                                                                    \
	assert_case_at(name, (intmax_t)(a), (intmax_t)(b), __FILE__, __LINE__)

static inline void assert_case_at(const char *name, intmax_t a, intmax_t b, const char *file,
				  int line)
{
	if (a != b)
		print_error("%s: %jd != %jd\n", name, a, b);
	_assert_int_equal((LargestIntegralType)a, (LargestIntegralType)b, file, line);
}

#endif
