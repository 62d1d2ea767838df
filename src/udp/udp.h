/* SPDX-License-Identifier: MIT */
/*
 * udp.h - UDP clients, and the datagrams to them.
 *
 * A client is known by its addresses, from its first datagram until it has been silent for the idle
 * timeout. Every datagram to a client is an operation of its own, from a pool of slots.
 */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "client/core.h"
#include "client/idle.h"
#include "udp/peers.h"

/* The most bytes of a datagram: 2^16 - 1, less the headers of UDP, and of IPv4 (RFC 768, 791). */
#define UDP_IPV4_BYTES_MAX (65535 - 8 - 20)
#define UDP_IPV6_BYTES_MAX (65535 - 8)

/* Parts that refer to buffers or end a block, and the blocks of the largest datagram. */
#define UDP_PIECES 64
_Static_assert(UDP_PIECES >= 2 * CORE_PARTS_MAX + UDP_IPV6_BYTES_MAX / QUEUE_BLOCK_ROOM + 1,
	       "every datagram has enough pieces");

/* Datagrams in flight at a time; when all are, more are dropped and counted. */
#define UDP_SLOTS 4096

/* A datagram on its way out. Nothing of it moves until its completion. */
struct datagram {
	struct msghdr message;
	struct iovec pieces[UDP_PIECES];
	struct address to;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct queue queue;
	struct datagram *next; /* waits for an SQE */
	uint64_t client;
	int fd;
};

struct endpoint;

struct udp {
	struct core *core;
	struct peers peers;
	struct slab slots;
	struct datagram *first, *last; /* wait for an SQE */
	struct idle idle;
};

/* -ENOMEM */
int udp_init(struct udp *udp, struct core *core);
void udp_destroy(struct udp *udp);

/*
 * The client with this key, made and announced if it is not known yet; NULL: there is no room.
 */
struct client *udp_client(struct udp *udp, struct endpoint *endpoint, const struct udp_key *key);

/* Sends a datagram; as rollcall_sendv(). */
int udp_send(struct udp *udp, struct client *client, const struct iovec *parts, unsigned count);

/* The address of a client; of length 0 once it is closing. */
void udp_address(const struct client *client, struct address *address);

/* Forgets a client, once its datagrams are sent. */
void udp_close(struct udp *udp, struct client *client, int reason);

/* Frees a closing client whose datagrams are sent. */
void udp_flush_client(struct udp *udp, struct client *client);

/* Starts the sends of waiting datagrams. false: the submission queue is full. */
bool udp_flush(struct udp *udp);

/* The completion of a send; id is the slot's number. */
void udp_on_send(struct udp *udp, uint64_t id, const struct io_uring_cqe *cqe);

#endif
