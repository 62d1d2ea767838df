/* SPDX-License-Identifier: MIT */
/* Structs that can grow: callers with a smaller, an equal and a larger struct than ours. */
#include "lib/test.h"

#include <errno.h>
#include <string.h>

#include "base/sized.h"
#include "rollcall.h"

#define OLD 24 /* size in the first version */
#define OURS 32

static uint8_t ours[OURS], theirs[SIZED_BYTES_MAX + 1], before[SIZED_BYTES_MAX + 1];

/* Ours is full of 1; of theirs, `bytes` are 2, and 0xee follows. */
static void fill(size_t bytes)
{
	memset(ours, 1, sizeof(ours));
	memset(theirs, 0xee, sizeof(theirs));
	memset(theirs, 2, bytes);
	memcpy(before, theirs, sizeof(theirs));
}

static void assert_bytes(const uint8_t *bytes, size_t from, size_t to, uint8_t value)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(bytes[i], value);
}

/* What a caller lacks keeps its value, the default; nothing behind the caller's struct is read. */
static void reads_smaller(void **state)
{
	(void)state;
	for (size_t bytes = OLD; bytes <= OURS; bytes++) {
		fill(bytes);
		assert_int_equal(sized_read(ours, OURS, theirs, bytes, OLD), 0);
		assert_bytes(ours, 0, bytes, 2);
		assert_bytes(ours, bytes, OURS, 1);
	}
}

static void reads_larger(void **state)
{
	(void)state;
	for (size_t bytes = OURS + 1; bytes <= SIZED_BYTES_MAX; bytes++) {
		fill(OURS);
		memset(theirs + OURS, 0, bytes - OURS);
		assert_int_equal(sized_read(ours, OURS, theirs, bytes, OLD), 0);
		assert_bytes(ours, 0, OURS, 2);
	}
}

/* Each byte of the unknown tail counts, and none behind it. */
static void refuses_unknown(void **state)
{
	(void)state;
	for (size_t i = OURS; i < OURS + 16; i++) {
		fill(OURS);
		memset(theirs + OURS, 0, 16);
		theirs[i] = 1;
		assert_int_equal(sized_read(ours, OURS, theirs, OURS + 16, OLD), -E2BIG);
		assert_bytes(ours, 0, OURS, 1);
	}
}

static void writes_smaller(void **state)
{
	(void)state;
	for (size_t bytes = OLD; bytes <= OURS; bytes++) {
		fill(bytes);
		assert_int_equal(sized_write(theirs, bytes, ours, OURS, OLD), 0);
		assert_bytes(theirs, 0, bytes, 1);
		assert_bytes(theirs, bytes, sizeof(theirs), 0xee);
	}
}

static void writes_larger(void **state)
{
	(void)state;
	for (size_t bytes = OURS + 1; bytes <= SIZED_BYTES_MAX; bytes++) {
		fill(bytes);
		assert_int_equal(sized_write(theirs, bytes, ours, OURS, OLD), 0);
		assert_bytes(theirs, 0, OURS, 1);
		assert_bytes(theirs, OURS, bytes, 0);
		assert_bytes(theirs, bytes, sizeof(theirs), 0xee);
	}
}

/* Sizes below the first version's, and those that were never set. */
static void refuses_sizes(void **state)
{
	static const struct {
		const char *name;
		size_t bytes;
		int result;
	} cases[] = {
		{ "none", 0, -EINVAL },
		{ "below the first", OLD - 1, -EINVAL },
		{ "above all", SIZED_BYTES_MAX + 1, -E2BIG },
		{ "garbage", SIZE_MAX, -E2BIG },
	};

	(void)state;
	fill(OLD);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_case(cases[i].name, sized_read(ours, OURS, theirs, cases[i].bytes, OLD),
			    cases[i].result);
		assert_case(cases[i].name, sized_write(theirs, cases[i].bytes, ours, OURS, OLD),
			    cases[i].result);
	}
	assert_bytes(ours, 0, OURS, 1);
	assert_memory_equal(theirs, before, sizeof(theirs));
}

/* A field put where padding was would be set by what an older caller left there. */
#define NO_PADDING_AFTER(type, member)                                                             \
	_Static_assert(SIZED_THROUGH(type, member) == sizeof(type),                                \
		       #member " is the last member of " #type ", without padding behind it")

NO_PADDING_AFTER(struct rollcall_service, disconnected);
NO_PADDING_AFTER(struct rollcall_options, log_context);
NO_PADDING_AFTER(struct rollcall_client_info, sequence);
NO_PADDING_AFTER(struct rollcall_sequence, jitter_us);
NO_PADDING_AFTER(struct rollcall_io, context);
NO_PADDING_AFTER(struct rollcall_stats, tcp_refused_source);
NO_PADDING_AFTER(struct rollcall_feature, result);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_smaller),   cmocka_unit_test(reads_larger),
		cmocka_unit_test(refuses_unknown), cmocka_unit_test(writes_smaller),
		cmocka_unit_test(writes_larger),   cmocka_unit_test(refuses_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
