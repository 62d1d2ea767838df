/* SPDX-License-Identifier: MIT */
/*
 * socket.h - the other half of the seam: the few system calls that are not worth a trip through the
 * ring, or that it cannot do. None of them blocks, but for name resolution at the start.
 *
 * They take the ring so that a simulated one can keep its simulated sockets.
 */
#ifndef RING_SOCKET_H
#define RING_SOCKET_H

#include "base/address.h"
#include "ring/ring.h"

/*
 * The addresses of a host name, each with the given port; "*" stands for every address of the
 * machine. Returns how many, up to max; -ENOENT: it does not resolve; -ENOMEM.
 */
int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max);

/*
 * A listening TCP socket. What it is set to, its clients inherit: TCP_NODELAY, and probes after
 * keepalive_ms of silence (0: none). Returns the descriptor or what socket(2), bind(2) or listen(2)
 * say.
 */
int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms);

/* Clients that wait to be accepted; the kernel lowers it to net.core.somaxconn. */
#define SOCKET_BACKLOG 4096

/* What the kernel holds for a UDP socket, in bytes; 0: as it likes. */
struct socket_room {
	size_t receive_bytes, send_bytes;
};

/*
 * A bound UDP socket. On a wildcard address each datagram comes with the address that it was sent
 * to (ip(7), IP_PKTINFO; RFC 3542, section 6). Datagrams of one peer may come together, with their
 * size (UDP_GRO, Linux 5.0). It receives multicast only of groups that it has joined itself. It
 * gets at most the room that the kernel allows.
 */
int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_room *room);

/*
 * What a socket is that was made elsewhere: ROLLCALL_TCP, and it listens, or ROLLCALL_UDP, and it
 * is bound. Errors: -EBADF; -ENOTSOCK; -EAFNOSUPPORT: neither IPv4 nor IPv6; -EPROTONOSUPPORT:
 * neither TCP nor UDP; -EINVAL: it does not listen, or is not bound; -EOPNOTSUPP: IPv6 that takes
 * IPv4 too.
 */
int socket_transport(struct ring *ring, int fd);

/*
 * Applies our options (ring/sockopt.h) to an adopted socket, whatever its maker has set; 0, or what
 * setsockopt(2) says. They do not affect connections and datagrams already queued: connections have
 * no keepalive probes, datagrams to 0.0.0.0 not the address that they were sent to.
 */
int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms);
int socket_adopt_udp(struct ring *ring, int fd, const struct socket_room *room);

/* The room that it got. */
void socket_room(struct ring *ring, int fd, struct socket_room *room);

/*
 * The number of datagrams that a UDP socket has dropped since it was made, modulo 2^32: for lack of
 * room, or with a wrong checksum (SO_MEMINFO, Linux 4.12). A GRO batch counts once.
 */
uint32_t socket_drops(struct ring *ring, int fd);

/* The address of this or of the other end. -ENOTCONN: the connection is no more. */
int socket_local_address(struct ring *ring, int fd, struct address *address);
int socket_peer_address(struct ring *ring, int fd, struct address *address);

/* What the peer of a TCP connection has acknowledged. */
struct socket_delivery {
	uint32_t acked;	 /* bytes, modulo 2^32 */
	bool is_pending; /* output, or the end of our side, is not acknowledged yet */
};

/* Looks (tcp(7), TCP_INFO; Linux 4.6). 0, or the negative error that ended the connection. */
int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery);

/* Ends the sending direction: the peer reads to the end. The ring's own operation for this
 * would take a worker thread. */
void socket_shutdown(struct ring *ring, int fd);

/* Makes the close that follows reset the connection (socket(7), SO_LINGER of 0). */
void socket_reset_on_close(struct ring *ring, int fd);

void socket_close(struct ring *ring, int fd);

/* An event that any thread can raise; reading 8 bytes from the descriptor takes it back. */
int socket_event(struct ring *ring);
void socket_event_raise(int fd);

/* Raises the limit of open descriptors as far as it goes, and returns it. */
uint64_t socket_limit_raise(void);

#endif
