/* SPDX-License-Identifier: MIT */
/*
 * peers.h - a hash table from the addresses of a datagram to the client ID.
 *
 * Open addressing with linear probing, at most half full. The hash is SipHash under a secret key,
 * since a peer chooses its address and port. All memory is reserved at the start; unused pages are
 * never touched.
 */
#ifndef UDP_PEERS_H
#define UDP_PEERS_H

#include <stdint.h>

#include "base/siphash.h"
#include "base/slab.h"

/* Identifies a UDP client. IPv4 addresses use the first four bytes; the rest is zero. */
struct udp_key {
	uint8_t peer[16];
	uint8_t local[16]; /* destination address, on a wildcard endpoint; else zero */
	uint32_t scope;	   /* scope ID of a link-local peer */
	uint16_t port;	   /* the peer's port */
	uint16_t endpoint; /* index of the endpoint, which implies the address family */
	uint32_t ssrc;	   /* of a peer that sends RTP headers */
	uint32_t numbered; /* 1 if it does */
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
	struct udp_peer *latest; /* the one found last, or NULL */
};

/* `limit`: maximum number of peers, 1 to 2^24. -ENOMEM */
int peers_init(struct peers *peers, uint32_t limit, const uint8_t secret[static SIPHASH_KEY_BYTES]);
void peers_destroy(struct peers *peers);

/* The memory that they take at most. */
uint64_t peers_bytes(const struct peers *peers);

/* NULL: not known. The peer found last is compared first, without hashing: datagrams of one peer
 * often follow each other. */
struct udp_peer *peers_find(struct peers *peers, const struct udp_key *key);

/* Adds a peer that is not in the table; NULL: the table is full. */
struct udp_peer *peers_add(struct peers *peers, const struct udp_key *key, uint64_t client);

void peers_remove(struct peers *peers, struct udp_peer *peer);

#endif
