/* SPDX-License-Identifier: MIT */
/* The settings of a server: defaults, limits, and callers built with a newer header. */
#include "lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/validate.h"

static struct rollcall_options options, taken;
static char logged[256]; /* the last error */

static void log_error(enum rollcall_log_level level, const char *text, void *context)
{
	assert_int_equal(level, ROLLCALL_LOG_ERROR);
	assert_ptr_equal(context, &options);
	snprintf(logged, sizeof(logged), "%s", text);
}

static int set_up(void **state)
{
	(void)state;
	rollcall_options_defaults(&options);
	memset(&taken, 0xff, sizeof(taken));
	logged[0] = '\0';
	return 0;
}

/* The numbers that rollcall.h names. */
static void assert_defaults(const struct rollcall_options *of)
{
	assert_int_equal(of->size, sizeof(*of));
	assert_int_equal(of->tcp_clients_max, 65536);
	assert_int_equal(of->udp_clients_max, 65536);
	assert_int_equal(of->udp_clients_per_source_max, 32768);
	assert_int_equal(of->udp_rate, 0);
	assert_int_equal(of->udp_sequence, ROLLCALL_SEQUENCE_OFF);
	assert_int_equal(of->udp_receive_buffer_bytes, 0);
	assert_int_equal(of->udp_send_buffer_bytes, 0);
	assert_int_equal(of->send_queue_bytes, 1 << 20);
	assert_int_equal(of->send_queue_bytes_max, 4 << 20);
	assert_int_equal(of->memory_bytes_max, 256 << 20);
	assert_int_equal(of->tcp_idle_timeout_ms, 0);
	assert_int_equal(of->udp_idle_timeout_ms, 120000);
	assert_int_equal(of->keepalive_ms, 60000);
	assert_int_equal(of->drain_timeout_ms, 5000);
	assert_int_equal(of->spin_us, 0);
	assert_false(of->udp_low_ports);
	assert_int_equal(of->log_level, ROLLCALL_LOG_INFO);
	assert_null(of->log);
	assert_null(of->log_context);
	assert_int_equal(of->engine, ROLLCALL_ENGINE_AUTO);
}

static void defaults(void **state)
{
	(void)state;
	assert_defaults(&options);
	assert_int_equal(validate_options(&taken, &options), 0);
	assert_defaults(&taken);
	assert_int_equal(validate_options(&taken, NULL), 0);
	assert_defaults(&taken);
}

/* A setting that is refused is logged, with its name and its value. */
static void assert_logged(const char *name, uint64_t value, int result)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
	assert_case(name, strstr(logged, name) && strstr(logged, digits), result != 0);
}

/* A setting at its limits is taken, one beyond them is refused. */
static void limits(void **state)
{
#define FIELD(name) #name, offsetof(struct rollcall_options, name), sizeof(options.name)
	static const struct {
		const char *name;
		size_t offset, bytes;
		uint64_t least, most;
	} cases[] = {
		{ FIELD(tcp_clients_max), 1, 1 << 24 },
		{ FIELD(udp_clients_max), 1, 1 << 24 },
		{ FIELD(tcp_clients_per_source_max), 0, 1 << 24 },
		{ FIELD(udp_clients_per_source_max), 1, 1 << 24 },
		{ FIELD(udp_rate), 0, 1000000 },
		{ FIELD(udp_sequence), ROLLCALL_SEQUENCE_OFF, ROLLCALL_SEQUENCE_AUTO },
		{ FIELD(tcp_receive_buffer_bytes), 0, (1 << 30) - 1 },
		{ FIELD(tcp_send_buffer_bytes), 0, (1 << 30) - 1 },
		{ FIELD(udp_receive_buffer_bytes), 0, (1 << 30) - 1 },
		{ FIELD(udp_send_buffer_bytes), 0, (1 << 30) - 1 },
		{ FIELD(send_queue_bytes), 4096, 4 << 20 },
		{ FIELD(send_queue_bytes_max), 1 << 20, 1 << 30 },
		{ FIELD(memory_bytes_max), 1 << 20,
		  sizeof(size_t) > 4 ? (uint64_t)1 << 40 : UINT32_MAX },
		{ FIELD(tcp_idle_timeout_ms), 0, INT32_MAX },
		{ FIELD(udp_idle_timeout_ms), 1, INT32_MAX },
		{ FIELD(message_timeout_ms), 0, INT32_MAX },
		{ FIELD(send_timeout_ms), 0, INT32_MAX },
		{ FIELD(keepalive_ms), 0, 32767000 },
		{ FIELD(drain_timeout_ms), 0, INT32_MAX },
		{ FIELD(spin_us), 0, 1000000 },
		{ FIELD(log_level), ROLLCALL_LOG_ERROR, ROLLCALL_LOG_DEBUG },
		{ FIELD(engine), ROLLCALL_ENGINE_AUTO, ROLLCALL_ENGINE_EPOLL },
	};
#undef FIELD

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct {
			uint64_t value;
			int result;
		} tries[] = {
			{ cases[i].least, 0 },
			{ cases[i].most, 0 },
			{ cases[i].least - 1, -EINVAL },
			{ cases[i].most + 1, -EINVAL },
		};

		for (size_t j = 0; j < COUNT(tries); j++) {
			uint64_t value = 0;

			set_up(NULL);
			options.log = log_error;
			options.log_context = &options;
			memcpy((char *)&options + cases[i].offset, &tries[j].value, cases[i].bytes);
			assert_case(cases[i].name, validate_options(&taken, &options),
				    tries[j].result);
			memcpy(&value, (char *)&taken + cases[i].offset, cases[i].bytes);
			assert_logged(cases[i].name, value, tries[j].result);
			if (tries[j].result == 0)
				assert_case(cases[i].name, value, tries[j].value);
		}
	}
}

