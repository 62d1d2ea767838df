/* SPDX-License-Identifier: MIT */
/*
 * udp.h - UDP clients: from their datagrams to the service, and back.
 *
 * Each datagram is a message of the client that sent it (session.h). Where there is no place for
 * one more client, a stateless service answers all the same, and nobody is remembered.
 */
#ifndef UDP_UDP_H
#define UDP_UDP_H

#include "udp/datagram.h"
#include "udp/own.h"
#include "udp/rate.h"
#include "udp/session.h"

/*
 * Sources whose rate is watched, 4 MiB if there is a limit: a flood that pushes one out needs as
 * many datagrams as the limit allows all of them.
 */
#define UDP_RATE_BUCKETS (1 << 18)

struct udp {
	struct core *core;
	struct sessions sessions;
	struct own own;
	struct datagrams datagrams;
	struct rate rate;		   /* if there is a limit */
	const struct arrival *unlisted;	   /* what a service gets as from ROLLCALL_NONE */
	uint8_t secret[SIPHASH_KEY_BYTES]; /* for the SSRCs of answers to those */
};

/* -ENOMEM */
int udp_init(struct udp *udp, struct core *core);
void udp_destroy(struct udp *udp);

/* Delivers a datagram, or drops and counts it. */
void udp_receive(struct udp *udp, struct arrival *arrival);

/* Sends a datagram; as rollcall_sendv(). */
int udp_send(struct udp *udp, struct client *client, const struct message *message);

/* Answers the datagram that is just delivered as from ROLLCALL_NONE. -ENOENT: there is none. */
int udp_answer(struct udp *udp, const struct message *message);

/* The completion of a send; id is the slot's number. */
void udp_on_sent(struct udp *udp, uint64_t id, const struct io_uring_cqe *cqe);

/* The address of a client; of length 0 once it is closing. */
void udp_address(const struct client *client, struct address *address);

/* Forgets a client, once its datagrams are sent. */
void udp_close(struct udp *udp, struct client *client, int reason);

/*
 * Starts the sends of a client, and frees a closing one whose datagrams are sent. false: the
 * submission queue is full.
 */
bool udp_flush_client(struct udp *udp, struct client *client);

#endif
