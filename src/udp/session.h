/* SPDX-License-Identifier: MIT */
/*
 * session.h - UDP clients: when one is created, and when it is forgotten.
 *
 * A client is identified by its addresses, and by its SSRC if it sends RTP headers. It exists from
 * its first datagram until its idle timeout. It starts as new, and becomes active when it sends
 * after an answer, or a third time: a sender with forged addresses can hardly get that far.
 *
 *		  sends again after an answer, or a third time
 *	NEW ----------------------------------------------------> ACTIVE
 *	 | 10 s idle, or evicted for another one		    | the idle timeout
 *	 v							    v
 *	forgotten						forgotten
 */
#ifndef UDP_SESSION_H
#define UDP_SESSION_H

#include "client/hub.h"
#include "client/idle.h"
#include "udp/arrival.h"
#include "udp/drop.h"
#include "udp/sources.h"
#include "udp/rtp_stream.h"

/* Idle timeout of a new client, if udp_idle_timeout_ms is not shorter. */
#define SESSION_NEW_TIMEOUT_MS 10000

/* The third datagram makes it active. */
#define SESSION_ACTIVE_MESSAGES 3

struct sessions {
	struct hub *hub;
	struct peers peers;
	struct sources sources;
	struct slab streams;
	struct idle new_clients, active_clients;
};

/* -ENOMEM */
int sessions_init(struct sessions *sessions, struct hub *hub);
void sessions_destroy(struct sessions *sessions);

/*
 * Returns the client that sent a datagram; a new one is added, and connected() is called. NULL: no
 * client can be added, and *no_place is the reason.
 */
struct client *sessions_find(struct sessions *sessions, const struct arrival *arrival,
			     enum udp_drop *no_place);

/* Forgets an open client: a later datagram from its addresses creates a new client. Its slot stays
 * in use until sessions_free(). */
void sessions_forget(struct sessions *sessions, struct client *client, int reason);

/* Calls disconnected() for a forgotten client and frees its slot. None of its sends may be in
 * flight. */
void sessions_free(struct sessions *sessions, struct client *client);

#endif
