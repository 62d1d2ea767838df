/* SPDX-License-Identifier: MIT */
/*
 * places.h - how many places of the table each source of TCP clients holds.
 */
#ifndef TCP_PLACES_H
#define TCP_PLACES_H

#include "client/hub.h"
#include "client/sources.h"

struct places {
	struct hub *hub;
	struct sources sources;
	uint64_t *held_by; /* the source of each client, by slot */
};

/* -ENOMEM */
int places_init(struct places *places, struct hub *hub);
void places_destroy(struct places *places);

/* The memory that they take at most. */
uint64_t places_bytes(const struct places *places);

/*
 * The source of a connection that is already reset. It must not wait for a place: it would seem to
 * hold fewer than all others. As the /64 of an IPv6 address it would be multicast.
 */
#define PLACES_NO_SOURCE UINT64_MAX

/* The source of a connection, or PLACES_NO_SOURCE. */
uint64_t places_source(const struct places *places, int fd);

/* Whether the source may have one more client (tcp_clients_per_source_max). */
bool places_allow(const struct places *places, uint64_t source);

/* A client of the source begins, or ends, to hold a place. */
void places_take(struct places *places, const struct client *client, uint64_t source);
void places_leave(struct places *places, const struct client *client);

/* The source of a client that holds a place. */
static inline uint64_t places_held_by(const struct places *places, const struct client *client)
{
	return places->held_by[table_slot(&places->hub->table, client)];
}

#endif
