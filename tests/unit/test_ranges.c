/* SPDX-License-Identifier: MIT */
/* A set of address prefixes: what is in it, at the edges of each, and against a plain search. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/ranges.h"
#include "lib/random.h"

static struct ranges ranges;

static int begin(void **state)
{
	(void)state;
	memset(&ranges, 0, sizeof(ranges));
	return 0;
}

static int end(void **state)
{
	(void)state;
	ranges_destroy(&ranges);
	return 0;
}

static struct address address_of(const char *host, uint32_t scope)
{
	struct address address = { 0 };

	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
		address.any.sa_family = AF_INET;
		return address;
	}
	assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
	address.any.sa_family = AF_INET6;
	address.v6.sin6_scope_id = scope;
	return address;
}

static void add(const char *host, unsigned bits, uint32_t scope)
{
	const struct address address = address_of(host, scope);

	assert_int_equal(ranges_add(&ranges, &address, bits), 0);
}

static bool has(const char *host, uint32_t scope)
{
	const struct address address = address_of(host, scope);

	return ranges_has(&ranges, &address);
}

/* An empty set has no address; each prefix ends where its bits do. */
static void edges(void **state)
{
	static const struct {
		const char *host;
		bool has;
	} cases[] = {
		{ "126.255.255.255", false },
		{ "127.0.0.0", true },
		{ "127.255.255.255", true },
		{ "128.0.0.0", false },
		{ "192.0.2.0", false },
		{ "192.0.2.1", true },
		{ "192.0.2.2", false },
		{ "198.51.99.255", false },
		{ "198.51.100.0", true },
		{ "198.51.101.255", true },
		{ "198.51.102.0", false },
		{ "::", false },
		{ "::1", true },
		{ "::2", false },
		{ "2001:db8:4::", false },
		{ "2001:db8:5::", true },
		{ "2001:db8:5::ffff:ffff:ffff:ffff", true },
		{ "2001:db8:5:1::", false },
		{ "7f00::1", false },
		{ "::7f00:1", false },
		{ "::ffff:127.0.0.1", false },
	};

	(void)state;
	ranges_sort(&ranges);
	assert_false(has("127.0.0.1", 0));
	add("198.51.100.7", 23, 0);
	add("2001:db8:5::77", 64, 0);
	add("192.0.2.1", 32, 0);
	add("::1", 128, 0);
	add("127.0.0.1", 8, 0);
	ranges_sort(&ranges);
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_case(cases[i].host, has(cases[i].host, 0), cases[i].has);
}

/* What overlaps becomes one, within a family and an interface. */
static void merged(void **state)
{
	(void)state;
	add("10.0.0.0", 8, 0);
	add("10.1.2.3", 32, 0);
	add("10.1.2.3", 32, 0);
	add("10.0.0.0", 16, 0);
	add("fe80::1", 128, 2);
	add("fe80::1", 128, 3);
	add("fe80::1", 128, 2);
	ranges_sort(&ranges);
	assert_int_equal(ranges.count, 3);
	assert_true(has("10.1.2.4", 0));
	add("0.0.0.0", 0, 0);
	ranges_sort(&ranges);
	assert_int_equal(ranges.count, 3);
	assert_true(has("255.255.255.255", 0));
	assert_false(has("::", 0));
}

/* A link-local address is of one interface; what holds for all holds for each. */
static void scopes(void **state)
{
	(void)state;
	add("fe80::1", 128, 2);
	add("2001:db8::1", 128, 2);
	ranges_sort(&ranges);
	assert_true(has("fe80::1", 2));
	assert_false(has("fe80::1", 3));
	assert_false(has("fe80::2", 2));
	assert_true(has("2001:db8::1", 0));
	assert_true(has("2001:db8::1", 7));
	add("::", 0, 0);
	ranges_sort(&ranges);
	assert_true(has("fe80::1", 3));
}

/* Random prefixes in a small space, against one look at each. */
static void against_a_search(void **state)
{
	enum { PREFIXES = 40, BASE = 0x0a000000 };
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint32_t hosts[PREFIXES], bits[PREFIXES];

		ranges_clear(&ranges);
		for (int i = 0; i < PREFIXES; i++) {
			struct address address = address_of("0.0.0.0", 0);

			hosts[i] = BASE + (uint32_t)random_below(&seed, 4096);
			bits[i] = 26 + (uint32_t)random_below(&seed, 7);
			address.v4.sin_addr.s_addr = htonl(hosts[i]);
			assert_int_equal(ranges_add(&ranges, &address, bits[i]), 0);
		}
		ranges_sort(&ranges);
		for (uint32_t host = BASE - 1; host <= BASE + 4096; host++) {
			struct address address = address_of("0.0.0.0", 0);
			bool found = false;

			for (int i = 0; i < PREFIXES; i++)
				found |= (host ^ hosts[i]) >> (32 - bits[i]) == 0;
			address.v4.sin_addr.s_addr = htonl(host);
			assert_int_equal(ranges_has(&ranges, &address), found);
		}
	}
}

/* It takes RANGES_MAX, and says when it is full. */
static void full(void **state)
{
	struct address address = address_of("10.0.0.0", 0);

	(void)state;
	for (uint32_t i = 0; i < RANGES_MAX; i++) {
		address.v4.sin_addr.s_addr = htonl(0x0a000000 + 2 * (RANGES_MAX - i));
		assert_int_equal(ranges_add(&ranges, &address, 32), 0);
	}
	assert_int_equal(ranges_add(&ranges, &address, 32), -ENOSPC);
	ranges_sort(&ranges);
	assert_int_equal(ranges.count, RANGES_MAX);
	assert_true(has("10.0.0.2", 0));
	assert_false(has("10.0.0.3", 0));
	ranges_clear(&ranges);
	assert_int_equal(ranges_add(&ranges, &address, 32), 0);
}

#define RANGES_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RANGES_TEST(edges),  RANGES_TEST(merged),
		RANGES_TEST(scopes), RANGES_TEST(against_a_search),
		RANGES_TEST(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
