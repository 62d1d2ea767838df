/* SPDX-License-Identifier: MIT */
/* The machine's addresses, and the notice of a change, as ring/addresses.h has them. */
#include <errno.h>

#include "contract/contract.h"
#include "lib/kernel.h"
#include "ring/addresses.h"

static struct ranges ranges;
static int monitor;

static void read_again(void)
{
	int error = -EAGAIN;

	/* Other programs of this machine may change them just now. */
	for (int tries = 0; error == -EAGAIN && tries < 100; tries++) {
		ranges_clear(&ranges);
		error = addresses_read(ring, monitor, &ranges);
	}
	assert_int_equal(error, 0);
	ranges_sort(&ranges);
}

static bool has(const char *host)
{
	struct address addresses[2];

	assert_int_equal(socket_resolve(ring, host, 1, addresses, 2), 1);
	return ranges_has(&ranges, &addresses[0]);
}

static int addresses_begin(void **state)
{
	int error = contract_begin(state);

	ranges = (struct ranges){ 0 };
	monitor = addresses_open(ring);
	assert_in_range(monitor, 0, INT32_MAX);
	return error;
}

static int addresses_end(void **state)
{
	if (monitor >= 0)
		socket_close(ring, monitor);
	ranges_destroy(&ranges);
	return contract_end(state);
}

/* All of 127.0.0.0/8 is ours, and ::1; addresses of documentation are nobody's. */
static void loopback(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		read_again();
		assert_true(has("127.0.0.1") && has("127.0.0.0") && has("127.255.255.255"));
		assert_true(has("::1"));
		assert_false(has("192.0.2.1") || has("2001:db8::1") || has("::2"));
	}
}

/* It is told in which network namespace a socket is. */
static void same_network(void **state)
{
	struct address address;
	int listener;

	(void)state;
	needs_linux(5, 14, "the kernel has no SO_NETNS_COOKIE");
	listener = listen_on_loopback(&address);
	assert_true(addresses_are_of(ring, monitor, listener));
	socket_close(ring, listener);
}

#define ADDRESSES_TEST(test) cmocka_unit_test_setup_teardown(test, addresses_begin, addresses_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ADDRESSES_TEST(loopback),
		ADDRESSES_TEST(same_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
