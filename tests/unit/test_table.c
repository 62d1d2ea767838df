/* SPDX-License-Identifier: MIT */
/* The connection table: which IDs it gives, which it knows, and what happens when they run out. */
#include "lib/test.h"

#include <sys/mman.h>

#include "client/table.h"
#include "lib/aborts.h"
#include "lib/random.h"
#include "ring/op.h"

static struct table table;

static int tear_down(void **state)
{
	(void)state;
	table_destroy(&table);
	return 0;
}

static void init(uint32_t capacity)
{
	assert_int_equal(table_init(&table, capacity), 0);
}

static struct client *add(void)
{
	return table_add(&table, ROLLCALL_TCP);
}

static void remove_id(uint64_t id)
{
	struct client *client = table_find(&table, id);

	assert_non_null(client);
	table_remove(&table, client);
}

static void capacity_is_a_power_of_two(void **state)
{
	static const uint32_t cases[][2] = { { 1, 1 },	     { 2, 2 },	    { 3, 4 },
					     { 4, 4 },	     { 5, 8 },	    { 1000, 1024 },
					     { 1024, 1024 }, { 1025, 2048 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		init(cases[i][0]);
		assert_int_equal(table.capacity, cases[i][1]);
		table_destroy(&table);
	}
	init(1);
}

/* IDs count up from 0; a new client is open and otherwise blank. */
static void ids_count_up(void **state)
{
	(void)state;
	init(8);
	for (uint64_t id = 0; id < 8; id++) {
		struct client *client = table_add(&table, id % 2 ? ROLLCALL_UDP : ROLLCALL_TCP);

		assert_non_null(client);
		assert_int_equal(client->id, id);
		assert_int_equal(client->state, CLIENT_OPEN);
		assert_int_equal(client->transport, id % 2 ? ROLLCALL_UDP : ROLLCALL_TCP);
		assert_int_equal(client->flags, 0);
		assert_null(client->data);
		assert_int_equal(client->messages_received, 0);
		assert_ptr_equal(table_find(&table, id), client);
	}
}

/* IDs go on counting up though earlier clients have left, as long as slots are unused. */
static void ids_count_up_over_gaps(void **state)
{
	(void)state;
	init(4);
	for (uint64_t id = 0; id < 4; id++) {
		assert_int_equal(add()->id, id);
		remove_id(id);
	}
	assert_int_equal(add()->id, 4);
}

/* Gone, never used and future IDs are not found; nor is the one that a free slot will have next. */
static void find_nothing(void **state)
{
	(void)state;
	init(4);
	for (uint64_t id = 0; id < 10; id++)
		assert_null(table_find(&table, id));
	add();
	add();
	remove_id(0);
	assert_null(table_find(&table, 0));
	assert_null(table_find(&table, 4));
	assert_non_null(table_find(&table, 1));
	assert_null(table_find(&table, 5));
	assert_null(table_find(&table, 2));
	assert_null(table_find(&table, ROLLCALL_NONE));
	assert_null(table_find(&table, OP_ID_MAX));
	assert_null(table_find(&table, (uint64_t)1 << 56 | 1));
}

/* A client that takes a slot over starts blank, and the old ID leads nowhere. */
static void slot_taken_over(void **state)
{
	struct client *client;

	(void)state;
	init(1);
	client = add();
	client->data = &table;
	client->bytes_sent = 9;
	client->flags = CLIENT_SLOW;
	table_remove(&table, client);
	assert_ptr_equal(add(), client);
	assert_int_equal(client->id, 1);
	assert_null(client->data);
	assert_int_equal(client->bytes_sent, 0);
	assert_int_equal(client->flags, 0);
	assert_null(table_find(&table, 0));
	assert_ptr_equal(table_find(&table, 1), client);
}

/* A full table says so; free slots are used in the order in which they became free. */
static void exhaustion_and_order(void **state)
{
	static const uint64_t leaving[] = { 2, 0, 3, 1 };

	(void)state;
	init(4);
	for (int i = 0; i < 4; i++)
		assert_non_null(add());
	assert_null(add());
	for (size_t i = 0; i < COUNT(leaving); i++)
		remove_id(leaving[i]);
	for (size_t i = 0; i < COUNT(leaving); i++)
		assert_int_equal(add()->id, leaving[i] + 4);
	assert_null(add());
	remove_id(7);
	assert_int_equal(add()->id, 11);
	assert_null(add());
}

/* A slot's last ID is the highest that fits into it; then the slot is out of use for good. */
static void ids_run_out(void **state)
{
	struct client *client;

	(void)state;
	init(4);
	for (int i = 0; i < 4; i++)
		add();
	/*
	 * As if they had been used nearly 2^54 times; the last slot has one ID more than the
	 * others.
	 */
	for (uint64_t slot = 0; slot < 3; slot++)
		table.slots[slot].id = OP_ID_MAX - 3 + slot;
	table.slots[3].id = OP_ID_MAX - 4;
	for (uint64_t slot = 0; slot < 3; slot++)
		remove_id(OP_ID_MAX - 3 + slot);
	assert_null(add());
	remove_id(OP_ID_MAX - 4);
	client = add();
	assert_non_null(client);
	assert_int_equal(client->id, OP_ID_MAX);
	assert_ptr_equal(table_find(&table, OP_ID_MAX), client);
	assert_null(add());
	table_remove(&table, client);
	assert_null(add());
	assert_null(table_find(&table, OP_ID_MAX));
	assert_null(table_next(&table, ROLLCALL_NONE));
	for (uint64_t id = 0; id < 4; id++)
		assert_null(table_find(&table, OP_ID_MAX - id));
}

static uint64_t next(uint64_t id)
{
	const struct client *client = table_next(&table, id);

	return client ? client->id : ROLLCALL_NONE;
}

/* A walk passes each client once, whatever happens to the one that it stands on. */
static void walk(void **state)
{
	(void)state;
	init(8);
	assert_int_equal(next(ROLLCALL_NONE), ROLLCALL_NONE);
	assert_int_equal(next(3), ROLLCALL_NONE);
	for (int i = 0; i < 6; i++)
		add();
	remove_id(0);
	remove_id(3);
	assert_int_equal(next(ROLLCALL_NONE), 1);
	assert_int_equal(next(1), 2);
	assert_int_equal(next(2), 4);
	assert_int_equal(next(4), 5);
	assert_int_equal(next(5), ROLLCALL_NONE);
	/* The cursor is gone, or was so all the time, or is yet to come. */
	remove_id(2);
	assert_int_equal(next(2), 4);
	assert_int_equal(next(3), 4);
	assert_int_equal(next(0), 1);
	assert_int_equal(next(7), ROLLCALL_NONE);
	/* Its slot has another client: the walk goes on behind that. */
	for (int i = 0; i < 3; i++)
		add();
	assert_int_equal(next(ROLLCALL_NONE), 8);
	assert_int_equal(next(0), 1);
	assert_int_equal(next(8), 1);
}

/*
 * A walk does not look at free slots, wherever its cursor stands: here their memory cannot be read.
 */
static void walk_over_free_slots(void **state)
{
	enum { CLIENTS = 1 << 16, PAGE_BYTES = 4096 };
	static const uint64_t staying[] = { 5, 30001, CLIENTS - 1 };
	const size_t slot_bytes = sizeof(struct client);
	uint64_t id;

	(void)state;
	init(CLIENTS);
	for (id = 0; id < CLIENTS; id++)
		add();
	for (id = 0; id < CLIENTS; id++)
		if (id != staying[0] && id != staying[1] && id != staying[2])
			remove_id(id);
	for (size_t at = 0; at < CLIENTS * slot_bytes; at += PAGE_BYTES) {
		bool stays = false;

		for (size_t i = 0; i < COUNT(staying); i++)
			stays |= staying[i] * slot_bytes < at + PAGE_BYTES &&
				 (staying[i] + 1) * slot_bytes > at;
		if (!stays)
			assert_int_equal(mprotect((char *)table.slots + at, PAGE_BYTES, PROT_NONE),
					 0);
	}
	assert_int_equal(next(ROLLCALL_NONE), staying[0]);
	assert_int_equal(next(staying[0]), staying[1]);
	assert_int_equal(next(staying[1]), staying[2]);
	assert_int_equal(next(staying[2]), ROLLCALL_NONE);
	assert_int_equal(next(29000), staying[1]);
	assert_int_equal(next(30002), staying[2]);
	assert_int_equal(next(CLIENTS + 4), staying[0]);
}

/*
 * Walks while clients come and go at random: each that is there all the time is visited once, no
 * client twice, and none that is not there.
 */
static void walk_while_clients_change(void **state)
{
	enum { CAPACITY = 256, WALKS = 200 };
	uint64_t seed = 11, there[CAPACITY], visits[CAPACITY];

	(void)state;
	init(CAPACITY);
	for (int walks = 0; walks < WALKS; walks++) {
		uint64_t id = ROLLCALL_NONE;

		for (uint64_t slot = 0; slot < CAPACITY; slot++) {
			const struct client *client = &table.slots[slot];

			there[slot] = client->state == CLIENT_FREE ? ROLLCALL_NONE : client->id;
			visits[slot] = 0;
		}
		while ((id = next(id)) != ROLLCALL_NONE) {
			assert_non_null(table_find(&table, id));
			assert_int_equal(visits[id % CAPACITY]++, 0);
			for (uint64_t changes = random_below(&seed, 6); changes > 0; changes--) {
				struct client *client = &table.slots[random_below(&seed, CAPACITY)];

				if (random_below(&seed, 2))
					add();
				else if (client->state != CLIENT_FREE)
					table_remove(&table, client);
				/* The one that the walk stands on goes often. */
				if (random_below(&seed, 8) == 0 && table_find(&table, id))
					remove_id(id);
			}
		}
		for (uint64_t slot = 0; slot < CAPACITY; slot++)
			if (there[slot] != ROLLCALL_NONE && table_find(&table, there[slot]))
				assert_int_equal(visits[slot], 1);
		add();
	}
}

static void remove_in_flight(void *client)
{
	((struct client *)client)->in_flight = IN_FLIGHT_SEND;
	table_remove(&table, client);
}

static void remove_listed(void *client)
{
	((struct client *)client)->lists = 1 << LIST_IDLE;
	table_remove(&table, client);
}

static void remove_to_flush(void *client)
{
	((struct client *)client)->flags = CLIENT_TO_FLUSH;
	table_remove(&table, client);
}

static void remove_twice(void *client)
{
	table_remove(&table, client);
	table_remove(&table, client);
}

/* A slot is not freed as long as anything leads to it. */
static void checks(void **state)
{
	struct client *client;

	(void)state;
	init(4);
	client = add();
	assert_true(aborts(remove_in_flight, client));
	assert_true(aborts(remove_listed, client));
	assert_true(aborts(remove_to_flush, client));
	assert_true(aborts(remove_twice, client));
	table_remove(&table, client);
}

/*
 * Random coming and going against a model: a FIFO of the IDs to be given next, and a note for each
 * ID whether it is there. Every ID ever given is looked up now and then.
 */
static void random_model(void **state)
{
	enum { CAPACITY = 16, STEPS = 5000 };
	static bool here[CAPACITY * (STEPS + 1)];
	uint64_t coming[CAPACITY + STEPS], seed = 3, highest = 0;
	size_t first = 0, last = CAPACITY;

	(void)state;
	init(CAPACITY);
	for (uint64_t id = 0; id < CAPACITY; id++)
		coming[id] = id;
	for (int step = 0; step < STEPS; step++) {
		if (random_below(&seed, 2)) {
			struct client *client = add();

			assert_int_equal(!client, first == last);
			if (!client)
				continue;
			assert_int_equal(client->id, coming[first]);
			assert_false(here[client->id]);
			here[coming[first++]] = true;
			highest = client->id > highest ? client->id : highest;
		} else {
			uint64_t id = random_below(&seed, highest + CAPACITY);
			struct client *client = table_find(&table, id);

			assert_int_equal(!client, !here[id]);
			if (!client)
				continue;
			table_remove(&table, client);
			here[id] = false;
			coming[last++] = id + CAPACITY;
		}
		for (uint64_t id = 0; step % 500 == 0 && id < highest + 2 * CAPACITY; id++)
			assert_int_equal(table_find(&table, id) != NULL, here[id]);
	}
	assert_in_range(highest, 10 * CAPACITY, UINT64_MAX);
}

#define TEST(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(capacity_is_a_power_of_two),
		TEST(ids_count_up),
		TEST(ids_count_up_over_gaps),
		TEST(find_nothing),
		TEST(slot_taken_over),
		TEST(exhaustion_and_order),
		TEST(ids_run_out),
		TEST(walk),
		TEST(walk_over_free_slots),
		TEST(walk_while_clients_change),
		TEST(checks),
		TEST(random_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
