/* SPDX-License-Identifier: MIT */
/* What goes into user_data comes out of it again, up to the limits of both halves. */
#include "lib/test.h"

#include "lib/aborts.h"
#include "ring/op.h"

static void round_trip(void **state)
{
	const uint64_t ids[] = { 0, 1, 255, 256, UINT32_MAX, (uint64_t)1 << 55, OP_ID_MAX };

	(void)state;
	for (int kind = OP_TCP_ACCEPT; kind <= OP_FILE_CANCEL; kind++) {
		for (size_t i = 0; i < COUNT(ids); i++) {
			uint64_t packed = op_pack((enum op_kind)kind, ids[i]);

			assert_int_equal(op_kind(packed), kind);
			assert_int_equal(op_id(packed), ids[i]);
		}
	}
}

/* The kind is the highest of the 8 bytes, the ID the others. */
static void layout(void **state)
{
	(void)state;
	assert_int_equal(OP_ID_MAX, 0x00ffffffffffffff);
	assert_int_equal(op_pack((enum op_kind)0xff, OP_ID_MAX), UINT64_MAX);
	assert_int_equal(op_pack((enum op_kind)0x12, 0x3456), 0x1200000000003456);
}

static void pack_too_large_an_id(void *unused)
{
	(void)unused;
	op_pack(OP_TCP_SEND, OP_ID_MAX + 1);
}

static void too_large(void **state)
{
	(void)state;
	assert_true(aborts(pack_too_large_an_id, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(layout),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
