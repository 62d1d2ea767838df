/* SPDX-License-Identifier: MIT */
/* What the command line means to the library: limits that follow from others, and the service. */
#include "lib/test.h"

#include "program/settings.h"
#include "service/services.h"

static struct program_options options;
static struct rollcall_options library;

static int set_up(void **state)
{
	(void)state;
	options_defaults(&options);
	return 0;
}

static void queue_of(size_t bytes)
{
	options.library.send_queue_bytes = bytes;
	settings_of_server(&options, NULL, &library);
	assert_int_equal(library.send_queue_bytes, bytes);
	/* What the library allows, and what one client may queue fits into the memory of all. */
	assert_in_range(library.send_queue_bytes_max, bytes, 1 << 30);
	assert_in_range(library.memory_bytes_max, library.send_queue_bytes_max, SIZE_MAX);
}

/* The hard limit of a queue follows the soft one, and the memory of all queues the hard one. */
static void queue_limits(void **state)
{
	struct rollcall_options defaults;

	(void)state;
	rollcall_options_defaults(&defaults);
	queue_of(4096);
	assert_int_equal(library.send_queue_bytes_max, defaults.send_queue_bytes_max);
	assert_int_equal(library.memory_bytes_max, defaults.memory_bytes_max);
	queue_of((size_t)16 << 20);
	assert_int_equal(library.send_queue_bytes_max, 64 << 20);
	assert_int_equal(library.memory_bytes_max, defaults.memory_bytes_max);
	queue_of((size_t)128 << 20);
	assert_int_equal(library.send_queue_bytes_max, 512 << 20);
	assert_int_equal(library.memory_bytes_max, 512 << 20);
	queue_of((size_t)1 << 30);
	assert_int_equal(library.send_queue_bytes_max, 1 << 30);
	assert_int_equal(library.memory_bytes_max, 1 << 30);
}

/* Two of the longest lines fit into the memory of all. */
static void line_limits(void **state)
{
	struct rollcall_options defaults;

	(void)state;
	rollcall_options_defaults(&defaults);
	options.library.send_queue_bytes = 4096;
	options.line_bytes_max = defaults.memory_bytes_max / 2;
	settings_of_server(&options, NULL, &library);
	assert_int_equal(library.memory_bytes_max, defaults.memory_bytes_max);
	options.line_bytes_max = 1 << 30;
	settings_of_server(&options, NULL, &library);
	assert_int_equal(library.memory_bytes_max, (uint64_t)2 << 30);
}

/* The framing is the service's own, unless another one is asked for. */
static void services(void **state)
{
	struct rollcall_service service;

	(void)state;
	options.line_bytes_max = 77;
	options.service = OPTIONS_ECHO;
	options.framing = OPTIONS_FRAMING_OF_SERVICE;
	settings_of_service(&options, &service);
	assert_ptr_equal(service.received, echo_service.received);
	assert_int_equal(service.framing, ROLLCALL_FRAMING_RAW);
	assert_int_equal(service.message_bytes_max, 77);
	options.service = OPTIONS_REPLY;
	settings_of_service(&options, &service);
	assert_ptr_equal(service.received, reply_service.received);
	assert_int_equal(service.framing, ROLLCALL_FRAMING_LINES);
	options.framing = OPTIONS_LENGTH;
	settings_of_service(&options, &service);
	assert_int_equal(service.framing, ROLLCALL_FRAMING_LENGTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(queue_limits, set_up),
		cmocka_unit_test_setup(line_limits, set_up),
		cmocka_unit_test_setup(services, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
