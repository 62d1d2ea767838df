/* SPDX-License-Identifier: MIT */
/* Addresses: from text, to text, and what kind they are; by tables of cases. */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

static struct address v4(const char *host, uint16_t port)
{
	struct address address = { .v4 = { .sin_family = AF_INET, .sin_port = htons(port) } };

	assert_int_equal(inet_pton(AF_INET, host, &address.v4.sin_addr), 1);
	address.bytes = sizeof(address.v4);
	return address;
}

static struct address v6(const char *host, uint16_t port, uint32_t scope)
{
	struct address address = {
		.v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope },
	};

	assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
	address.bytes = sizeof(address.v6);
	return address;
}

static struct address any(const char *host)
{
	return strchr(host, ':') ? v6(host, 7, 0) : v4(host, 7);
}

static void parse_good(void **state)
{
	static const struct {
		const char *text;
		enum rollcall_transport transport;
		const char *host;
		uint16_t port;
	} cases[] = {
		{ "tcp://localhost:8080", ROLLCALL_TCP, "localhost", 8080 },
		{ "udp://localhost:7070", ROLLCALL_UDP, "localhost", 7070 },
		{ "tcp://127.0.0.1:1", ROLLCALL_TCP, "127.0.0.1", 1 },
		{ "tcp://[::1]:8080", ROLLCALL_TCP, "::1", 8080 },
		{ "udp://[::]:0", ROLLCALL_UDP, "::", 0 },
		{ "tcp://[fe80::1%eth0]:80", ROLLCALL_TCP, "fe80::1%eth0", 80 },
		{ "tcp://*:65535", ROLLCALL_TCP, "*", 65535 },
		{ "tcp://example.org:00080", ROLLCALL_TCP, "example.org", 80 },
		{ "tcp://x:0", ROLLCALL_TCP, "x", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address_name name;

		assert_case(cases[i].text, address_parse(cases[i].text, &name), 0);
		assert_int_equal(name.transport, cases[i].transport);
		assert_string_equal(name.host, cases[i].host);
		assert_int_equal(name.port, cases[i].port);
	}
}

/* Link-local addresses of IPv6 alone have a zone (RFC 4291, 2.5.6: fe80::/10). */
static void zones(void **state)
{
	static const char *const others[] = { "::1",	 "::",		"fec0::1",
					      "ff02::1", "2001:db8::1", "169.254.1.1" };
	struct address address;

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		address = any(others[i]);
		assert_case(others[i], address_needs_zone(&address), false);
	}
	address = any("fe80::1");
	assert_true(address_needs_zone(&address));
	address = any("febf::1");
	assert_true(address_needs_zone(&address));
	address = v6("fe80::1", 7, 2);
	assert_false(address_needs_zone(&address));
}

static void parse_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"tcp",
		"tcp:",
		"tcp://",
		"localhost:8080",
		"sctp://localhost:80",
		"TCP://localhost:80",
		"tcp:/localhost:80",
		/* no port, or no number */
		"tcp://localhost",
		"tcp://localhost:",
		"tcp://localhost:http",
		"tcp://localhost:80x",
		"tcp://localhost: 80",
		"tcp://localhost:80 ",
		"tcp://localhost:+80",
		"tcp://localhost:-1",
		"tcp://localhost:0x50",
		"tcp://localhost:65536",
		"tcp://localhost:99999",
		"tcp://localhost:4294967376",
		"tcp://localhost:18446744073709551696",
		/* no host */
		"tcp://:80",
		"tcp://[]:80",
		/* IPv6 without its brackets, or with one of them; brackets round another thing */
		"tcp://1:2:3",
		"tcp://::1:80",
		"tcp://[::1",
		"tcp://[::1:80",
		"tcp://::1]:80",
		"tcp://[::1]",
		"tcp://[::1]80",
		"tcp://[::1]:",
		"tcp://[::1] :80",
		"tcp://[localhost]:80",
		"tcp://[127.0.0.1]:80",
		/* more behind the brackets than a port */
		"tcp://[::1]:80:90",
		"tcp://[::1]:x:80",
		"tcp://[::1]:]:80",
		"tcp://[::1]::80",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address_name name;

		assert_case(cases[i], address_parse(cases[i], &name), -EINVAL);
	}
}

/* A host name of 255 bytes passes, one of 256 does not; in brackets it is the same. */
static void parse_long_hosts(void **state)
{
	struct address_name name;
	char host[257], text[300];

	(void)state;
	memset(host, 'a', sizeof(host));
	host[255] = '\0';
	snprintf(text, sizeof(text), "tcp://%s:80", host);
	assert_int_equal(address_parse(text, &name), 0);
	assert_string_equal(name.host, host);
	host[255] = 'a';
	host[256] = '\0';
	snprintf(text, sizeof(text), "tcp://%s:80", host);
	assert_int_equal(address_parse(text, &name), -EINVAL);

	host[0] = ':';
	snprintf(text, sizeof(text), "tcp://[%s]:80", host);
	assert_int_equal(address_parse(text, &name), -EINVAL);
	host[255] = '\0';
	snprintf(text, sizeof(text), "tcp://[%s]:80", host);
	assert_int_equal(address_parse(text, &name), 0);
	assert_string_equal(name.host, host);
}

