/* SPDX-License-Identifier: MIT */
/*
 * session.h - UDP clients: when one is created, and when it is forgotten.
 *
 * A client is identified by its addresses, and by its SSRC if it sends RTP headers. It exists from
 * its first datagram until its idle timeout. It starts as new, and becomes active by evidence that
 * it receives our answers. Only new clients are evicted, when a place is needed.
 *
 *		evidence, unless 3/4 of the places are active
 *	NEW ----------------------------------------------------> ACTIVE
 *	 | the idle timeout, 10 s while places are short;	    | the idle timeout
 *	 v evicted for another one				    v
 *	forgotten						forgotten
 *
 * Evidence is a cookie that the client returned (rollcall_cookie_check()), which a sender that does
 * not receive our answers cannot guess. If the service makes no cookie for the client, evidence is
 * traffic: SESSION_ROUNDS rounds. A round is a datagram that comes after an answer, and
 * SESSION_ROUND_MS or more after the round before.
 *
 * What a sender with forged addresses has to spend for an active client without a cookie: four
 * datagrams over at least three seconds, in which the client must not be evicted, then one in each
 * idle timeout. So what looks active may be forged, and never gets more than 3/4 of the places: a
 * quarter is left to new clients, where each one takes the place of the one idle for longest.
 */
#ifndef UDP_SESSION_H
#define UDP_SESSION_H

#include "client/hub.h"
#include "client/idle.h"
#include "client/sources.h"
#include "udp/arrival.h"
#include "udp/drop.h"
#include "udp/rtp_stream.h"

/* Idle timeout of a new client while places are short, if udp_idle_timeout_ms is not shorter. */
#define SESSION_NEW_TIMEOUT_MS 10000

/* New clients that are looked at for one of a full source, longest silent first. */
#define SESSION_LOOKED_AT 64

/* The evidence of a client without a cookie. */
#define SESSION_ROUNDS 3
#define SESSION_ROUND_MS 1000

/* Of `limit` places, those that active clients never take. Places are short if fewer are free. */
#define SESSION_RESERVED(limit) (((limit) + 3) / 4)

struct sessions {
	struct hub *hub;
	struct peers peers;
	struct sources sources;
	struct slab streams;
	struct idle new_clients, active_clients;
	uint32_t active_count;
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

/* The service has made a cookie for the client: from now on only its return is evidence. */
void sessions_challenge(struct client *client);

/* The client has returned a cookie. */
void sessions_prove(struct sessions *sessions, struct client *client);

/* Forgets an open client: a later datagram from its addresses creates a new client. Its slot stays
 * in use until sessions_free(). */
void sessions_forget(struct sessions *sessions, struct client *client, int reason);

/* Calls disconnected() for a forgotten client and frees its slot. None of its sends may be in
 * flight. */
void sessions_free(struct sessions *sessions, struct client *client);

#endif
