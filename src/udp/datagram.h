/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - sending datagrams.
 *
 * Each datagram or GSO batch takes a slot of a pool and one send operation; all slots may be in
 * flight at once. Consecutive datagrams of one size that are queued for one client in one turn form
 * a GSO batch (udp(7), UDP_SEGMENT; Linux 4.18); the last of them may be shorter. If the kernel
 * refuses a batch, its datagrams are sent one by one, and so are all later ones to that client.
 *
 * Datagrams to a client are sent in order. The kernel sends each during submission, so only a
 * refused batch could be overtaken. Therefore datagrams behind a batch stay queued until the batch
 * completes, and those of a refused batch are queued before them. A client that fills more than one
 * batch a turn thus needs one turn for each batch; other clients are not delayed.
 *
 * No send waits for space in the socket's send buffer: it would hold a receive buffer of the shared
 * pool, and be sent after newer datagrams. A datagram that does not fit is dropped and counted; UDP
 * may lose it anywhere else on the path too.
 */
#ifndef UDP_DATAGRAM_H
#define UDP_DATAGRAM_H

#include "client/hub.h"
#include "udp/peers.h"
#include "udp/rtp.h"

/* Maximum payload: 2^16 - 1 less the UDP header, and in IPv4 the IP header (RFC 768, 791). */
#define DATAGRAM_IPV4_BYTES_MAX (65535 - 8 - 20)
#define DATAGRAM_IPV6_BYTES_MAX (65535 - 8)

/* Maximum datagrams (Linux before 6.9; 128 since) and bytes of a GSO batch. */
#define DATAGRAM_SEGMENTS_MAX 64
#define DATAGRAM_BATCH_BYTES_MAX DATAGRAM_IPV4_BYTES_MAX

/* The parts of a message, and an RTP header before them. */
#define DATAGRAM_PARTS_MAX (HUB_PARTS_MAX + 1)

/* Elements of the iovec: parts that refer to buffers or end a block, and the blocks of the largest
 * datagram. */
#define DATAGRAM_PIECES 64
#define DATAGRAM_PIECES_OF(parts, bytes) (2 * (parts) + (bytes) / QUEUE_BLOCK_PAYLOAD + 1)
_Static_assert(DATAGRAM_PIECES >= DATAGRAM_PIECES_OF(DATAGRAM_PARTS_MAX, DATAGRAM_IPV6_BYTES_MAX),
	       "every datagram has enough pieces");

/* Datagrams and batches queued or in flight; beyond this, datagrams are dropped and counted. */
#define DATAGRAM_SLOTS 4096

struct endpoint;

/* One datagram, or a GSO batch. It keeps its address until its completion. */
struct datagram {
	struct msghdr message;
	struct iovec pieces[DATAGRAM_PIECES];
	struct address to;
	_Alignas(struct cmsghdr) uint8_t
		control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
	struct queue queue;
	struct datagram *next; /* in a circular queue: the last one points to the first */
	struct endpoint *endpoint;
	struct udp_key key;
	uint64_t client; /* or ROLLCALL_NONE */
	uint32_t segment_bytes;
	uint16_t segments;
	bool whole; /* accepts no more: its last segment is shorter, or it is sent without GSO */
};

struct datagrams {
	struct hub *hub;
	struct slab slots;
	struct datagram *unlisted; /* the newest for peers not in the client table */
};

/* -ENOMEM */
int datagrams_init(struct datagrams *datagrams, struct hub *hub);
void datagrams_destroy(struct datagrams *datagrams);

/* The destination of a datagram. */
struct datagram_target {
	struct endpoint *endpoint;
	const struct udp_key *key;
	struct client *client; /* NULL: the peer is not in the client table */
};

/*
 * Queues a datagram. For a peer that is not in the client table it is sent without GSO, since no
 * state exists that could hold back the datagrams behind a batch. false: no slot or no memory is
 * left; the datagram is dropped and counted.
 */
bool datagrams_send(struct datagrams *datagrams, const struct datagram_target *target,
		    const struct message *message);

/* Starts the sends queued for a client, up to and including a batch. false: the submission queue
 * is full. */
bool datagrams_flush(struct datagrams *datagrams, struct client *client);

/* The same for peers that are not in the client table. */
bool datagrams_flush_unlisted(struct datagrams *datagrams);

/*
 * The completion of a send; id is the index of the slot, which is freed. Returns the client, or
 * NULL if the peer is not in the client table.
 */
struct client *datagrams_on_sent(struct datagrams *datagrams, uint64_t id,
				 const struct io_uring_cqe *cqe);

/* Whether any is queued or in flight. */
bool datagrams_are_busy(const struct datagrams *datagrams);

/* Writes the peer's address to *to; `local` gives the address family. */
void datagram_address(const struct udp_key *key, const struct address *local, struct address *to);

#endif
