/* SPDX-License-Identifier: MIT */
/* Log lines: which levels pass, what is passed on, and where a long line is cut. */
#include "lib/test.h"

#include <string.h>

#include "base/log.h"

static char last_text[2 * LOG_LINE_BYTES];
static enum rollcall_log_level last_level;
static void *last_context;
static unsigned lines;

static void note(enum rollcall_log_level level, const char *text, void *context)
{
	assert_in_range(strlen(text), 0, sizeof(last_text) - 1);
	strcpy(last_text, text);
	last_level = level;
	last_context = context;
	lines++;
}

/* A line passes if its level is as important as the log's or more; level and context come along. */
static void levels(void **state)
{
	(void)state;
	for (int limit = ROLLCALL_LOG_ERROR; limit <= ROLLCALL_LOG_DEBUG; limit++) {
		const struct log log = { note, &lines, (enum rollcall_log_level)limit };

		for (int level = ROLLCALL_LOG_ERROR; level <= ROLLCALL_LOG_DEBUG; level++) {
			lines = 0;
			log_write(&log, (enum rollcall_log_level)level, "line");
			assert_int_equal(lines, level <= limit ? 1 : 0);
			if (lines == 0)
				continue;
			assert_int_equal(last_level, level);
			assert_ptr_equal(last_context, &lines);
		}
	}
}

static void format(void **state)
{
	const struct log log = { note, NULL, ROLLCALL_LOG_INFO };

	(void)state;
	log_write(&log, ROLLCALL_LOG_INFO, "%s: %d%%", "half", 50);
	assert_string_equal(last_text, "half: 50%");
	log_write(&log, ROLLCALL_LOG_INFO, "%s", "");
	assert_string_equal(last_text, "");
}

/* Without a function nothing is written, and nothing else happens. */
static void no_function(void **state)
{
	const struct log log = { NULL, NULL, ROLLCALL_LOG_DEBUG };

	(void)state;
	lines = 0;
	log_write(&log, ROLLCALL_LOG_ERROR, "line");
	assert_int_equal(lines, 0);
}

/* A line and its NUL fill LOG_LINE_BYTES exactly; of a longer one the rest is missing. */
static void cut(void **state)
{
	const struct log log = { note, NULL, ROLLCALL_LOG_INFO };
	char text[LOG_LINE_BYTES + 2];

	(void)state;
	for (size_t bytes = LOG_LINE_BYTES - 2; bytes <= LOG_LINE_BYTES + 1; bytes++) {
		size_t expected = bytes < LOG_LINE_BYTES ? bytes : LOG_LINE_BYTES - 1;

		memset(text, 'x', bytes);
		text[bytes] = '\0';
		log_write(&log, ROLLCALL_LOG_INFO, "%s", text);
		assert_int_equal(strlen(last_text), expected);
		assert_memory_equal(last_text, text, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(format),
		cmocka_unit_test(no_function),
		cmocka_unit_test(cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
