/* SPDX-License-Identifier: MIT */
/*
 * peer.h - the other end of a connection, of datagrams, or of a pipe: what is not under test.
 *
 * No call waits; a test that expects something of a peer asks again after a turn of the ring. Which
 * peers there are is chosen at link time, like the ring: sockets, or such of the simulated network.
 */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/address.h"

/* Whether the ring and the network are simulated. */
extern const bool peers_are_simulated;

/* Before the first ring of a test is made, and after the last is gone. */
void peers_begin(void);
void peers_end(void);

/* No more descriptors can be had, or as many as before. */
void peers_take_descriptors(bool all);

struct peer {
	int fd; /* -1: closed */
};

/* Connects to a listening socket. 0 or a negative errno value. */
int peer_connect(struct peer *peer, const struct address *to);

/* A UDP socket on the address `from`, or any for NULL; it sends to and receives from `to` alone. */
int peer_open_udp(struct peer *peer, const struct address *from, const struct address *to);

/* A pipe: the peer has the end that it writes to or else reads from. Returns the other end. */
int peer_open_pipe(struct peer *peer, bool writes);

/* The peer's own address. */
int peer_address(const struct peer *peer, struct address *address);

/* Sends what can be sent now: how many bytes; -EAGAIN: none; or what ended the connection. */
ssize_t peer_send(struct peer *peer, const void *data, size_t bytes);

/* Sends a GSO batch of datagrams of this size, the last shorter; returns how many bytes. */
ssize_t peer_send_segments(struct peer *peer, const void *data, size_t bytes, size_t segment_bytes);

/* Receives what is there: how many bytes; 0: the end; -EAGAIN: nothing; -ECONNRESET. */
ssize_t peer_receive(struct peer *peer, void *to, size_t bytes);

/* Ends its side, keeps receiving. */
void peer_shutdown(struct peer *peer);

/* Ends with a reset. */
void peer_reset(struct peer *peer);

/* Ends; a second call does nothing. */
void peer_close(struct peer *peer);

#endif
