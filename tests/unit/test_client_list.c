/* SPDX-License-Identifier: MIT */
/* Lists of clients: order, removal in all positions, and two lists at a time. */
#include "lib/test.h"

#include <string.h>

#include "client/table.h"
#include "lib/aborts.h"
#include "lib/random.h"

#define CLIENTS 16

static struct table table;
static struct client_list list;

static int set_up(void **state)
{
	(void)state;
	if (table_init(&table, CLIENTS))
		return -1;
	for (int i = 0; i < CLIENTS; i++)
		table_add(&table, ROLLCALL_TCP);
	client_list_init(&list, LIST_IDLE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_destroy(&table);
	return 0;
}

static void push(uint32_t slot)
{
	client_list_push(&table, &list, &table.slots[slot]);
}

static void drop(uint32_t slot)
{
	client_list_remove(&table, &list, &table.slots[slot]);
}

/* Checks the slots of a list from both ends, and its marks on all clients. */
static void assert_list(const struct client_list *of, const uint32_t *slots, uint32_t count)
{
	uint32_t slot = of->head, previous = SLOT_NONE;

	assert_int_equal(of->count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(slot, slots[i]);
		assert_int_equal(table.slots[slot].links[of->kind].previous, previous);
		assert_true(client_is_in_list(&table.slots[slot], of->kind));
		previous = slot;
		slot = table.slots[slot].links[of->kind].next;
	}
	assert_int_equal(slot, SLOT_NONE);
	assert_int_equal(of->tail, previous);
	assert_ptr_equal(client_list_first(&table, of), count ? &table.slots[slots[0]] : NULL);
	for (slot = 0; slot < CLIENTS; slot++) {
		bool listed = false;

		for (uint32_t i = 0; i < count; i++)
			listed |= slots[i] == slot;
		assert_int_equal(client_is_in_list(&table.slots[slot], of->kind), listed);
	}
}

static void first_in_first_out(void **state)
{
	static const uint32_t order[] = { 3, 0, 15, 7 };

	(void)state;
	assert_list(&list, NULL, 0);
	for (uint32_t i = 0; i < COUNT(order); i++) {
		push(order[i]);
		assert_list(&list, order, i + 1);
	}
	for (uint32_t i = 0; i < COUNT(order); i++) {
		drop(order[i]);
		assert_list(&list, order + i + 1, (uint32_t)COUNT(order) - i - 1);
	}
}

/* From a list of one, two, three and four, the one at each place is removed and pushed again. */
static void remove_at_each_place(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= 4; count++) {
		for (uint32_t place = 0; place < count; place++) {
			uint32_t left[4], used = 0;

			for (uint32_t slot = 0; slot < count; slot++) {
				push(slot);
				if (slot != place)
					left[used++] = slot;
			}
			drop(place);
			assert_list(&list, left, used);
			push(place);
			left[used++] = place;
			assert_list(&list, left, used);
			for (uint32_t slot = 0; slot < count; slot++)
				drop(slot);
			assert_list(&list, NULL, 0);
		}
	}
}

/* A client can be in a list of each kind; what happens to one does not touch the other. */
static void two_kinds(void **state)
{
	static const uint32_t up[] = { 0, 1, 2, 3 }, down[] = { 3, 2, 1, 0 }, rest[] = { 3, 1 };
	struct client_list wait;

	(void)state;
	client_list_init(&wait, LIST_WAIT);
	for (uint32_t i = 0; i < 4; i++) {
		push(up[i]);
		client_list_push(&table, &wait, &table.slots[down[i]]);
	}
	assert_list(&list, up, 4);
	assert_list(&wait, down, 4);
	client_list_remove(&table, &wait, &table.slots[0]);
	client_list_remove(&table, &wait, &table.slots[2]);
	assert_list(&list, up, 4);
	assert_list(&wait, rest, 2);
}

/* Random pushing and removing against an array. */
static void random_model(void **state)
{
	uint32_t model[CLIENTS], count = 0;
	uint64_t seed = 11;

	(void)state;
	for (int step = 0; step < 5000; step++) {
		uint32_t slot = (uint32_t)random_below(&seed, CLIENTS), place = 0;

		while (place < count && model[place] != slot)
			place++;
		if (place == count) {
			push(slot);
			model[count++] = slot;
		} else {
			drop(slot);
			count--;
			memmove(model + place, model + place + 1, (count - place) * sizeof(*model));
		}
		assert_list(&list, model, count);
	}
}

static void push_twice(void *unused)
{
	(void)unused;
	push(0);
	push(0);
}

static void remove_what_is_not_there(void *unused)
{
	(void)unused;
	push(0);
	drop(1);
}

static void checks(void **state)
{
	(void)state;
	assert_true(aborts(push_twice, NULL));
	assert_true(aborts(remove_what_is_not_there, NULL));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_in_first_out),
		TEST(remove_at_each_place),
		TEST(two_kinds),
		TEST(random_model),
		TEST(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
