/* SPDX-License-Identifier: MIT */
/* The pool of objects: what it gives out, in which order, and where it ends. */
#include "lib/test.h"

#include <string.h>

#include "base/slab.h"
#include "lib/aborts.h"
#include "lib/random.h"

#define LIMIT 10

/* All up to the limit can be taken, each aligned and apart from the others; one more cannot. */
static void up_to_the_limit(void **state)
{
	uint8_t *objects[LIMIT];
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, 33, LIMIT), 0);
	assert_int_equal(slab.object_bytes, 48);
	for (uint32_t i = 0; i < LIMIT; i++) {
		assert_int_equal(slab_left(&slab), LIMIT - i);
		objects[i] = slab_take(&slab);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], (int)i, slab.object_bytes);
	}
	assert_int_equal(slab_left(&slab), 0);
	assert_null(slab_take(&slab));
	assert_null(slab_take(&slab));
	for (uint32_t i = 0; i < LIMIT; i++) {
		for (size_t byte = 0; byte < slab.object_bytes; byte++)
			assert_int_equal(objects[i][byte], i);
		slab_give(&slab, objects[i]);
	}
	assert_int_equal(slab_left(&slab), LIMIT);
	slab_destroy(&slab);
}

/* The object given back last is taken first, before one that was never taken. */
static void last_in_first_out(void **state)
{
	void *objects[LIMIT];
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, sizeof(void *), LIMIT), 0);
	for (int i = 0; i < 4; i++)
		objects[i] = slab_take(&slab);
	slab_give(&slab, objects[2]);
	slab_give(&slab, objects[0]);
	slab_give(&slab, objects[3]);
	assert_ptr_equal(slab_take(&slab), objects[3]);
	assert_ptr_equal(slab_take(&slab), objects[0]);
	assert_ptr_equal(slab_take(&slab), objects[2]);
	assert_int_equal(slab_index(&slab, slab_take(&slab)), 4);
	for (uint32_t i = 0; i < 5; i++)
		slab_give(&slab, slab_at(&slab, i));
	slab_destroy(&slab);
}

/* An object's number leads back to it, and numbers count up from 0 in the order of first taking. */
static void numbers(void **state)
{
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, 40, LIMIT), 0);
	for (uint32_t i = 0; i < LIMIT; i++) {
		void *object = slab_take(&slab);

		assert_int_equal(slab_index(&slab, object), i);
		assert_ptr_equal(slab_at(&slab, i), object);
	}
	for (uint32_t i = 0; i < LIMIT; i++)
		slab_give(&slab, slab_at(&slab, i));
	slab_destroy(&slab);
}

static void smallest(void **state)
{
	struct slab slab;
	void *only;

	(void)state;
	assert_int_equal(slab_init(&slab, 1, 1), 0);
	only = slab_take(&slab);
	assert_non_null(only);
	assert_null(slab_take(&slab));
	slab_give(&slab, only);
	assert_ptr_equal(slab_take(&slab), only);
	slab_give(&slab, only);
	slab_destroy(&slab);
}

/* Random taking and giving against a plain list of what is taken: no object is given out twice. */
static void random_model(void **state)
{
	enum { OBJECTS = 64, STEPS = 20000 };
	uint64_t *taken[OBJECTS], seed = 1;
	unsigned count = 0;
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, sizeof(uint64_t), OBJECTS), 0);
	for (uint64_t step = 0; step < STEPS; step++) {
		if (random_below(&seed, 2)) {
			uint64_t *object = slab_take(&slab);

			assert_int_equal(!object, count == OBJECTS);
			if (!object)
				continue;
			/* The mark would be overwritten if it were given out again. */
			*object = (uint64_t)(uintptr_t)object;
			taken[count++] = object;
		} else if (count > 0) {
			unsigned pick = (unsigned)random_below(&seed, count);

			assert_int_equal(*taken[pick], (uintptr_t)taken[pick]);
			*taken[pick] = 0;
			slab_give(&slab, taken[pick]);
			taken[pick] = taken[--count];
		}
		assert_int_equal(slab_left(&slab), OBJECTS - count);
	}
	while (count > 0)
		slab_give(&slab, taken[--count]);
	slab_destroy(&slab);
}

/* Idle objects are found in the order of their return, once, until they are taken again. */
static void idle(void **state)
{
	void *objects[4];
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, 64, LIMIT), 0);
	for (int i = 0; i < 4; i++)
		objects[i] = slab_take(&slab);
	assert_int_equal(slab_idle(&slab), 0);
	for (int i = 0; i < 4; i++)
		slab_give(&slab, objects[3 - i]);
	assert_int_equal(slab_idle(&slab), 4);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(slab_next_idle(&slab), objects[3 - i]);
	assert_int_equal(slab_idle(&slab), 1);
	assert_ptr_equal(slab_take(&slab), objects[0]);
	assert_int_equal(slab_idle(&slab), 0);
	assert_ptr_equal(slab_take(&slab), objects[1]);
	slab_give(&slab, objects[1]);
	assert_int_equal(slab_idle(&slab), 1);
	assert_ptr_equal(slab_next_idle(&slab), objects[1]);
	slab_give(&slab, objects[0]);
	slab_destroy(&slab);
}

static void give_what_was_never_taken(void *slab)
{
	slab_give(slab, slab_at(slab, 1));
}

static void give_too_many(void *slab)
{
	slab_give(slab, slab_at(slab, 0));
	slab_give(slab, slab_at(slab, 0));
}

static void look_beyond_the_limit(void *slab)
{
	slab_at(slab, LIMIT);
}

static void destroy_in_use(void *slab)
{
	slab_destroy(slab);
}

static void checks(void **state)
{
	struct slab slab;

	(void)state;
	assert_int_equal(slab_init(&slab, 16, LIMIT), 0);
	slab_take(&slab);
	assert_true(aborts(give_what_was_never_taken, &slab));
	assert_true(aborts(give_too_many, &slab));
	assert_true(aborts(look_beyond_the_limit, &slab));
	assert_true(aborts(destroy_in_use, &slab));
	slab_give(&slab, slab_at(&slab, 0));
	assert_false(aborts(destroy_in_use, &slab));
	slab_destroy(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_the_limit), cmocka_unit_test(last_in_first_out),
		cmocka_unit_test(numbers),	   cmocka_unit_test(smallest),
		cmocka_unit_test(random_model),	   cmocka_unit_test(idle),
		cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
