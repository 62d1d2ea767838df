/* SPDX-License-Identifier: MIT */
/*
 * peers.h - who sent this datagram: a map from addresses to client IDs.
 *
 * Open addressing with linear probing, at most half full, keyed with SipHash under a secret key,
 * since a peer chooses its address and port. All memory is taken at the start; pages not needed
 * stay untouched.
 */
#ifndef UDP_PEERS_H
#define UDP_PEERS_H

#include <stdint.h>

#include "base/siphash.h"
#include "base/slab.h"

/* What tells UDP clients apart. IPv4 addresses stand in the first four bytes, the rest is zero. */
struct udp_key {
	uint8_t peer[16];
	uint8_t local[16]; /* the address asked, on a wildcard endpoint; else zero */
	uint32_t scope;	   /* of a link-local peer */
	uint16_t port;	   /* the peer's */
	uint16_t endpoint; /* the index; it also decides the address family */
	uint32_t ssrc;	   /* of one that numbers its datagrams */
	uint32_t numbered; /* whether it does */
};

_Static_assert(sizeof(struct udp_key) == 48, "a key without padding can be hashed as it is");

struct udp_peer {
	struct udp_key key;
	uint64_t client;
	uint64_t source; /* sources_prefix() of its address */
};

struct peers_entry {
	uint32_t hash;
	uint32_t peer; /* its index in the slab plus 1; 0: empty */
};

struct peers {
	uint8_t secret[SIPHASH_KEY_BYTES];
	struct slab slab;
	struct peers_entry *entries;
	uint32_t mask;
	struct udp_peer *latest; /* that was found, or NULL */
};

/* For so many peers at most, up to 2^24. -ENOMEM. */
int peers_init(struct peers *peers, uint32_t limit, const uint8_t secret[static SIPHASH_KEY_BYTES]);
void peers_destroy(struct peers *peers);

/* NULL: not known. Who was found last costs no hash: datagrams of one peer come together. */
struct udp_peer *peers_find(struct peers *peers, const struct udp_key *key);

/* Adds a peer that is not known yet; NULL: full. */
struct udp_peer *peers_add(struct peers *peers, const struct udp_key *key, uint64_t client);

void peers_remove(struct peers *peers, struct udp_peer *peer);

#endif