static void assert_formatted(struct address address, const char *expected)
{
	char text[ADDRESS_TEXT_BYTES];

	address_format(&address, text);
	assert_string_equal(text, expected);
}

/* The last one is the longest that there is, and fits. */
static void format(void **state)
{
	(void)state;
	assert_formatted(v4("127.0.0.1", 8080), "127.0.0.1:8080");
	assert_formatted(v4("255.255.255.255", 65535), "255.255.255.255:65535");
	assert_formatted(v4("0.0.0.0", 0), "0.0.0.0:0");
	assert_formatted(v6("::1", 8080, 0), "[::1]:8080");
	assert_formatted(v6("::", 0, 0), "[::]:0");
	assert_formatted(v6("fe80::1", 80, 3), "[fe80::1%3]:80");
	assert_formatted(v6("1111:2222:3333:4444:5555:6666:7777:8888", 65535, UINT32_MAX),
			 "[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535");
}

static void ports(void **state)
{
	struct address four = v4("127.0.0.1", 0x1234), six = v6("::1", 0x1234, 0);

	(void)state;
	assert_int_equal(address_port(&four), 0x1234);
	assert_int_equal(address_port(&six), 0x1234);
	address_set_port(&four, 65535);
	address_set_port(&six, 1);
	assert_int_equal(address_port(&four), 65535);
	assert_int_equal(address_port(&six), 1);
	assert_formatted(four, "127.0.0.1:65535");
	assert_formatted(six, "[::1]:1");
}

/* Two addresses are the same only with all of family, address, scope and port. */
static void equal(void **state)
{
	const struct {
		struct address a, b;
		bool same_host, equal;
	} cases[] = {
		{ v4("127.0.0.1", 1), v4("127.0.0.1", 1), true, true },
		{ v4("127.0.0.1", 1), v4("127.0.0.1", 2), true, false },
		{ v4("127.0.0.1", 1), v4("127.0.0.2", 1), false, false },
		{ v6("fe80::1", 1, 1), v6("fe80::1", 1, 1), true, true },
		{ v6("fe80::1", 1, 1), v6("fe80::1", 2, 1), true, false },
		{ v6("fe80::1", 1, 1), v6("fe80::1", 1, 2), false, false },
		{ v6("fe80::1", 1, 1), v6("fe80::2", 1, 1), false, false },
		{ v6("fe80::1", 1, 1), v6("fe80::1:0:1", 1, 1), false, false },
		{ v6("fe80::1", 1, 1), v6("fe80:0:1::1", 1, 1), false, false },
		{ v6("fe80::1", 1, 1), v6("fe81::1", 1, 1), false, false },
		{ v4("0.0.0.0", 1), v6("::", 1, 0), false, false },
		{ v4("127.0.0.1", 1), v6("::ffff:127.0.0.1", 1, 0), false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(address_same_host(&cases[i].a, &cases[i].b), cases[i].same_host);
		assert_int_equal(address_same_host(&cases[i].b, &cases[i].a), cases[i].same_host);
		assert_int_equal(address_equal(&cases[i].a, &cases[i].b), cases[i].equal);
		assert_int_equal(address_equal(&cases[i].b, &cases[i].a), cases[i].equal);
	}
}

static void kinds(void **state)
{
	static const struct {
		const char *host;
		bool wildcard, loopback, unicast;
	} cases[] = {
		{ "0.0.0.0", true, false, false },
		{ "127.0.0.1", false, true, true },
		{ "127.255.255.255", false, true, true },
		{ "126.255.255.255", false, false, true },
		{ "128.0.0.0", false, false, true },
		{ "1.0.0.127", false, false, true },
		{ "223.255.255.255", false, false, true },
		{ "224.0.0.1", false, false, false },
		{ "239.255.255.255", false, false, false },
		{ "240.0.0.1", false, false, false },
		{ "255.255.255.255", false, false, false },
		{ "::", true, false, false },
		{ "::1", false, true, true },
		{ "::2", false, false, true },
		{ "1::", false, false, true },
		{ "::1:0:1", false, false, true },
		{ "::1:0:0:1", false, false, true },
		{ "0:0:1::1", false, false, true },
		{ "::1:0:0", false, false, true },
		{ "0:0:1::", false, false, true },
		{ "fe80::1", false, false, true },
		{ "2001:db8::1", false, false, true },
		{ "ff00::", false, false, false },
		{ "ff02::1", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct address address = any(cases[i].host);

		assert_case(cases[i].host, address_is_wildcard(&address), cases[i].wildcard);
		assert_case(cases[i].host, address_is_loopback(&address), cases[i].loopback);
		assert_case(cases[i].host, address_is_unicast(&address), cases[i].unicast);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_good), cmocka_unit_test(parse_bad),
		cmocka_unit_test(zones),      cmocka_unit_test(parse_long_hosts),
		cmocka_unit_test(format),     cmocka_unit_test(ports),
		cmocka_unit_test(equal),      cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
