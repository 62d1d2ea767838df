/* SPDX-License-Identifier: MIT */
/*
 * own.h - which addresses are this machine's, for the endpoints on wildcard addresses.
 *
 * A datagram from one of them and from the port of such an endpoint may be the server's own: to
 * answer it could be a loop without end. What is not known for sure counts as own.
 */
#ifndef UDP_OWN_H
#define UDP_OWN_H

#include "client/core.h"
#include "ring/addresses.h"

struct own {
	int watch;  /* -1: none */
	bool known; /* the set is what the kernel told */
	bool warned;
	uint64_t checked_ns; /* when the watch was asked for changes */
	struct ranges addresses;
};

/*
 * The watch is asked for changes at most once in this time, and only when there is a question: an
 * address that was added this long ago may still count as foreign. Reading takes about 2 us for
 * each address.
 */
#define OWN_CHECK_NS 100000000

/* Without a watch. */
void own_init(struct own *own);
void own_destroy(struct own *own, struct core *core);

/* Opens the watch, if it is not open yet. Where that fails, it warns, and every address is own. */
void own_watch(struct own *own, struct core *core);

/* Whether the address is this machine's, or may be. */
bool own_has(struct own *own, struct core *core, const struct address *address);

/* Whether a socket is in the network namespace of which the addresses are known. */
bool own_is_of(const struct own *own, struct core *core, int fd);

#endif
