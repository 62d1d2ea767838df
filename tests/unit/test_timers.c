/* SPDX-License-Identifier: MIT */
/* Timers: which expire in a run, in which order, and what may be done to them meanwhile. */
#include "lib/test.h"

#include <string.h>

#include "base/timers.h"
#include "lib/aborts.h"
#include "lib/random.h"

#define TIMERS 40

/* A timer that notes its expiry, and then does what a test wants. */
struct noted {
	struct timer timer;
	void (*then)(struct noted *noted);
};

static struct timers timers;
static struct noted noted[TIMERS];
static size_t expired[4 * TIMERS], expired_count; /* numbers of timers, in order */

static void on_expired(struct timer *timer)
{
	struct noted *one = container_of(timer, struct noted, timer);

	assert_int_equal(timer->position, 0);
	assert_in_range(expired_count, 0, COUNT(expired) - 1);
	expired[expired_count++] = (size_t)(one - noted);
	if (one->then)
		one->then(one);
}

static int set_up(void **state)
{
	(void)state;
	timers = (struct timers){ 0 };
	expired_count = 0;
	for (size_t i = 0; i < TIMERS; i++) {
		noted[i] = (struct noted){ .timer = { .expired = on_expired } };
		if (timers_reserve(&timers))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	timers_destroy(&timers);
	return 0;
}

static void set(size_t index, uint64_t deadline_ns)
{
	timers_set(&timers, &noted[index].timer, deadline_ns);
}

static void run(uint64_t now_ns)
{
	expired_count = 0;
	timers_run(&timers, now_ns);
}

static void assert_expired(const char *expected)
{
	char text[4 * COUNT(expired)] = "";
	size_t used = 0;

	for (size_t i = 0; i < expired_count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%zu ", expired[i]);
	assert_string_equal(text, expected);
}

/* They expire in the order of their deadlines, at the deadline and not before. */
static void order(void **state)
{
	(void)state;
	assert_int_equal(timers_next(&timers), UINT64_MAX);
	set(0, 30);
	set(1, 10);
	set(2, 20);
	set(3, 40);
	assert_int_equal(timers_next(&timers), 10);
	run(9);
	assert_expired("");
	run(10);
	assert_expired("1 ");
	assert_int_equal(timers_next(&timers), 20);
	run(39);
	assert_expired("2 0 ");
	run(40);
	assert_expired("3 ");
	assert_int_equal(timers_next(&timers), UINT64_MAX);
	run(1000);
	assert_expired("");
}

/* All with the same deadline expire in the same run. */
static void same_deadline(void **state)
{
	(void)state;
	for (size_t i = 0; i < TIMERS; i++)
		set(i, 5);
	run(5);
	assert_int_equal(expired_count, TIMERS);
	assert_int_equal(timers.count, 0);
}

/* Setting a timer that is set moves it, both ways; it expires once. */
static void set_again(void **state)
{
	(void)state;
	set(0, 10);
	set(1, 20);
	set(2, 30);
	set(0, 40);
	assert_int_equal(timers_next(&timers), 20);
	set(2, 5);
	assert_int_equal(timers_next(&timers), 5);
	set(1, 20);
	assert_int_equal(timers.count, 3);
	run(100);
	assert_expired("2 1 0 ");
}

/* Any may be cleared, one that is not set too, and the others keep their order. */
static void clear(void **state)
{
	(void)state;
	for (size_t cleared = 0; cleared < 8; cleared++) {
		for (size_t i = 0; i < 8; i++)
			set(i, timers.now_ns + 10 + (i * 5) % 8);
		timers_clear(&timers, &noted[cleared].timer);
		timers_clear(&timers, &noted[cleared].timer);
		timers_clear(&timers, &noted[TIMERS - 1].timer);
		assert_int_equal(timers.count, 7);
		run(timers.now_ns + 20);
		assert_int_equal(expired_count, 7);
		for (size_t i = 0; i < 7; i++) {
			assert_int_not_equal(expired[i], cleared);
			if (i > 0)
				assert_true(expired[i - 1] * 5 % 8 < expired[i] * 5 % 8);
		}
	}
}

static void set_into_the_past(struct noted *one)
{
	timers_set(&timers, &one->timer, 0);
	timers_set(&timers, &noted[1].timer, timers.now_ns);
}

/* What expired() sets expires in a later run, however early its deadline: the loop goes on. */
static void set_in_expired(void **state)
{
	(void)state;
	noted[0].then = set_into_the_past;
	set(0, 10);
	run(50);
	assert_expired("0 ");
	assert_int_equal(timers_next(&timers), 51);
	run(50);
	assert_expired("");
	noted[0].then = NULL;
	run(51);
	assert_int_equal(expired_count, 2);
}

static void clear_the_next(struct noted *one)
{
	timers_clear(&timers, &one[1].timer);
}

/* A timer that is due does not expire if another's expired() clears it first. */
static void clear_in_expired(void **state)
{
	(void)state;
	noted[0].then = clear_the_next;
	set(0, 1);
	set(1, 2);
	set(2, 3);
	run(10);
	assert_expired("0 2 ");
}

/* Random setting, clearing and running against a plain array of deadlines. */
static void random_model(void **state)
{
	uint64_t deadlines[TIMERS] = { 0 }; /* 0: not set */
	uint64_t seed = 7, now_ns = 0;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		size_t pick = (size_t)random_below(&seed, TIMERS), due = 0;
		uint64_t next = UINT64_MAX;

		switch (random_below(&seed, 4)) {
		case 0:
			timers_clear(&timers, &noted[pick].timer);
			deadlines[pick] = 0;
			break;
		case 1:
			now_ns += random_below(&seed, 20);
			run(now_ns);
			for (size_t i = 0; i < expired_count; i++) {
				assert_in_range(deadlines[expired[i]], 1, now_ns);
				if (i > 0)
					assert_true(noted[expired[i - 1]].timer.deadline_ns <=
						    noted[expired[i]].timer.deadline_ns);
			}
			for (size_t i = 0; i < expired_count; i++)
				deadlines[expired[i]] = 0;
			break;
		default:
			deadlines[pick] = now_ns + 1 + random_below(&seed, 100);
			set(pick, deadlines[pick]);
		}
		for (size_t i = 0; i < TIMERS; i++) {
			due += deadlines[i] > 0;
			if (deadlines[i] > 0 && deadlines[i] < next)
				next = deadlines[i];
		}
		assert_int_equal(timers_next(&timers), next);
		assert_int_equal(timers.count, due);
	}
}

static void set_one_too_many(void *unused)
{
	struct timer timer = { 0 };

	(void)unused;
	timers_set(&timers, &timer, 1);
}

static void unreserve_one_in_use(void *unused)
{
	(void)unused;
	timers_unreserve(&timers);
}

/* A place is reserved for each timer, and only what is not in use can be given back. */
static void reservations(void **state)
{
	(void)state;
	for (size_t i = 0; i < TIMERS; i++)
		set(i, i + 1);
	assert_true(aborts(set_one_too_many, NULL));
	assert_true(aborts(unreserve_one_in_use, NULL));
	timers_clear(&timers, &noted[3].timer);
	timers_unreserve(&timers);
	assert_true(aborts(unreserve_one_in_use, NULL));
	assert_int_equal(timers_reserve(&timers), 0);
	set(3, 100);
	run(1000);
	assert_int_equal(expired_count, TIMERS);
	assert_int_equal(expired[TIMERS - 1], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(same_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(set_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clear, set_up, tear_down),
		cmocka_unit_test_setup_teardown(set_in_expired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clear_in_expired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reservations, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