/* The hard limit of a queue is at least the soft one, wherever that stands. */
static void hard_limit_over_soft(void **state)
{
	(void)state;
	options.send_queue_bytes = options.send_queue_bytes_max = 1 << 30;
	assert_int_equal(validate_options(&taken, &options), 0);
	options.send_queue_bytes_max = 4096;
	assert_int_equal(validate_options(&taken, &options), -EINVAL);
	options.send_queue_bytes = 4096;
	assert_int_equal(validate_options(&taken, &options), 0);
}

/* The limits are logged too; only a log that cannot be known is not written to. */
static void reasons(void **state)
{
	(void)state;
	options.log = log_error;
	options.log_context = &options;
	options.tcp_clients_max = 0;
	assert_int_equal(validate_options(&taken, &options), -EINVAL);
	assert_string_equal(logged,
			    "cannot create a server: tcp_clients_max is 0, and must be 1 to "
			    "16777216");
	options.tcp_clients_max = 1;
	options.send_queue_bytes = 8192;
	options.send_queue_bytes_max = 8191;
	assert_int_equal(validate_options(&taken, &options), -EINVAL);
	assert_string_equal(logged,
			    "cannot create a server: send_queue_bytes_max is 8191, and must "
			    "be at least send_queue_bytes, which is 8192");
	logged[0] = '\0';
	options.size = 0;
	assert_int_equal(validate_options(&taken, &options), -EINVAL);
	assert_string_equal(logged, "");
}

/*
 * Each size that a caller states from the first version's on: it gets the defaults of what it
 * knows, and only those, and what it set is taken.
 */
static void newer_caller(void **state)
{
	struct {
		struct rollcall_options known;
		uint8_t unknown[32];
	} newer;

	(void)state;
	for (size_t size = sizeof(options); size <= sizeof(newer); size++) {
		memset(&newer, 0xee, sizeof(newer));
		rollcall_options_init(&newer.known, size);
		assert_int_equal(newer.known.size, size);
		for (size_t i = sizeof(options); i < sizeof(newer); i++)
			assert_int_equal(((uint8_t *)&newer)[i], i < size ? 0 : 0xee);
		newer.known.udp_clients_max = 7;
		assert_int_equal(validate_options(&taken, &newer.known), 0);
		assert_int_equal(taken.udp_clients_max, 7);
		taken.udp_clients_max = 65536;
		assert_defaults(&taken);
	}
}

/* A newer caller that sets what we do not have is told so; garbage as a size calls no log. */
static void unknown_setting(void **state)
{
	struct {
		struct rollcall_options known;
		uint8_t unknown[8];
	} newer;

	(void)state;
	rollcall_options_init(&newer.known, sizeof(newer));
	newer.known.log = log_error;
	newer.known.log_context = &options;
	newer.unknown[7] = 1;
	assert_int_equal(validate_options(&taken, &newer.known), -E2BIG);
	assert_string_equal(logged, "cannot create a server: the options set a field that library "
				    "version " ROLLCALL_VERSION " does not have");
	logged[0] = '\0';
	newer.known.size = SIZE_MAX;
	assert_int_equal(validate_options(&taken, &newer.known), -E2BIG);
	assert_string_equal(logged, "");
}

/* A size below the first version's is kept as it is, so that the options are refused later. */
static void too_small(void **state)
{
	static const size_t sizes[] = { 0, sizeof(size_t),
					offsetof(struct rollcall_options, log_context) };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		memset(&options, 0xee, sizeof(options));
		rollcall_options_init(&options, sizes[i]);
		assert_int_equal(options.size, sizes[i]);
		assert_int_equal(options.tcp_clients_max, 0xeeeeeeee);
		assert_int_equal(validate_options(&taken, &options), -EINVAL);
	}
}

#define TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults),	    TEST(limits),    TEST(hard_limit_over_soft),
		TEST(newer_caller), TEST(too_small), TEST(unknown_setting),
		TEST(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
