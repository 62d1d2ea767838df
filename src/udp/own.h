/* SPDX-License-Identifier: MIT */
/*
 * own.h - the addresses of this machine, for endpoints on wildcard addresses.
 *
 * A datagram from one of them and from the port of such an endpoint may have been sent by this
 * server: answering it could start an endless loop. In doubt an address counts as own.
 */
#ifndef UDP_OWN_H
#define UDP_OWN_H

#include "client/hub.h"
#include "ring/addresses.h"

struct own {
	int monitor; /* rtnetlink socket that reports changes; -1: none */
	bool known;  /* `addresses` is the kernel's complete list */
	bool warned;
	uint64_t checked_ns; /* when the monitor was last read */
	struct ranges addresses;
};

/*
 * The monitor is read at most once in this time, and only in own_has(): an address added less than
 * this ago may still count as foreign. Reading the list takes about 2 us for each address.
 */
#define OWN_CHECK_NS 100000000

/* Initializes without a monitor; see own_open(). */
void own_init(struct own *own);
void own_destroy(struct own *own, struct hub *hub);

/*
 * Opens the monitor, if it is not open yet. On failure it logs a warning, and every address counts
 * as own.
 */
void own_open(struct own *own, struct hub *hub);

/* Whether the address belongs to this machine, or may. */
bool own_has(struct own *own, struct hub *hub, const struct address *address);

/* Whether a socket is in the network namespace of the monitor. */
bool own_is_of(const struct own *own, struct hub *hub, int fd);

#endif
