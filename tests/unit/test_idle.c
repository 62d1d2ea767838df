/* SPDX-License-Identifier: MIT */
/*
 * Clients found idle: never early, and late by at most a sixteenth and the two milliseconds that
 * cutting to milliseconds may cost; by a clock that the test sets.
 */
#include "lib/test.h"

#include <string.h>

#include "client/idle.h"
#include "lib/random.h"

#define CLIENTS 8
#define TIMEOUT_MS 1600

/* When a client is found that was touched at a whole millisecond. */
#define LATEST_MS (TIMEOUT_MS + TIMEOUT_MS / 16 + 1)
#define MS ((uint64_t)1000000)

static struct table table;
static struct timers timers;
static struct idle idle;
static struct client *clients[CLIENTS];
static uint64_t start_ns, now_ns;
static uint64_t expired_ns[CLIENTS]; /* when; UINT64_MAX: not yet */
static size_t expired_order[CLIENTS], expired_count;
static void (*then)(struct idle *idle, struct client *client);

static void on_expired(struct idle *of, struct client *client)
{
	assert_ptr_equal(of, &idle);
	assert_false(client_is_in_list(client, LIST_IDLE));
	assert_int_equal(expired_ns[client->id], UINT64_MAX);
	expired_ns[client->id] = now_ns;
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
		expired_ns[i] = UINT64_MAX;
	}
	assert_int_equal(idle_init(&idle, &table, &timers, timeout_ms, on_expired), 0);
	start_ns = now_ns = first_ms * MS;
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
	idle_touch(&idle, clients[index], now_ns);
}

/* Lets time pass until then, as the server's loop does: from timer to timer. */
static void pass_until_ns(uint64_t ns)
{
	unsigned turns = 0;

	while (timers_next(&timers) <= ns) {
		now_ns = timers_next(&timers);
		timers_run(&timers, now_ns);
		assert_in_range(++turns, 1, 100 * CLIENTS);
	}
	now_ns = ns;
	timers_run(&timers, now_ns);
}

/* Until this time after the start. */
static void pass_until(uint64_t ms)
{
	pass_until_ns(start_ns + ms * MS);
}

/* When a client was found, after the start. */
static uint64_t expired_ms(size_t index)
{
	assert_int_not_equal(expired_ns[index], UINT64_MAX);
	return (expired_ns[index] - start_ns) / MS;
}

/* A client that does nothing is found a sixteenth and a bit after the timeout, once only. */
static void expires(void **state)
{
	(void)state;
	start(TIMEOUT_MS, 1000);
	touch(0);
	pass_until(LATEST_MS - 1);
	assert_int_equal(expired_count, 0);
	pass_until(LATEST_MS);
	assert_int_equal(expired_ms(0), LATEST_MS);
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
	assert_false(client_is_in_list(clients[0], LIST_IDLE));
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
	assert_int_equal(expired_ms(1), LATEST_MS);
	assert_int_equal(expired_ms(0), TIMEOUT_MS / 16 + 1 + LATEST_MS);
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
	assert_int_equal(expired_ns[0], UINT64_MAX);
	assert_int_equal(expired_ms(1), LATEST_MS);
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
		assert_int_equal(expired_ms(order[i]), 200 * i + LATEST_MS);
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
	assert_int_equal(expired_ns[0], UINT64_MAX);
	assert_int_equal(expired_ms(1), 500 + LATEST_MS);

	/* The timer had found nobody left; it starts again with the next client. */
	touch(2);
	pass_until(10 * TIMEOUT_MS);
	assert_int_equal(expired_ms(2), 5 * TIMEOUT_MS + LATEST_MS);
}

static void take_the_next_off(struct idle *of, struct client *client)
{
	if (client->id == 0)
		idle_remove(of, clients[1]);
	else if (client->id == 2)
		idle_touch(of, client, now_ns);
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
	assert_int_equal(expired_ns[1], UINT64_MAX);
	expired_ns[2] = UINT64_MAX;
	pass_until(2 * LATEST_MS);
	assert_int_equal(expired_ms(2), 2 * LATEST_MS);
}

/* What the model knows of each client: when it was last active; UINT64_MAX: not on the list. */
struct model {
	uint64_t timeout_ms;
	uint64_t active_ns[CLIENTS];
	size_t found;
};

static void check(struct model *model)
{
	const uint64_t least_ns = model->timeout_ms * MS;
	const uint64_t most_ns = (model->timeout_ms + model->timeout_ms / 16 + 2) * MS;

	for (size_t one = 0; one < CLIENTS; one++) {
		if (expired_ns[one] != UINT64_MAX) {
			assert_int_not_equal(model->active_ns[one], UINT64_MAX);
			assert_in_range(expired_ns[one] - model->active_ns[one], least_ns, most_ns);
			expired_ns[one] = model->active_ns[one] = UINT64_MAX;
			model->found++;
		}
		if (model->active_ns[one] != UINT64_MAX)
			assert_in_range(now_ns - model->active_ns[one], 0, most_ns);
	}
	expired_count = 0;
}

/*
 * Random activity, at any nanosecond, against the time of each client's last one. It begins shortly
 * before the 32 bits of milliseconds wrap.
 */
static void random_model(void **state)
{
	static const uint64_t timeouts_ms[] = { 1, 15, 16, 100, TIMEOUT_MS };

	(void)state;
	for (size_t i = 0; i < COUNT(timeouts_ms); i++) {
		struct model model = { .timeout_ms = timeouts_ms[i] };
		const uint64_t step_ns = (model.timeout_ms + 1) * MS / 2;
		uint64_t seed = i;

		memset(model.active_ns, 0xff, sizeof(model.active_ns));
		start(model.timeout_ms, UINT32_MAX - 20 * model.timeout_ms);
		for (int step = 0; step < 1000; step++) {
			size_t pick = (size_t)random_below(&seed, CLIENTS);

			pass_until_ns(now_ns + random_below(&seed, step_ns));
			check(&model);
			touch(pick);
			model.active_ns[pick] = now_ns;
		}
		assert_in_range(model.found, 10, SIZE_MAX);
		tear_down(NULL);
	}
	start(1, 1);
}

#define TEST(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(expires), TEST(no_timeout), TEST(touch_moves),	      TEST(active_for_ever),
		TEST(order),   TEST(removal),	 TEST(change_while_expiring), TEST(random_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
