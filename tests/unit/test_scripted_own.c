/* SPDX-License-Identifier: MIT */
/*
 * Which datagrams may be the server's own: those from the port of an endpoint on every address of
 * the machine, and from one of its addresses, as the kernel last told. In doubt, they are.
 */
#include "unit/scripted_udp.h"

static char warnings[512];
static unsigned warnings_count;

static void on_log(enum rollcall_log_level level, const char *text, void *context)
{
	(void)context;
	if (level != ROLLCALL_LOG_WARNING)
		return;
	warnings_count++;
	snprintf(warnings, sizeof(warnings), "%s", text);
}

static int own_begin(void **state)
{
	int error = udp_begin(state);

	warnings_count = 0;
	options.log = on_log;
	options.log_level = ROLLCALL_LOG_WARNING;
	return error;
}

/* Whether a datagram from this address and the server's own port is answered. */
static bool is_answered(const char *host)
{
	const uint64_t refused = stats_now().udp_dropped_own_source;

	come(host, 7070, "x");
	events[events_bytes = 0] = '\0';
	return stats_now().udp_dropped_own_source == refused;
}

#define CHECK_MS (OWN_CHECK_NS / MILLISECOND_NS)

/* An address that is added while the server runs is its own, and no more when it is removed. */
static void changes(void **state)
{
	(void)state;
	serve("udp://0.0.0.0:7070");
	assert_true(is_answered("192.0.2.1"));
	set_own("192.0.2.1", 32);
	kernel.own_changed = true;
	pass(CHECK_MS);
	assert_false(is_answered("192.0.2.1"));
	assert_true(is_answered("192.0.2.2"));
	set_own("192.0.2.0", 24);
	kernel.own_changed = true;
	assert_true(is_answered("192.0.2.2"));
	pass(CHECK_MS);
	assert_false(is_answered("192.0.2.2"));
	set_own(NULL, 0);
	kernel.own_changed = true;
	pass(CHECK_MS);
	assert_true(is_answered("192.0.2.1"));
	assert_int_equal(kernel.own_reads, 4);
}

/* However many datagrams come from its own port, the kernel is asked now and then only. */
static void asked_rarely(void **state)
{
	unsigned files;

	(void)state;
	set_own("192.0.2.1", 32);
	serve("udp://0.0.0.0:7070");
	files = count_open_files();
	for (int ms = 0; ms < 1000; ms++) {
		assert_true(is_answered("192.0.2.2"));
		assert_false(is_answered("192.0.2.1"));
		pass(1);
	}
	assert_in_range(kernel.own_checks, 1, 1000 / CHECK_MS);
	assert_int_equal(kernel.own_reads, 1);
	assert_int_equal(count_open_files(), files);
	/* Other ports raise no question. */
	kernel.own_checks = 0;
	for (int ms = 0; ms < 1000; ms++) {
		come("192.0.2.2", 7071, "x");
		pass(1);
	}
	assert_int_equal(kernel.own_checks, 0);
}

/* Where the kernel does not tell, every address may be its own, until it tells. */
static void unknown(void **state)
{
	static const int errors[] = { -EAGAIN, -ENOBUFS, -ENOSPC, -ENOMEM };

	(void)state;
	serve("udp://0.0.0.0:7070");
	for (size_t i = 0; i < COUNT(errors); i++) {
		kernel.own_error = errors[i];
		kernel.own_changed = true;
		pass(CHECK_MS);
		assert_false(is_answered("192.0.2.1"));
		kernel.own_error = 0;
		assert_false(is_answered("192.0.2.1"));
		pass(CHECK_MS);
		assert_true(is_answered("192.0.2.1"));
	}
	/* Once, and not for what passes by itself. */
	assert_int_equal(warnings_count, 1);
	assert_non_null(strstr(warnings, "No buffer space"));
}

/* Without a monitor too: it says so at the start, and goes on without these datagrams. */
static void no_monitor(void **state)
{
	(void)state;
	kernel.open_error = -EAFNOSUPPORT;
	serve("udp://0.0.0.0:7070");
	assert_int_equal(warnings_count, 1);
	assert_non_null(strstr(warnings, "Address family not supported"));
	assert_false(is_answered("192.0.2.1"));
	pass(10 * CHECK_MS);
	assert_false(is_answered("192.0.2.1"));
	come("192.0.2.1", 7071, "x");
	expect("+0 0:x ");
	assert_int_equal(kernel.own_reads + kernel.own_checks, 0);
}

/* A socket of another network namespace has addresses that are not known. */
static void elsewhere(void **state)
{
	(void)state;
	kernel.elsewhere = true;
	serve("udp://0.0.0.0:7070");
	assert_false(is_answered("192.0.2.1"));
	come("192.0.2.1", 7071, "x");
	expect("+0 0:x ");
}

/* An endpoint on one address is not asked about; only others need a monitor, and one is enough. */
static void one_monitor(void **state)
{
	(void)state;
	kernel.open_error = -EACCES;
	serve("udp://192.0.2.9:7070");
	assert_int_equal(warnings_count, 0);
	assert_true(is_answered("192.0.2.1"));
	assert_false(is_answered("192.0.2.9"));
	kernel.open_error = 0;
	assert_int_equal(listen_on("udp://0.0.0.0:7071"), 0);
	assert_int_equal(listen_on("udp://[::]:7071"), 0);
	assert_int_equal(kernel.own_reads, 1);
}

/* A link-local address is that of one interface. */
static void link_local(void **state)
{
	struct datagram_in in = datagram_from("fe80::1", 7070, "x");

	(void)state;
	set_own("fe80::1", 128);
	kernel.own[0].scope = 2;
	serve("udp://[::]:7070");
	in.from.v6.sin6_scope_id = 2;
	receive_datagram(&in);
	expect("");
	in.from.v6.sin6_scope_id = 3;
	receive_datagram(&in);
	expect("+0 0:x ");
}

#define OWN_TEST(test) cmocka_unit_test_setup_teardown(test, own_begin, scripted_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWN_TEST(changes),    OWN_TEST(asked_rarely), OWN_TEST(unknown),
		OWN_TEST(no_monitor), OWN_TEST(elsewhere),    OWN_TEST(one_monitor),
		OWN_TEST(link_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
