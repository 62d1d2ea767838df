/* SPDX-License-Identifier: MIT */
/*
 * The program's messages, written to a pipe: each is one line, whatever it quotes, and one console
 * takes both outputs where they are the same file.
 */
#include "lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program/diagnostics.h"

static struct diagnostics diagnostics;
static int pipe_fds[2];
static char shown[16384];

static int begin(void **state)
{
	(void)state;
	diagnostics_init(&diagnostics, ROLLCALL_LOG_INFO);
	if (pipe(pipe_fds))
		return -1;
	diagnostics.own.fd = pipe_fds[1];
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

static const char *read_shown(void)
{
	ssize_t bytes = read(pipe_fds[0], shown, sizeof(shown) - 1);

	assert_in_range(bytes, 1, sizeof(shown) - 1);
	shown[bytes] = '\0';
	return shown;
}

static void levels(void **state)
{
	(void)state;
	diagnostics_say(&diagnostics, ROLLCALL_LOG_DEBUG, "left out");
	diagnostics_say(&diagnostics, ROLLCALL_LOG_INFO, "%d of %s", 1, "two");
	assert_string_equal(read_shown(), "rollcall: info: 1 of two\n");
	diagnostics_log(ROLLCALL_LOG_WARNING, "of the library", &diagnostics);
	assert_string_equal(read_shown(), "rollcall: warning: of the library\n");
}

/* Escape sequences in 7 and 8 bits, line endings, and what is not UTF-8; letters are shown. */
static void escaped(void **state)
{
	(void)state;
	diagnostics_say(&diagnostics, ROLLCALL_LOG_ERROR, "'%s'",
			"\x1b]0;x\x07\n\xc2\x9b\xff\\ \xc3\xa4");
	assert_string_equal(read_shown(), "rollcall: error: "
					  "'\\x1b]0;x\\x07\\n\\xc2\\x9b\\xff\\\\ \xc3\xa4'\n");
	diagnostics_log(ROLLCALL_LOG_WARNING, "a\rb", &diagnostics);
	assert_string_equal(read_shown(), "rollcall: warning: a\\rb\n");
}

/* What to do about it is a second line, and neither can make a third. */
static void cures(void **state)
{
	(void)state;
	diagnostics_fail(&diagnostics, "a\nb", "c\nd");
	assert_string_equal(read_shown(), "rollcall: error: a\\nb\n  cure: c\\nd\n");
	diagnostics_fail(&diagnostics, "a", "");
	assert_string_equal(read_shown(), "rollcall: error: a\n");
}

/* A text that would grow too much is cut; the line still ends. */
static void cut(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 1, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	diagnostics_say(&diagnostics, ROLLCALL_LOG_ERROR, "%s", text);
	read_shown();
	assert_in_range(strlen(shown), 4000, 4200);
	assert_string_equal(shown + strlen(shown) - 8, "\\x01...\n");
}

static void join(int fd, bool is_joined)
{
	static struct console console;

	console_init(&console, fd, NULL, NULL);
	diagnostics_join(&diagnostics, &console);
	assert_int_equal(diagnostics.console == &console, is_joined);
	assert_int_equal(diagnostics.console == &diagnostics.own, !is_joined);
	diagnostics.console = &diagnostics.own;
}

/* A copy of the descriptor, or the file opened once more, is the same file; others are not. */
static void joined(void **state)
{
	char path[32];
	int fd;

	(void)state;
	fd = dup(pipe_fds[1]);
	join(fd, true);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_fds[1]);
	fd = open(path, O_WRONLY);
	join(fd, true);
	close(fd);
	fd = open("/dev/null", O_WRONLY);
	join(fd, false);
	close(fd);
	join(fd, false);
	/* The end for reading has the same number. */
	join(pipe_fds[0], false);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(levels), TEST(escaped), TEST(cures), TEST(cut), TEST(joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
