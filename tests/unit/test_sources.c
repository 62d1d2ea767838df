/* SPDX-License-Identifier: MIT */
/* The counts of clients by source: what is one source, and that each count stays exact. */
#include "lib/test.h"

#include <arpa/inet.h>

#include "lib/aborts.h"
#include "lib/random.h"
#include "client/sources.h"

static const uint8_t secret[SIPHASH_KEY_BYTES] = "not much of one";
static struct sources sources;

static void init(uint32_t limit)
{
	assert_int_equal(sources_init(&sources, limit, secret), 0);
}

static uint64_t prefix_of(const char *host)
{
	struct address address = { .v4.sin_family = AF_INET };

	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1)
		return sources_prefix(&address);
	address.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = 7 };
	assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
	return sources_prefix(&address);
}

/* Each IPv4 address is a source, also within an IPv6 one, and the first 64 bits of others are. */
static void prefixes(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} pairs[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "64.0.2.1", false },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "2001:db8::1", "a001:db8::1", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "::ffff:192.0.2.2", "::ffff:192.0.2.1", false },
		{ "192.0.2.1", "64:ff9b::192.0.2.1", true },
		{ "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", true },
		{ "64:ff9b::192.0.2.2", "64:ff9b::192.0.2.1", false },
		{ "192.0.2.1", "64:ff9b::1:c000:201", false },
		{ "192.0.2.1", "64:ff9b:1::192.0.2.1", false },
		{ "64:ff9b:1::192.0.2.2", "64:ff9b:1::192.0.2.1", true },
		{ "64:ff9b::1:c000:201", "64:ff9b::1:c000:202", true },
		{ "192.0.2.1", "::192.0.2.1", false },
		{ "192.0.2.1", "::c000:201:0:0", false },
		{ "192.0.2.1", "::c000:201:0:0:0", false },
		{ "0.0.0.1", "::1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		assert_case(pairs[i].other, prefix_of(pairs[i].one) == prefix_of(pairs[i].other),
			    pairs[i].same);
}

/* No unicast IPv6 address has the number of an IPv4 one: that is in ff00::/8, of multicast. */
static void families_apart(void **state)
{
	(void)state;
	assert_int_equal(prefix_of("0.0.0.0") >> 56, 0xff);
	assert_int_equal(prefix_of("255.255.255.255") >> 56, 0xff);
	assert_int_not_equal(prefix_of("feff:ffff:ffff:ffff::1") >> 56, 0xff);
}

/* A source with the number 0, that of ::1, is one like others. */
static void counting(void **state)
{
	const uint64_t local = prefix_of("::1"), other = prefix_of("192.0.2.1");

	(void)state;
	init(3);
	assert_int_equal(local, 0);
	assert_int_equal(sources_count(&sources, local), 0);
	sources_add(&sources, local);
	sources_add(&sources, other);
	sources_add(&sources, local);
	assert_int_equal(sources_count(&sources, local), 2);
	assert_int_equal(sources_count(&sources, other), 1);
	sources_remove(&sources, local);
	assert_int_equal(sources_count(&sources, local), 1);
	sources_remove(&sources, local);
	assert_int_equal(sources_count(&sources, local), 0);
	assert_int_equal(sources_count(&sources, other), 1);
	sources_remove(&sources, other);
	sources_destroy(&sources);
}

/* As many sources as clients fit, at every limit. */
static void full(void **state)
{
	(void)state;
	for (uint32_t limit = 1; limit <= 9; limit++) {
		init(limit);
		for (uint64_t prefix = 0; prefix < limit; prefix++)
			sources_add(&sources, prefix);
		assert_int_equal(sources_count(&sources, limit), 0);
		for (uint64_t prefix = 0; prefix < limit; prefix++) {
			assert_int_equal(sources_count(&sources, prefix), 1);
			sources_remove(&sources, prefix);
		}
		sources_destroy(&sources);
	}
}

/* The first `count` sources whose own place is within `width` of the given one. */
static void find_colliding(uint32_t place, uint32_t width, uint64_t *prefixes_found, size_t count)
{
	uint64_t prefix = 0;

	for (size_t found = 0; found < count; prefix++) {
		uint32_t own = (uint32_t)siphash(secret, &prefix, sizeof(prefix)) & sources.mask;

		if (((own - place) & sources.mask) < width)
			prefixes_found[found++] = prefix;
	}
}

/*
 * Sources that crowd at one place, the last of the map, where it wraps to the first: each
 * is removed from the crowd, and all the others must keep their counts.
 */
