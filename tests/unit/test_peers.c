/* SPDX-License-Identifier: MIT */
/* The map from addresses to UDP clients: what it finds, after any coming and going. */
#include "lib/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aborts.h"
#include "lib/random.h"
#include "udp/peers.h"

static const uint8_t secret[SIPHASH_KEY_BYTES] = "not much of one";
static struct peers peers;

static void init(uint32_t limit)
{
	assert_int_equal(peers_init(&peers, limit, secret), 0);
}

static struct udp_key key_of(uint32_t number)
{
	struct udp_key key = { .port = (uint16_t)(number >> 8) };

	memcpy(key.peer, &number, sizeof(number));
	return key;
}

static struct udp_peer *add(const struct udp_key *key, uint64_t client)
{
	return peers_add(&peers, key, client);
}

static void find_add_remove(void **state)
{
	struct udp_key one = key_of(1), two = key_of(2);
	struct udp_peer *peer;

	(void)state;
	init(4);
	assert_null(peers_find(&peers, &one));
	peer = add(&one, 77);
	assert_non_null(peer);
	assert_int_equal(peer->client, 77);
	assert_memory_equal(&peer->key, &one, sizeof(one));
	assert_ptr_equal(peers_find(&peers, &one), peer);
	assert_null(peers_find(&peers, &two));
	peers_remove(&peers, peer);
	assert_null(peers_find(&peers, &one));
	peer = add(&one, 78);
	assert_int_equal(peers_find(&peers, &one)->client, 78);
	peers_remove(&peers, peer);
	peers_destroy(&peers);
}

/* A map takes as many as were asked for, no fewer and no more. */
static void full(void **state)
{
	(void)state;
	for (uint32_t limit = 1; limit <= 9; limit++) {
		struct udp_key key = key_of(limit);

		init(limit);
		for (uint32_t i = 0; i < limit; i++) {
			struct udp_key other = key_of(i);

			assert_non_null(add(&other, i));
		}
		assert_null(add(&key, 99));
		assert_null(peers_find(&peers, &key));
		for (uint32_t i = 0; i < limit; i++) {
			struct udp_key other = key_of(i);

			assert_int_equal(peers_find(&peers, &other)->client, i);
			peers_remove(&peers, peers_find(&peers, &other));
		}
		assert_non_null(add(&key, 99));
		peers_remove(&peers, peers_find(&peers, &key));
		peers_destroy(&peers);
	}
}

