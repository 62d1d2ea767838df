/* SPDX-License-Identifier: MIT */
/* --memory is divided among all that takes memory; and what the sum is. */
#include "lib/test.h"

#include <string.h>

#include "program/budget.h"

#define MIB ((size_t)1 << 20)

static struct program_options options;
static struct rollcall_options library, usual;

static void divide(size_t bytes)
{
	options_defaults(&options);
	options.memory_bytes = bytes;
	rollcall_options_defaults(&usual);
	library = usual;
	budget_divide(&options, &library);
}

/* Without --memory nothing changes. */
static void none(void **state)
{
	(void)state;
	divide(0);
	assert_memory_equal(&library, &usual, sizeof(library));
}

/* More memory is never less of anything, and the parts that are set fit into it. */
static void parts_grow(void **state)
{
	struct rollcall_options before;

	(void)state;
	divide(BUDGET_BYTES_MIN);
	for (size_t mib = 49; mib < 20000; mib += 7) {
		const size_t sockets =
			library.tcp_clients_max * (size_t)2 *
			(library.tcp_receive_buffer_bytes + library.tcp_send_buffer_bytes);

		before = library;
		assert_in_range(2 * library.memory_bytes_max + sockets, 1, (mib + 6) * MIB);
		divide(mib * MIB);
		assert_in_range(library.memory_bytes_max, before.memory_bytes_max, mib * MIB / 4);
		assert_in_range(library.tcp_clients_max, before.tcp_clients_max,
				usual.tcp_clients_max);
		assert_in_range(library.udp_clients_max, before.udp_clients_max,
				usual.udp_clients_max);
		assert_in_range(library.tcp_send_buffer_bytes, 8192, 4 * MIB);
	}
}

/* Fewer clients have larger buffers; what was asked for stays. */
static void what_was_asked_for(void **state)
{
	size_t many;

	(void)state;
	divide(512 * MIB);
	many = library.tcp_send_buffer_bytes;
	library = usual;
	library.tcp_clients_max = 100;
	library.udp_clients_max = 77;
	library.tcp_receive_buffer_bytes = 5000;
	budget_divide(&options, &library);
	assert_int_equal(library.tcp_clients_max, 100);
	assert_int_equal(library.udp_clients_max, 77);
	assert_int_equal(library.tcp_receive_buffer_bytes, 5000);
	assert_in_range(library.tcp_send_buffer_bytes, 10 * many, 4 * MIB);
	/* More than fit: refused once the server knows all its parts. */
	library.tcp_clients_max = 1000000;
	budget_divide(&options, &library);
	assert_int_equal(library.tcp_clients_max, 1000000);
}

static void total(void **state)
{
	struct rollcall_memory memory = {
		.clients = 1, .queues = 20, .buffers = 300, .fixed = 4000, .sockets = 50000
	};

	(void)state;
	assert_int_equal(budget_total(&memory), 54321);
	memory.sockets = UINT64_MAX;
	assert_int_equal(budget_total(&memory), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(parts_grow),
		cmocka_unit_test(what_was_asked_for),
		cmocka_unit_test(total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
