/* SPDX-License-Identifier: MIT */
/* The cookie: good for its address, its server and its time, and for no other. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cookie.h"

#define SECOND_NS 1000000000ull

static const uint8_t secret[SIPHASH_KEY_BYTES] = "not much of one";
static const uint64_t now_ns = 1000 * COOKIE_SLOT_NS;

static struct address ipv4(const char *host, uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, host, &address.v4.sin_addr), 1);
	address_set_port(&address, port);
	return address;
}

static struct address ipv6(const char *host, uint16_t port, uint32_t scope)
{
	struct address address = { .bytes = sizeof(address.v6) };

	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_scope_id = scope;
	assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
	address_set_port(&address, port);
	return address;
}

static void make(const struct address *address, uint8_t cookie[static COOKIE_BYTES])
{
	cookie_make(secret, address, now_ns, cookie);
}

static bool check(const struct address *address, const uint8_t cookie[static COOKIE_BYTES])
{
	return cookie_check(secret, address, now_ns, cookie);
}

/* A cookie that changes in any one bit is good no more. */
static void every_bit_of_the_cookie(void **state)
{
	struct address addresses[] = { ipv4("192.0.2.1", 7), ipv6("2001:db8::1", 7, 0) };
	uint8_t cookie[COOKIE_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		make(&addresses[i], cookie);
		assert_true(check(&addresses[i], cookie));
		for (unsigned bit = 0; bit < 8 * COOKIE_BYTES; bit++) {
			cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(check(&addresses[i], cookie));
			cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		assert_true(check(&addresses[i], cookie));
	}
}

/* Each bit of host and port counts, and an IPv6 address's scope; the flow label does not. */
static void every_bit_of_the_address(void **state)
{
	struct address base = ipv4("192.0.2.1", 4660), other;
	uint8_t cookie[COOKIE_BYTES];

	(void)state;
	make(&base, cookie);
	for (unsigned bit = 0; bit < 32; bit++) {
		other = base;
		other.v4.sin_addr.s_addr ^= 1u << bit;
		assert_false(check(&other, cookie));
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		other = base;
		other.v4.sin_port ^= (uint16_t)(1u << bit);
		assert_false(check(&other, cookie));
	}
	base = ipv6("fe80::1", 4660, 2);
	make(&base, cookie);
	for (unsigned bit = 0; bit < 128; bit++) {
		other = base;
		other.v6.sin6_addr.s6_addr[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(check(&other, cookie));
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		other = base;
		other.v6.sin6_scope_id ^= 1u << bit;
		assert_false(check(&other, cookie));
	}
	other = base;
	other.v6.sin6_flowinfo = 77;
	assert_true(check(&other, cookie));
}

/* The same bytes as addresses of both families are two addresses. */
static void families_differ(void **state)
{
	struct address one = ipv4("32.1.13.184", 7), other = ipv6("2001:db8::", 7, 0);
	uint8_t cookie[COOKIE_BYTES];

	(void)state;
	assert_memory_equal(&one.v4.sin_addr, &other.v6.sin6_addr, 4);
	make(&one, cookie);
	assert_false(check(&other, cookie));
}

static void every_bit_of_the_secret(void **state)
{
	struct address address = ipv4("192.0.2.1", 7);
	uint8_t cookie[COOKIE_BYTES], other[SIPHASH_KEY_BYTES];

	(void)state;
	make(&address, cookie);
	for (unsigned bit = 0; bit < 8 * SIPHASH_KEY_BYTES; bit++) {
		memcpy(other, secret, sizeof(other));
		other[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(cookie_check(other, &address, now_ns, cookie));
	}
}

/* Whenever it is made, it is good at once and for 4 s, but not for 8 s, and not before its slot. */
static void lifetime(void **state)
{
	struct address address = ipv4("192.0.2.1", 7);
	uint8_t cookie[COOKIE_BYTES];

	(void)state;
	for (uint64_t offset_ns = 0; offset_ns < COOKIE_SLOT_NS; offset_ns += 999999999) {
		uint64_t made_ns = now_ns + offset_ns, end_ns = now_ns + 2 * COOKIE_SLOT_NS;

		cookie_make(secret, &address, made_ns, cookie);
		assert_true(cookie_check(secret, &address, made_ns, cookie));
		assert_true(cookie_check(secret, &address, made_ns + 4 * SECOND_NS, cookie));
		assert_true(cookie_check(secret, &address, end_ns - 1, cookie));
		assert_false(cookie_check(secret, &address, end_ns, cookie));
		assert_false(cookie_check(secret, &address, made_ns + 8 * SECOND_NS, cookie));
		assert_false(cookie_check(secret, &address, now_ns - 1, cookie));
		for (uint64_t slot = 2; slot < 100; slot++)
			assert_false(cookie_check(secret, &address, made_ns + slot * COOKIE_SLOT_NS,
						  cookie));
	}
}

/* When the clock has only begun there is no slot before it, and nothing special about it. */
static void first_slot(void **state)
{
	struct address address = ipv4("192.0.2.1", 7);
	uint8_t cookie[COOKIE_BYTES], zeros[COOKIE_BYTES] = { 0 };

	(void)state;
	cookie_make(secret, &address, 0, cookie);
	assert_true(cookie_check(secret, &address, 0, cookie));
	assert_true(cookie_check(secret, &address, 2 * COOKIE_SLOT_NS - 1, cookie));
	assert_false(cookie_check(secret, &address, 2 * COOKIE_SLOT_NS, cookie));
	assert_false(cookie_check(secret, &address, 0, zeros));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_of_the_cookie),
		cmocka_unit_test(every_bit_of_the_address),
		cmocka_unit_test(families_differ),
		cmocka_unit_test(every_bit_of_the_secret),
		cmocka_unit_test(lifetime),
		cmocka_unit_test(first_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
