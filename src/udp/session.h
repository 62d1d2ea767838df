/* SPDX-License-Identifier: MIT */
/*
 * session.h - who is a UDP client, and for how long.
 *
 * A client is known by its addresses, and by its SSRC if it numbers its datagrams, from its first
 * datagram until it has been silent for too long. It is new first, and active when it has sent
 * after an answer, or three times: whoever makes up source addresses has a hard time to get there.
 *
 *		  sends again after an answer, or a third time
 *	NEW ----------------------------------------------------> ACTIVE
 *	 | 10 s idle, or its place is needed			    | the idle timeout
 *	 v							    v
 *	forgotten						forgotten
 */
#ifndef UDP_SESSION_H
#define UDP_SESSION_H

#include "client/core.h"
#include "client/idle.h"
#include "udp/arrival.h"
#include "udp/sources.h"
#include "udp/stream.h"

/* A new client is forgotten after so long. */
#define SESSION_NEW_TIMEOUT_MS 10000

/* The third datagram makes it active. */
#define SESSION_ACTIVE_MESSAGES 3

struct sessions {
	struct core *core;
	struct peers peers;
	struct sources sources;
	struct slab streams;
	struct idle fresh, active;
};

/* -ENOMEM */
int sessions_init(struct sessions *sessions, struct core *core);
void sessions_destroy(struct sessions *sessions);

/*
 * The client that has sent a datagram, made and announced if it is not known yet. NULL: there is no
 * place for it, and *no_place is the counter of the reason.
 */
struct client *sessions_find(struct sessions *sessions, const struct arrival *arrival,
			     uint64_t **no_place);

/* Forgets an open client: what comes from there is another's. Its slot stays until it is freed. */
void sessions_forget(struct sessions *sessions, struct client *client, int reason);

/* Tells the service that a forgotten client is gone, and frees its slot; none of its datagrams may
 * be in flight. */
void sessions_free(struct sessions *sessions, struct client *client);

#endif
