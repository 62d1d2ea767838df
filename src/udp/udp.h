/* SPDX-License-Identifier: MIT */
/*
 * udp.h - UDP: from received datagrams to the service, and back.
 *
 * Each datagram is a message of the client that sent it (session.h). If no client can be added, a
 * stateless service still answers, without a client. From top to bottom:
 *
 *	incoming.h	received datagrams, one by one, to the service
 *	udp.h		answers; what the files below share
 *	session.h	clients: added, forgotten
 *	datagram.h	sends		arrival.h	a received buffer, parsed
 *	endpoint.h	a socket and its receive
 *	peers.h, sources.h, rate.h, rtp_stream.h, own.h	tables and counts
 */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "udp/datagram.h"
#include "udp/endpoint.h"
#include "udp/own.h"
#include "udp/rate.h"
#include "udp/session.h"

/* The rate limit of an IPv6 /48, in those of one source: a /48 has 65,536 of them. */
#define UDP_RATE_SITE 8

/*
 * Buckets of the rate limit, 4 MiB, reserved only if there is one. A flood that is to take the
 * buckets of other sources needs about the limit times the number of buckets, in datagrams a second
 * (rate.h).
 */
#define UDP_RATE_BUCKETS (1 << 18)

/*
 * Two servers that send back what they receive would not stop (CVE-2024-2169), and a datagram that
 * has bounced looks as one that a client repeats. So for a service whose loop_prefix is "",
 * identical datagrams of one peer are limited, if the peer's port may be a server's: one of our
 * own, or below the usual ephemeral ports.
 */
#define UDP_REPEATS_PER_SECOND 1
#define UDP_REPEATS_BURST 4
#define UDP_EPHEMERAL_PORTS 32768

/* Buckets of that limit, 1 MiB, reserved only if there is such a service. */
#define UDP_REPEATS_BUCKETS (1 << 16)

struct udp {
	struct hub *hub;
	struct endpoint *endpoints[HUB_ADDRESSES_MAX];
	unsigned endpoint_count;
	struct sessions sessions;
	struct own own;
	struct datagrams datagrams;
	struct rate rate;      /* used if options.udp_rate is set */
	struct rate site_rate; /* likewise, of whole sites */
	struct rate repeats;   /* used if limits_repeats */
	bool limits_repeats;
	const struct arrival *unlisted; /* being delivered as from ROLLCALL_NONE, or NULL */
	uint64_t dropped[UDP_DROPS];
	uint8_t secret
		[SIPHASH_KEY_BYTES]; /* for the SSRC of an answer to it, and hashes of datagrams */
};

/* -ENOMEM */
int udp_init(struct udp *udp, struct hub *hub);
void udp_destroy(struct udp *udp);

/* Adds an endpoint for a bound socket, which it owns on success. -ENOMEM or another -errno. */
int udp_open(struct udp *udp, const struct origin *origin, int fd);

/* Closes the newest endpoint. No operation may be in flight. */
void udp_close_newest(struct udp *udp);

/* The largest SO_RCVBUF of an endpoint, as granted; 0: no endpoint. */
size_t udp_receive_bytes_max(const struct udp *udp);

/* Fills in what is counted here. One system call for each endpoint. */
void udp_report(struct udp *udp, struct rollcall_stats *stats);

/* Queues a datagram; returns as rollcall_sendv(). */
int udp_send(struct udp *udp, struct client *client, const struct message *message);

/* Answers the datagram being delivered as from ROLLCALL_NONE. -ENOENT: no such datagram; -EMSGSIZE:
 * the answer is too long. */
int udp_answer(struct udp *udp, const struct message *message);

/* The completion of a send; id is the index of its slot. */
void udp_on_sent(struct udp *udp, uint64_t id, const struct io_uring_cqe *cqe);

/* The address of a client; of length 0 once it is closing. */
void udp_address(const struct client *client, struct address *address);

/* Closes a client; its slot is freed once its datagrams are sent. */
void udp_close(struct udp *udp, struct client *client, int reason);

/*
 * Starts the queued sends of a client, and frees a closing client whose sends have completed.
 * false: the submission queue is full.
 */
bool udp_flush_client(struct udp *udp, struct client *client);

#endif
