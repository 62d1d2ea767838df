/* SPDX-License-Identifier: MIT */
/*
 * Log lines: which levels pass, what is passed on, where a long line is cut, and how many warnings
 * of a kind are written in a minute.
 */
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
		struct log log = { .write = note,
				   .context = &lines,
				   .level = (enum rollcall_log_level)limit };

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
	struct log log = { .write = note, .level = ROLLCALL_LOG_INFO };

	(void)state;
	log_write(&log, ROLLCALL_LOG_INFO, "%s: %d%%", "half", 50);
	assert_string_equal(last_text, "half: 50%");
	log_write(&log, ROLLCALL_LOG_INFO, "%s", "");
	assert_string_equal(last_text, "");
}

/* Without a function nothing is written, and nothing else happens. */
static void no_function(void **state)
{
	struct log log = { .level = ROLLCALL_LOG_DEBUG };

	(void)state;
	lines = 0;
	log_write(&log, ROLLCALL_LOG_ERROR, "line");
	assert_int_equal(lines, 0);
}

/* A line and its NUL fill LOG_LINE_BYTES exactly; of a longer one the rest is missing. */
static void cut(void **state)
{
	struct log log = { .write = note, .level = ROLLCALL_LOG_INFO };
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

static struct log limited;
static struct timers timers;
static uint64_t now_ns;

static int begin_limited(void **state)
{
	(void)state;
	limited = (struct log){ .write = note, .level = ROLLCALL_LOG_DEBUG };
	now_ns = 1;
	lines = 0;
	return log_limit(&limited, &timers, &now_ns);
}

static int end_limited(void **state)
{
	(void)state;
	log_unlimit(&limited);
	assert_int_equal(timers.count, 0);
	assert_int_equal(timers.reserved, 0);
	timers_destroy(&timers);
	return 0;
}

static void warn_of_one(int number)
{
	log_write(&limited, ROLLCALL_LOG_WARNING, "one %d", number);
}

static void pass_s(uint64_t seconds)
{
	now_ns += seconds * 1000000000;
	timers_run(&timers, now_ns);
}

/*
 * The first five are written at once. The rest is one line at the end of the minute, though nothing
 * else happens then; after it, five more are written at once.
 */
static void left_out(void **state)
{
	(void)state;
	for (int minute = 0; minute < 3; minute++) {
		lines = 0;
		for (int i = 1; i <= 1000; i++)
			warn_of_one(i);
		assert_int_equal(lines, 5);
		assert_string_equal(last_text, "one 5");
		pass_s(59);
		assert_int_equal(lines, 5);
		pass_s(1);
		assert_int_equal(lines, 6);
		assert_string_equal(last_text, "995 more like this within 60 s: one 1000");
		assert_int_equal(last_level, ROLLCALL_LOG_WARNING);
	}
	assert_int_equal(timers_next(&timers), UINT64_MAX);
}

/* What is not left out is not told of, and sets no timer: an idle server sleeps. */
static void few(void **state)
{
	(void)state;
	for (int i = 1; i <= 5; i++)
		warn_of_one(i);
	assert_int_equal(timers_next(&timers), UINT64_MAX);
	pass_s(60);
	for (int i = 6; i <= 10; i++)
		warn_of_one(i);
	assert_int_equal(lines, 10);
	assert_string_equal(last_text, "one 10");
}

/* The first line after the end of a minute finds the others told of, even before the timer runs. */
static void late_timer(void **state)
{
	(void)state;
	for (int i = 1; i <= 7; i++)
		warn_of_one(i);
	now_ns += UINT64_C(60000000000);
	warn_of_one(8);
	assert_int_equal(lines, 7);
	assert_string_equal(last_text, "one 8");
	timers_run(&timers, now_ns);
	assert_int_equal(lines, 7);
}

/* Each kind has its own five; information and debugging are not limited. */
static void kinds(void **state)
{
	(void)state;
	for (int i = 1; i <= 6; i++)
		warn_of_one(i);
	for (int i = 1; i <= 6; i++)
		log_write(&limited, ROLLCALL_LOG_ERROR, "other");
	assert_int_equal(lines, 10);
	for (int i = 1; i <= 6; i++)
		log_write(&limited, ROLLCALL_LOG_INFO, "information");
	assert_int_equal(lines, 16);
	pass_s(60);
	assert_int_equal(lines, 18);
	assert_string_equal(last_text, "1 more like this within 60 s: other");
	assert_int_equal(last_level, ROLLCALL_LOG_ERROR);
}

/* More kinds than fit share the last entry. */
static void too_many_kinds(void **state)
{
	static const char formats[LOG_KINDS_MAX + 10][2];

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++)
		log_write(&limited, ROLLCALL_LOG_WARNING, formats[i], "");
	assert_int_equal(lines, LOG_KINDS_MAX - 1 + LOG_BURST);
}

/* The end of the log tells of what was left out until then. */
static void told_at_the_end(void **state)
{
	(void)state;
	for (int i = 1; i <= 9; i++)
		warn_of_one(i);
	log_unlimit(&limited);
	assert_string_equal(last_text, "4 more like this within 60 s: one 9");
	log_unlimit(&limited);
	assert_int_equal(lines, 6);
}

#define LIMITED(test) cmocka_unit_test_setup_teardown(test, begin_limited, end_limited)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels), cmocka_unit_test(format), cmocka_unit_test(no_function),
		cmocka_unit_test(cut),	  LIMITED(left_out),	    LIMITED(few),
		LIMITED(late_timer),	  LIMITED(kinds),	    LIMITED(too_many_kinds),
		LIMITED(told_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
