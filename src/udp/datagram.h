/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - datagrams on their way out.
 *
 * Each is an operation of its own, from a pool of slots, and all may be in flight at once. Those to
 * the same client that are queued in a turn one after the other, and have one size, are one GSO
 * batch (udp(7), UDP_SEGMENT; Linux 4.18); the last of them may be shorter. If the kernel refuses a
 * batch, its datagrams are sent one by one, and so are all later ones to that client.
 *
 * Datagrams to a client leave in their order. The kernel sends each while it is submitted, so that
 * only a refused batch could be overtaken: what follows a batch stays queued until its completion,
 * and the datagrams of a refused one are queued before it. That costs a client that fills more than
 * one batch a turn one turn for each; the others do not wait.
 *
 * None waits for room in the socket: it would hold a buffer that all share, and leave after newer
 * ones. What finds no room is lost and counted, as anywhere on its way.
 */
#ifndef UDP_DATAGRAM_H
#define UDP_DATAGRAM_H

#include "client/core.h"
#include "udp/peers.h"
#include "udp/rtp.h"

/* The most bytes of a datagram: 2^16 - 1, less the headers of UDP, and of IPv4 (RFC 768, 791). */
#define DATAGRAM_IPV4_BYTES_MAX (65535 - 8 - 20)
#define DATAGRAM_IPV6_BYTES_MAX (65535 - 8)

/* The most datagrams of a batch (Linux before 6.9; 128 since), and the most bytes. */
#define DATAGRAM_SEGMENTS_MAX 64
#define DATAGRAM_BATCH_BYTES_MAX DATAGRAM_IPV4_BYTES_MAX

/* The parts of a message, and a header before them. */
#define DATAGRAM_PARTS_MAX (CORE_PARTS_MAX + 1)

/* Parts that refer to buffers or end a block, and the blocks of the largest datagram. */
#define DATAGRAM_PIECES 64
#define DATAGRAM_PIECES_OF(parts, bytes) (2 * (parts) + (bytes) / QUEUE_BLOCK_ROOM + 1)
_Static_assert(DATAGRAM_PIECES >= DATAGRAM_PIECES_OF(DATAGRAM_PARTS_MAX, DATAGRAM_IPV6_BYTES_MAX),
	       "every datagram has enough pieces");

/* Datagrams in flight at a time; when all are, more are dropped and counted. */
#define DATAGRAM_SLOTS 4096

struct endpoint;

/* One datagram, or a GSO batch. Nothing of it moves until its completion. */
struct datagram {
	struct msghdr message;
	struct iovec pieces[DATAGRAM_PIECES];
	struct address to;
	_Alignas(struct cmsghdr) uint8_t
		control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
	struct queue queue;
	struct datagram *next; /* behind it in its queue; behind the last: the first */
	struct endpoint *endpoint;
	struct udp_key key;
	uint64_t client; /* or ROLLCALL_NONE */
	uint32_t segment_bytes;
	uint16_t segments;
	bool whole; /* none can be appended: its last segment is shorter, or it leaves alone */
};

struct datagrams {
	struct core *core;
	struct slab slots;
	struct datagram *unlisted; /* the last that is queued for clients without a place */
};

/* -ENOMEM */
int datagrams_init(struct datagrams *datagrams, struct core *core);
void datagrams_destroy(struct datagrams *datagrams);

/* Whom a datagram is for. */
struct datagram_target {
	struct endpoint *endpoint;
	const struct udp_key *key;
	struct client *client; /* NULL: it has no place in the table */
};

/*
 * Queues a datagram. To a client without a place it leaves alone, since nothing is kept that could
 * hold back what follows a batch. false: no slot or no memory is left; counted.
 */
bool datagrams_send(struct datagrams *datagrams, const struct datagram_target *target,
		    const struct message *message);

/* Starts what is queued for a client, up to a batch. false: the submission queue is full. */
bool datagrams_flush(struct datagrams *datagrams, struct client *client);

/* The same for clients without a place. */
bool datagrams_flush_unlisted(struct datagrams *datagrams);

/*
 * The completion of a send; id is the number of the slot, which is free then. Returns its client,
 * or NULL if that has no place.
 */
struct client *datagrams_on_sent(struct datagrams *datagrams, uint64_t id,
				 const struct io_uring_cqe *cqe);

/* Whether any is queued or in flight. */
bool datagrams_are_busy(const struct datagrams *datagrams);

/* The address of the peer. */
void datagram_address(const struct udp_key *key, const struct address *local, struct address *to);

#endif
