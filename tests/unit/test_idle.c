/* SPDX-License-Identifier: MIT */
/* Clients found idle: never early, at most a sixteenth late, by a clock that the test sets. */
#include "lib/test.h"

#include "client/idle.h"
#include "lib/random.h"

#define CLIENTS 8
#define TIMEOUT_MS 1600
#define LATEST_MS (TIMEOUT_MS + TIMEOUT_MS / 16)
#define MS 1000000

static struct table table;
static struct timers timers;
static struct idle idle;
static struct client *clients[CLIENTS];
static uint64_t start_ms, now_ms;
static uint64_t expired_ms[CLIENTS]; /* when, after the start; UINT64_MAX: not yet */
static size_t expired_order[CLIENTS], expired_count;
static void (*then)(struct idle *idle, struct client *client);

static void on_expired(struct idle *of, struct client *client)
{
	assert_ptr_equal(of, &idle);
	assert_false(client_is_listed(client, LIST_IDLE));
	assert_int_equal(expired_ms[client->id], UINT64_MAX);
	expired_ms[client->id] = now_ms - start_ms;
	expired_order[expired_count++] = (size_t)client->id;
	if (then)
		then(of, client);
}

static void start(uint64_t timeout_ms, uint64_t first_ms)
{
	timers = (struct timers){ 0 };
	assert_int_equal(table_init(&table, CLIENTS), 0);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = table_add(&table, ROLLCALL_TCP);
		expired_ms[i] = UINT64_MAX;
	}
	assert_int_equal(idle_init(&idle, &table, &timers, timeout_ms, on_expired), 0);
	start_ms = now_ms = first_ms;
	expired_count = 0;
	then = NULL;
}

static int tear_down(void **state)
{
	(void)state;
	timers_destroy(&timers);
	table_destroy(&table);
	return 0;
}

static void touch(size_t index)
{
	idle_touch(&idle, clients[index], now_ms * MS);
}

/* Lets time pass until so long after the start, as the server's loop does: from timer to timer. */
static void pass_until(uint64_t ms)
{
	unsigned turns = 0;

	while (timers_next(&timers) <= (start_ms + ms) * MS) {
		now_ms = timers_next(&timers) / MS;
		timers_run(&timers, timers_next(&timers));
		assert_in_range(++turns, 1, 100 * CLIENTS);
	}
	now_ms = start_ms + ms;
	timers_run(&timers, now_ms * MS);
}

/* A client that does nothing is found a sixteenth after the timeout, and once only. */
static void expires(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	touch(0);
	pass_until(LATEST_MS - 1);
	assert_int_equal(expired_count, 0);
	pass_until(LATEST_MS);
	assert_int_equal(expired_ms[0], LATEST_MS);
	pass_until(10 * LATEST_MS);
	assert_int_equal(expired_count, 1);
	assert_int_equal(timers_next(&timers), UINT64_MAX);
}

/* Without a timeout nothing happens at all. */
static void no_timeout(void **state)
{
	(void)state;
	start(0, 1000);
	touch(0);
	assert_false(client_is_listed(clients[0], LIST_IDLE));
	assert_int_equal(timers_next(&timers), UINT64_MAX);
	idle_remove(&idle, clients[0]);
}

/* Activity puts it off; within a sixteenth of the timeout the list stays as it is. */
static void touch_moves(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	touch(0);
	touch(1);
	pass_until(TIMEOUT_MS / 16);
	touch(0);
	assert_ptr_equal(client_list_first(&table, &idle.list), clients[0]);
	pass_until(TIMEOUT_MS / 16 + 1);
	touch(0);
	assert_ptr_equal(client_list_first(&table, &idle.list), clients[1]);
	pass_until(3 * TIMEOUT_MS);
	assert_int_equal(expired_ms[1], LATEST_MS);
	assert_int_equal(expired_ms[0], TIMEOUT_MS / 16 + 1 + LATEST_MS);
}

/* One that is always active in time is never found; another is, meanwhile. */
static void active_for_ever(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	touch(1);
	for (uint64_t ms = 0; ms < 20 * TIMEOUT_MS; ms += TIMEOUT_MS - 1) {
		pass_until(ms);
		touch(0);
	}
	assert_int_equal(expired_ms[0], UINT64_MAX);
	assert_int_equal(expired_ms[1], LATEST_MS);
}

