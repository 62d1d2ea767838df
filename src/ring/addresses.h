/* SPDX-License-Identifier: MIT */
/*
 * addresses.h - which addresses are this machine's: a part of the seam, as ring/socket.h.
 *
 * The kernel is asked through one rtnetlink(7) socket, the watch, which also gets a notice of each
 * change. It is of the network namespace that the thread is in when it is made. No call blocks.
 */
#ifndef RING_ADDRESSES_H
#define RING_ADDRESSES_H

#include "base/ranges.h"
#include "ring/ring.h"

/* Opens a watch; socket_close() closes it. Returns the descriptor, or what socket(2) says. */
int addresses_watch(struct ring *ring);

/* Whether the addresses may have changed since the last call. */
bool addresses_changed(struct ring *ring, int watch);

/*
 * Adds the machine's addresses: those of all interfaces, and all prefixes that local routes make
 * ours (127.0.0.0/8; "ip route add local"). -EAGAIN: they changed meanwhile; -ENOMEM; -ENOSPC: more
 * than RANGES_MAX; or what sendto(2) and recv(2) say.
 */
int addresses_read(struct ring *ring, int watch, struct ranges *to);

/* Whether a socket is in the namespace of the watch. false also if the kernel does not tell. */
bool addresses_are_of(struct ring *ring, int watch, int fd);

#endif