/* Keys that differ in a single bit, of any field, are different clients. */
static void every_bit_of_the_key(void **state)
{
	enum { BITS = 8 * sizeof(struct udp_key) };
	struct udp_key base = key_of(0x12345678), keys[BITS];

	(void)state;
	init(BITS + 1);
	add(&base, BITS);
	for (unsigned bit = 0; bit < BITS; bit++) {
		keys[bit] = base;
		((uint8_t *)&keys[bit])[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_null(peers_find(&peers, &keys[bit]));
		assert_non_null(add(&keys[bit], bit));
	}
	assert_int_equal(peers_find(&peers, &base)->client, BITS);
	for (unsigned bit = 0; bit < BITS; bit++) {
		assert_int_equal(peers_find(&peers, &keys[bit])->client, bit);
		peers_remove(&peers, peers_find(&peers, &keys[bit]));
		assert_null(peers_find(&peers, &keys[bit]));
	}
	peers_remove(&peers, peers_find(&peers, &base));
	peers_destroy(&peers);
}

/* Under another secret the same keys stand in other places: nobody can aim at one. */
static void secret_counts(void **state)
{
	enum { KEYS = 64 };
	uint32_t places[2][KEYS], same = 0;

	(void)state;
	for (uint8_t round = 0; round < 2; round++) {
		uint8_t other[SIPHASH_KEY_BYTES] = { round };

		assert_int_equal(peers_init(&peers, KEYS, other), 0);
		for (uint32_t i = 0; i < KEYS; i++) {
			struct udp_key key = key_of(i);
			struct udp_peer *peer = add(&key, i);

			for (uint32_t place = 0; place <= peers.mask; place++)
				if (peers.entries[place].peer == slab_index(&peers.slab, peer) + 1)
					places[round][i] = place;
			peers_remove(&peers, peer);
		}
		peers_destroy(&peers);
	}
	for (uint32_t i = 0; i < KEYS; i++)
		same += places[0][i] == places[1][i];
	assert_in_range(same, 0, 8);
}

/* The first `count` keys whose own place is within `width` of the given one. */
static void find_colliding(uint32_t place, uint32_t width, struct udp_key *keys, size_t count)
{
	uint32_t number = 0;

	for (size_t found = 0; found < count; number++) {
		struct udp_key key = key_of(number);
		uint32_t own = (uint32_t)siphash(secret, &key, sizeof(key)) & peers.mask;

		if (((own - place) & peers.mask) < width)
			keys[found++] = key;
	}
}

/*
 * Keys that crowd at one place, the last of the map, where it wraps to the first: each
 * is removed from the crowd, and all the others must still be found.
 */
static void clusters(void **state)
{
	enum { KEYS = 12 };
	struct udp_key keys[KEYS];

	(void)state;
	init(16);
	for (uint32_t width = 1; width <= 6; width++) {
		find_colliding((0 - width / 2) & peers.mask, width, keys, KEYS);
		for (uint32_t gone = 0; gone < KEYS; gone++) {
			for (uint32_t i = 0; i < KEYS; i++)
				assert_non_null(add(&keys[i], i));
			peers_remove(&peers, peers_find(&peers, &keys[gone]));
			for (uint32_t i = 0; i < KEYS; i++) {
				struct udp_peer *peer = peers_find(&peers, &keys[i]);

				assert_int_equal(!peer, i == gone);
				if (!peer)
					continue;
				assert_int_equal(peer->client, i);
				peers_remove(&peers, peer);
			}
		}
	}
	for (uint32_t place = 0; place <= peers.mask; place++)
		assert_int_equal(peers.entries[place].peer, 0);
	peers_destroy(&peers);
}

struct hashed {
	uint32_t hash, number;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *one = a, *other = b;

	return one->hash < other->hash ? -1 : one->hash > other->hash;
}

/* Two keys with the same hash, the first among 300,000 (of 2^32 hashes; some ten pairs). */
static void find_same_hash(struct udp_key *one, struct udp_key *other)
{
	enum { TRIES = 300000 };
	static struct hashed all[TRIES];
	uint32_t i = 1;

	for (uint32_t number = 0; number < TRIES; number++) {
		struct udp_key key = key_of(number);

		all[number].hash = (uint32_t)siphash(secret, &key, sizeof(key));
		all[number].number = number;
	}
	qsort(all, TRIES, sizeof(*all), by_hash);
	while (i < TRIES && all[i].hash != all[i - 1].hash)
		i++;
	assert_in_range(i, 1, TRIES - 1);
	*one = key_of(all[i - 1].number);
	*other = key_of(all[i].number);
}

/* Two keys with the same hash are two clients all the same. */
static void same_hash(void **state)
{
	struct udp_key one, other;

	find_same_hash(&one, &other);
	(void)state;
	init(4);
	assert_int_equal((uint32_t)siphash(secret, &one, sizeof(one)),
			 (uint32_t)siphash(secret, &other, sizeof(other)));
	add(&one, 1);
	assert_null(peers_find(&peers, &other));
	add(&other, 2);
	assert_int_equal(peers_find(&peers, &one)->client, 1);
	assert_int_equal(peers_find(&peers, &other)->client, 2);
	peers_remove(&peers, peers_find(&peers, &one));
	assert_int_equal(peers_find(&peers, &other)->client, 2);
	peers_remove(&peers, peers_find(&peers, &other));
	peers_destroy(&peers);
}

/* Random coming and going of many keys in a crowded map against an array of those present. */
static void random_model(void **state)
{
	enum { LIMIT = 128, KEYS = 300, STEPS = 50000 };
	static bool here[KEYS];
	uint64_t seed = 9;
	uint32_t count = 0, refused = 0;

	(void)state;
	init(LIMIT);
	for (int step = 0; step < STEPS; step++) {
		uint32_t pick = (uint32_t)random_below(&seed, KEYS);
		struct udp_key key = key_of(pick);
		struct udp_peer *peer = peers_find(&peers, &key);

		assert_int_equal(peer != NULL, here[pick]);
		if (peer) {
			assert_int_equal(peer->client, pick);
			peers_remove(&peers, peer);
			here[pick] = false;
			count--;
		} else {
			here[pick] = add(&key, pick) != NULL;
			assert_int_equal(here[pick], count < LIMIT);
			count += here[pick];
			refused += !here[pick];
		}
		for (uint32_t i = 0; step % 100 == 0 && i < KEYS; i++) {
			key = key_of(i);
			assert_int_equal(peers_find(&peers, &key) != NULL, here[i]);
		}
	}
	assert_in_range(refused, 100, STEPS / 2);
	for (uint32_t i = 0; i < KEYS; i++) {
		struct udp_key key = key_of(i);

		if (here[i])
			peers_remove(&peers, peers_find(&peers, &key));
	}
	peers_destroy(&peers);
}

static void add_twice(void *key)
{
	add(key, 1);
	add(key, 2);
}

static void remove_twice(void *key)
{
	struct udp_peer copy = *add(key, 1);

	peers_remove(&peers, peers_find(&peers, key));
	peers_remove(&peers, &copy);
}

static void checks(void **state)
{
	struct udp_key key = key_of(1);

	(void)state;
	init(4);
	assert_true(aborts(add_twice, &key));
	assert_true(aborts(remove_twice, &key));
	peers_destroy(&peers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(find_add_remove),
		cmocka_unit_test(full),
		cmocka_unit_test(every_bit_of_the_key),
		cmocka_unit_test(secret_counts),
		cmocka_unit_test(clusters),
		cmocka_unit_test(same_hash),
		cmocka_unit_test(random_model),
		cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