/* They are found in the order of their last activity. */
static void order(void **state)
{
	static const size_t order[] = { 3, 1, 7, 0, 2 };

	(void)state;
	start(TIMEOUT_MS, 1000);
	for (size_t i = 0; i < COUNT(order); i++) {
		pass_until(200 * i);
		touch(order[i]);
	}
	pass_until(3 * TIMEOUT_MS);
	assert_int_equal(expired_count, COUNT(order));
	for (size_t i = 0; i < COUNT(order); i++) {
		assert_int_equal(expired_order[i], order[i]);
		assert_int_equal(expired_ms[order[i]], 200 * i + LATEST_MS);
	}
}

/* One that was taken off is not found, and the timer goes on for the others. */
static void removal(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	touch(0);
	pass_until(500);
	touch(1);
	idle_remove(&idle, clients[0]);
	idle_remove(&idle, clients[0]);
	pass_until(5 * TIMEOUT_MS);
	assert_int_equal(expired_ms[0], UINT64_MAX);
	assert_int_equal(expired_ms[1], 500 + LATEST_MS);

	/* The timer had found nobody left; it starts again with the next client. */
	touch(2);
	pass_until(10 * TIMEOUT_MS);
	assert_int_equal(expired_ms[2], 5 * TIMEOUT_MS + LATEST_MS);
}

static void take_the_next_off(struct idle *of, struct client *client)
{
	if (client->id == 0)
		idle_remove(of, clients[1]);
	else if (client->id == 2)
		idle_touch(of, client, now_ms * MS);
	then = client->id == 2 ? NULL : take_the_next_off;
}

/* The function called may take other clients off, and put the same one on again. */
static void change_while_expiring(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	then = take_the_next_off;
	for (size_t i = 0; i < 4; i++)
		touch(i);
	pass_until(LATEST_MS);
	assert_int_equal(expired_count, 3);
	assert_int_equal(expired_ms[1], UINT64_MAX);
	expired_ms[2] = UINT64_MAX;
	pass_until(2 * LATEST_MS);
	assert_int_equal(expired_ms[2], 2 * LATEST_MS);
}

/*
 * Random activity against the time of each client's last one: found no earlier than the timeout after it,
 * and no later than a sixteenth more. It begins shortly before the 32 bits of milliseconds go round.
 */
static void random_model(void **state)
{
	static const uint64_t timeouts[] = { 1, 15, 16, 100, TIMEOUT_MS };

	(void)state;
	for (size_t i = 0; i < COUNT(timeouts); i++) {
		uint64_t timeout_ms = timeouts[i], seed = i, last_ms[CLIENTS] = { 0 };
		bool listed[CLIENTS] = { false };
		size_t found = 0;

		start(timeout_ms, UINT32_MAX - 20 * timeout_ms);
		for (uint64_t ms = 0; ms < 100 * timeout_ms;
		     ms += 1 + random_below(&seed, 1 + timeout_ms / 2)) {
			size_t pick = (size_t)random_below(&seed, CLIENTS);

			pass_until(ms);
			for (size_t one = 0; one < CLIENTS; one++) {
				if (expired_ms[one] != UINT64_MAX) {
					assert_true(listed[one]);
					assert_in_range(expired_ms[one] - last_ms[one], timeout_ms,
							timeout_ms + timeout_ms / 16);
					expired_ms[one] = UINT64_MAX;
					listed[one] = false;
					found++;
				}
				if (listed[one])
					assert_in_range(ms - last_ms[one], 0,
							timeout_ms + timeout_ms / 16);
			}
			expired_count = 0;
			touch(pick);
			listed[pick] = true;
			last_ms[pick] = ms;
		}
		assert_in_range(found, 10, SIZE_MAX);
		tear_down(NULL);
	}
	start(1, 1);
}

#define TEST(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(expires), TEST(no_timeout), TEST(touch_moves),
		TEST(active_for_ever), TEST(order), TEST(removal),
		TEST(change_while_expiring), TEST(random_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
