/* SPDX-License-Identifier: MIT */
#include "udp/peers.h"

#include <errno.h>
#include <string.h>

int peers_init(struct peers *peers, uint32_t limit, const uint8_t secret[static SIPHASH_KEY_BYTES])
{
	uint32_t size = 2;
	int error;

	CHECK(limit > 0 && limit <= 1u << 24);
	while (size < 2 * limit)
		size *= 2;
	memcpy(peers->secret, secret, sizeof(peers->secret));
	peers->mask = size - 1;
	peers->latest = NULL;
	error = slab_init(&peers->slab, sizeof(struct udp_peer), limit);
	if (error)
		return error;
	peers->entries = calloc(size, sizeof(*peers->entries));
	if (peers->entries)
		return 0;
	slab_destroy(&peers->slab);
	return -ENOMEM;
}

void peers_destroy(struct peers *peers)
{
	slab_destroy(&peers->slab);
	free(peers->entries);
}

uint64_t peers_bytes(const struct peers *peers)
{
	return slab_bytes(&peers->slab) + ((uint64_t)peers->mask + 1) * sizeof(*peers->entries);
}

static uint32_t hash_key(const struct peers *peers, const struct udp_key *key)
{
	return siphash_for_table(peers->secret, key, sizeof(*key));
}

static struct udp_peer *peer_at(const struct peers *peers, uint32_t place)
{
	return slab_at(&peers->slab, peers->entries[place].peer - 1);
}

/* The index of the entry with this key, or of the empty entry where it belongs. */
static uint32_t find_place(const struct peers *peers, const struct udp_key *key, uint32_t hash)
{
	uint32_t place = hash & peers->mask;

	while (peers->entries[place].peer) {
		if (peers->entries[place].hash == hash &&
		    memcmp(&peer_at(peers, place)->key, key, sizeof(*key)) == 0)
			break;
		place = (place + 1) & peers->mask;
	}
	return place;
}

struct udp_peer *peers_find(struct peers *peers, const struct udp_key *key)
{
	uint32_t place;

	if (peers->latest && memcmp(&peers->latest->key, key, sizeof(*key)) == 0)
		return peers->latest;
	place = find_place(peers, key, hash_key(peers, key));
	if (!peers->entries[place].peer)
		return NULL;
	peers->latest = peer_at(peers, place);
	return peers->latest;
}

struct udp_peer *peers_add(struct peers *peers, const struct udp_key *key, uint64_t client)
{
	uint32_t hash = hash_key(peers, key);
	uint32_t place = find_place(peers, key, hash);
	struct udp_peer *peer;

	CHECK(!peers->entries[place].peer);
	peer = slab_take(&peers->slab);
	if (!peer)
		return NULL;
	*peer = (struct udp_peer){ .key = *key, .client = client };
	peers->entries[place] = (struct peers_entry){
		.hash = hash,
		.peer = slab_index(&peers->slab, peer) + 1,
	};
	return peer;
}

void peers_remove(struct peers *peers, struct udp_peer *peer)
{
	uint32_t gap = find_place(peers, &peer->key, hash_key(peers, &peer->key));
	uint32_t place = gap;

	CHECK(peers->entries[gap].peer && peer_at(peers, gap) == peer);
	/* Move the following entries back into the gap, but none before the slot of its hash. */
	for (;;) {
		struct peers_entry *entry;

		place = (place + 1) & peers->mask;
		entry = &peers->entries[place];
		if (!entry->peer)
			break;
		if (((place - entry->hash) & peers->mask) >= ((place - gap) & peers->mask)) {
			peers->entries[gap] = *entry;
			gap = place;
		}
	}
	peers->entries[gap] = (struct peers_entry){ 0 };
	if (peers->latest == peer)
		peers->latest = NULL;
	slab_give(&peers->slab, peer);
}
