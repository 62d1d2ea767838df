/* SPDX-License-Identifier: MIT */
/* The texts of the reasons that rollcall.h names, and of others. */
#include "lib/test.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "rollcall.h"

static void named_reasons(void **state)
{
	static const struct {
		int reason;
		const char *text;
	} cases[] = {
		{ 0, "ended by the client" },
		{ -ECANCELED, "closed by the service" },
		{ -ECONNABORTED, "aborted by the service" },
		{ -ECONNRESET, "reset by the client" },
		{ -EPIPE, "reset by the client" },
		{ -ETIMEDOUT, "timed out: no acknowledgement from the client" },
		{ -ETIME, "idle timeout" },
		{ -ENODATA, "message timeout" },
		{ -EMSGSIZE, "message too long" },
		{ -ENOBUFS, "no memory for its data" },
		{ -ESHUTDOWN, "the server is stopping" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(rollcall_reason_text(cases[i].reason), cases[i].text);
}

/* Every other number has a text too: the system's, or one that says that it is unknown. */
static void other_reasons(void **state)
{
	(void)state;
	assert_string_equal(rollcall_reason_text(-EHOSTUNREACH), "No route to host");
	assert_string_equal(rollcall_reason_text(-EMFILE), "Too many open files");
	assert_string_equal(rollcall_reason_text(-9999), "unknown error");
	assert_string_equal(rollcall_reason_text(INT_MAX), "unknown error");
	for (int reason = -200; reason <= 200; reason++) {
		const char *text = rollcall_reason_text(reason);

		assert_non_null(text);
		assert_int_not_equal(strlen(text), 0);
		assert_null(strchr(text, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_reasons),
		cmocka_unit_test(other_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
