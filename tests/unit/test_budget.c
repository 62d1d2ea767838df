/* SPDX-License-Identifier: MIT */
/* --memory is divided among all that takes memory; and what the sum is. */
#include "lib/test.h"

#include <string.h>

#include "program/budget.h"

#define MIB ((size_t)1 << 20)

static struct program_options options;
static struct rollcall_options library, usual;
static const struct budget_buffers linux_usual = { 106496, 106496 };

static void divide(size_t bytes)
{
	options_defaults(&options);
	options.memory_bytes = bytes;
	rollcall_options_defaults(&usual);
	library = usual;
	budget_divide(&options, &linux_usual, &library);
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
	budget_divide(&options, &linux_usual, &library);
	assert_int_equal(library.tcp_clients_max, 100);
	assert_int_equal(library.udp_clients_max, 77);
	assert_int_equal(library.tcp_receive_buffer_bytes, 5000);
	assert_in_range(library.tcp_send_buffer_bytes, 10 * many, 4 * MIB);
	/* More than fit: refused once the server knows all its parts. */
	library.tcp_clients_max = 1000000;
	budget_divide(&options, &linux_usual, &library);
	assert_int_equal(library.tcp_clients_max, 1000000);
}

/* A numeric address is one socket, a name two; the default is localhost. */
static void udp_sockets(void **state)
{
	static const char *const addresses[] = { "127.0.0.1:1", "[::1]:2", "*:3", "localhost:4" };

	(void)state;
	options_defaults(&options);
	assert_int_equal(budget_udp_sockets(&options), 2);
	for (size_t i = 0; i < 4; i++)
		options.udp.list[options.udp.count++] = addresses[i];
	assert_int_equal(budget_udp_sockets(&options), 6);
	options.udp = (struct options_addresses){ .none = true };
	assert_int_equal(budget_udp_sockets(&options), 0);
}

static void divide_udp(size_t mib, size_t receive_bytes, unsigned names)
{
	const struct budget_buffers udp = { receive_bytes, 106496 };

	options_defaults(&options);
	options.memory_bytes = mib * MIB;
	for (unsigned i = 0; i < names; i++)
		options.udp.list[options.udp.count++] = "localhost:1";
	library = usual;
	budget_divide(&options, &udp, &library);
}

/* UDP buffers stay as they are by default, where they fit; if not, each gets its share. */
static void udp_buffers(void **state)
{
	(void)state;
	rollcall_options_defaults(&usual);
	divide_udp(48, 106496, 1);
	assert_int_equal(library.udp_receive_buffer_bytes, 0);
	assert_int_equal(library.udp_send_buffer_bytes, 0);
	divide_udp(48, 25 * MIB, 1);
	assert_in_range(library.udp_receive_buffer_bytes, 106496, MIB);
	assert_int_equal(library.udp_send_buffer_bytes, 0);
	divide_udp(48, 106496, 30);
	assert_in_range(60 * 2 * (library.udp_receive_buffer_bytes + library.udp_send_buffer_bytes),
			MIB, 2 * MIB);
	/* What was asked for stays, and is refused if it is too much. */
	library = usual;
	library.udp_receive_buffer_bytes = 25 * MIB;
	budget_divide(&options, &linux_usual, &library);
	assert_int_equal(library.udp_receive_buffer_bytes, 25 * MIB);
	/* Without an address there is nothing to divide. */
	options.udp = (struct options_addresses){ .none = true };
	library = usual;
	budget_divide(&options, &linux_usual, &library);
	assert_int_equal(library.udp_receive_buffer_bytes, 0);
}

static void total(void **state)
{
	struct rollcall_memory memory = { .process = 321, .sockets = 50000, .udp_socket = 2000 };

	(void)state;
	assert_int_equal(budget_total(&memory, 2), 54321);
	memory.sockets = UINT64_MAX;
	assert_int_equal(budget_total(&memory, 2), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(parts_grow),
		cmocka_unit_test(what_was_asked_for),
		cmocka_unit_test(udp_sockets),
		cmocka_unit_test(udp_buffers),
		cmocka_unit_test(total),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
