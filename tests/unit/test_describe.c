/* SPDX-License-Identifier: MIT */
/* Every kind of operation has a description, and user_data that is none of ours is no surprise. */
#include "lib/test.h"

#include <errno.h>

#include "lib/describe.h"

static void kinds(void **state)
{
	static const struct {
		enum op_kind kind;
		uint64_t id;
		const char *owner, *op;
	} cases[] = {
		{ OP_TCP_ACCEPT, 0, "listener 0", "accept on listener 0" },
		{ OP_TCP_ACCEPT_CANCEL, 1, "listener 1", "cancel on listener 1" },
		{ OP_TCP_RECEIVE, 3, "client 3", "receive of client 3" },
		{ OP_TCP_SEND, OP_ID_MAX, "client 72057594037927935",
		  "send to client 72057594037927935" },
		{ OP_TCP_POLL, 3, "client 3", "poll for output to client 3" },
		{ OP_TCP_CANCEL, 3, "client 3", "cancel for client 3" },
		{ OP_TCP_CLOSE, 3, "client 3", "close of client 3" },
		{ OP_UDP_RECEIVE, 1, "endpoint 1", "receive on endpoint 1" },
		{ OP_UDP_CANCEL, 1, "endpoint 1", "cancel on endpoint 1" },
		{ OP_UDP_SEND, 4095, "datagram slot 4095", "send from datagram slot 4095" },
		{ OP_WAKE, 0, "the wake-up eventfd", "read of the wake-up eventfd" },
		{ OP_WAKE_CANCEL, 0, "the wake-up eventfd", "cancel on the wake-up eventfd" },
		{ OP_FILE, 2, "file slot 2", "read or write in file slot 2" },
		{ OP_FILE_CANCEL, 2, "file slot 2", "cancel in file slot 2" },
	};
	char text[DESCRIBE_BYTES];

	(void)state;
	/* A new kind gets a row here, and one in the table. */
	assert_int_equal(COUNT(cases), OP_FILE_CANCEL + 1);
	assert_int_equal(COUNT(cases), COUNT(describe_kinds));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const uint64_t user_data = op_pack(cases[i].kind, cases[i].id);

		assert_int_equal(cases[i].kind, i);
		assert_string_equal(describe_owner(user_data, text), cases[i].owner);
		assert_string_equal(describe_op(user_data, text), cases[i].op);
	}
}

static void unknown(void **state)
{
	char text[DESCRIBE_BYTES];

	(void)state;
	assert_string_equal(describe_op(UINT64_MAX, text),
			    "operation with unknown user_data 0xffffffffffffffff");
	assert_string_equal(describe_op((uint64_t)(OP_FILE_CANCEL + 1) << OP_ID_BITS, text),
			    "operation with unknown user_data 0xe00000000000000");
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(describe_error(ECANCELED), "ECANCELED");
	assert_string_equal(describe_error(100000), "an unknown error");
	assert_string_equal(describe_opcode(IORING_OP_RECVMSG), "recvmsg");
	assert_string_equal(describe_opcode(-7), "unknown opcode");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(unknown),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