static void clusters(void **state)
{
	enum { SOURCES = 12 };
	uint64_t crowd[SOURCES];

	(void)state;
	init(16);
	for (uint32_t width = 1; width <= 6; width++) {
		find_colliding((0 - width / 2) & sources.mask, width, crowd, SOURCES);
		for (uint32_t gone = 0; gone < SOURCES; gone++) {
			for (uint32_t i = 0; i < SOURCES; i++)
				sources_add(&sources, crowd[i]);
			sources_remove(&sources, crowd[gone]);
			for (uint32_t i = 0; i < SOURCES; i++) {
				uint32_t clients = sources_count(&sources, crowd[i]);

				assert_int_equal(clients, i != gone);
				if (clients)
					sources_remove(&sources, crowd[i]);
			}
		}
	}
	for (uint32_t place = 0; place <= sources.mask; place++)
		assert_int_equal(sources.entries[place].clients, 0);
	sources_destroy(&sources);
}

/* Random coming and going of clients, up to the limit, against an array of counts. */
static void random_model(void **state)
{
	enum { LIMIT = 128, SOURCES = 300, STEPS = 100000 };
	static uint32_t model[SOURCES];
	uint64_t seed = 5;
	uint32_t clients = 0, full_count = 0, most = 0;

	(void)state;
	init(LIMIT);
	for (int step = 0; step < STEPS; step++) {
		uint64_t pick = random_below(&seed, random_below(&seed, 4) ? SOURCES : 3);
		bool add = random_below(&seed, 1000) < (step / 1000 % 2 ? 600 : 400);

		full_count += clients == LIMIT;
		if (add && clients < LIMIT) {
			sources_add(&sources, pick);
			model[pick]++;
			clients++;
		} else if (!add && model[pick] > 0) {
			sources_remove(&sources, pick);
			model[pick]--;
			clients--;
		}
		most = model[pick] > most ? model[pick] : most;
		assert_int_equal(sources_count(&sources, pick), model[pick]);
		for (uint64_t i = 0; step % 100 == 0 && i < SOURCES; i++)
			assert_int_equal(sources_count(&sources, i), model[i]);
	}
	assert_in_range(full_count, 1000, STEPS);
	assert_in_range(most, 5, LIMIT);
	for (uint64_t i = 0; i < SOURCES; i++)
		while (model[i]-- > 0)
			sources_remove(&sources, i);
	sources_destroy(&sources);
}

/* Under another secret the same sources stand in other places: nobody can aim at one. */
static void secret_counts(void **state)
{
	enum { SOURCES = 64 };
	uint32_t places[2][SOURCES], same = 0;

	(void)state;
	for (uint8_t round = 0; round < 2; round++) {
		uint8_t other[SIPHASH_KEY_BYTES] = { round };

		assert_int_equal(sources_init(&sources, SOURCES, other), 0);
		for (uint64_t i = 0; i < SOURCES; i++) {
			sources_add(&sources, i);
			for (uint32_t place = 0; place <= sources.mask; place++)
				if (sources.entries[place].clients > 0)
					places[round][i] = place;
			sources_remove(&sources, i);
		}
		sources_destroy(&sources);
	}
	for (uint32_t i = 0; i < SOURCES; i++)
		same += places[0][i] == places[1][i];
	assert_in_range(same, 0, 8);
}

static void add(void *prefix)
{
	sources_add(&sources, *(uint64_t *)prefix);
}

static void remove_one(void *prefix)
{
	sources_remove(&sources, *(uint64_t *)prefix);
}

static void destroy(void *unused)
{
	(void)unused;
	sources_destroy(&sources);
}

static void init_for(void *limit)
{
	init(*(uint32_t *)limit);
}

static void checks(void **state)
{
	uint64_t one = 1, two = 2;
	uint32_t none = 0, most = 1u << 24, too_many = (1u << 24) + 1;

	(void)state;
	init(2);
	assert_true(aborts(remove_one, &one));
	sources_add(&sources, one);
	assert_true(aborts(remove_one, &two));
	assert_false(aborts(add, &one));
	sources_add(&sources, one);
	assert_true(aborts(add, &one));
	assert_true(aborts(destroy, NULL));
	sources_remove(&sources, one);
	sources_remove(&sources, one);
	assert_false(aborts(destroy, NULL));
	sources_destroy(&sources);
	assert_true(aborts(init_for, &none));
	assert_false(aborts(init_for, &most));
	assert_true(aborts(init_for, &too_many));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes), cmocka_unit_test(families_apart),
		cmocka_unit_test(counting), cmocka_unit_test(full),
		cmocka_unit_test(clusters), cmocka_unit_test(random_model),
		cmocka_unit_test(checks),   cmocka_unit_test(secret_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
