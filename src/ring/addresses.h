/* SPDX-License-Identifier: MIT */
/*
 * addresses.h - the addresses of this machine; a part of the seam, as ring/socket.h is.
 *
 * The kernel is asked through one rtnetlink(7) socket, the monitor, which also receives a
 * notification of each change, as in ip-monitor(8). It belongs to the network namespace of the
 * thread that opens it. No call blocks.
 */
#ifndef RING_ADDRESSES_H
#define RING_ADDRESSES_H

#include "base/ranges.h"
#include "ring/ring.h"

/*
 * Opens a monitor, to be closed with socket_close(). Returns the descriptor, or an error of
 * socket(2).
 */
int addresses_open(struct ring *ring);

/* Whether the addresses may have changed since the last call. */
bool addresses_changed(struct ring *ring, int monitor);

/*
 * Adds the machine's addresses to *to: those of all interfaces, and all prefixes that local routes
 * make ours (127.0.0.0/8; "ip route add local"). Errors: -EAGAIN: they changed meanwhile; -ENOMEM;
 * -ENOSPC: more than RANGES_MAX; or those of sendto(2) and recv(2).
 */
int addresses_read(struct ring *ring, int monitor, struct ranges *to);

/*
 * Whether a socket is in the monitor's network namespace. false also if the kernel does not report
 * it.
 */
bool addresses_are_of(struct ring *ring, int monitor, int fd);

#endif
