/* SPDX-License-Identifier: MIT */
/* The version: its number and its text agree, in the header and in the library. */
#include "lib/test.h"

#include <stdio.h>

#include "rollcall.h"

#if ROLLCALL_VERSION_NUMBER < 0x000100 || ROLLCALL_VERSION_NUMBER > 0xffffff
#error "the number is for the preprocessor too"
#endif

static void version(void **state)
{
	const unsigned number = rollcall_version();
	char text[32];

	(void)state;
	assert_int_equal(number, ROLLCALL_VERSION_NUMBER);
	assert_int_equal(number >> 16, ROLLCALL_VERSION_MAJOR);
	assert_int_equal(number >> 8 & 0xff, ROLLCALL_VERSION_MINOR);
	assert_int_equal(number & 0xff, ROLLCALL_VERSION_PATCH);
	snprintf(text, sizeof(text), "%d.%d.%d", ROLLCALL_VERSION_MAJOR, ROLLCALL_VERSION_MINOR,
		 ROLLCALL_VERSION_PATCH);
	assert_string_equal(ROLLCALL_VERSION, text);
	assert_string_equal(rollcall_version_text(), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
