/* SPDX-License-Identifier: MIT */
/*
 * socket.h - the other half of the seam: system calls that the ring cannot do, or that gain nothing
 * from it. None of them blocks, except name resolution at the start.
 *
 * They take the ring so that a simulated ring can have simulated sockets.
 */
#ifndef RING_SOCKET_H
#define RING_SOCKET_H

#include "base/address.h"
#include "ring/ring.h"

/*
 * Resolves a host name to addresses with the given port; "*" stands for the wildcard addresses.
 * Returns their number, up to max; -ENOENT: it does not resolve; -ENOMEM.
 */
int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max);

/* SO_RCVBUF and SO_SNDBUF of a socket in bytes; 0: the kernel's default. */
struct socket_buffers {
	size_t receive_bytes, send_bytes;
};

/*
 * Opens a listening TCP socket. Accepted sockets inherit its options: TCP_NODELAY, keepalive probes
 * after keepalive_ms of silence (0: none), and its buffers, as far as the kernel allows. Returns
 * the descriptor, or an error of socket(2), bind(2) or listen(2).
 */
int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms,
		  const struct socket_buffers *buffers);

/* The backlog of listen(2); the kernel caps it at net.core.somaxconn. */
#define SOCKET_BACKLOG 4096

/*
 * Returns the number of connections in the backlog of a listening socket: established, and not
 * accepted yet (TCP_INFO, Linux 2.6.24).
 */
uint32_t socket_backlog(struct ring *ring, int fd);

/*
 * Opens a bound UDP socket. Returns the descriptor, or an error of socket(2), setsockopt(2) or
 * bind(2).
 *
 * On a wildcard address each datagram carries its destination address (ip(7), IP_PKTINFO; RFC 3542,
 * section 6). Datagrams of one peer may arrive in GRO batches, with their segment size (UDP_GRO,
 * Linux 5.0). Multicast is received only of groups that the socket has joined itself. `buffers` is
 * granted as far as the kernel allows.
 */
int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_buffers *buffers);

/*
 * Returns the transport of a socket made elsewhere: ROLLCALL_TCP, if it is listening, or
 * ROLLCALL_UDP, if it is bound. Errors: -EBADF; -ENOTSOCK; -EAFNOSUPPORT: neither IPv4 nor IPv6;
 * -EPROTONOSUPPORT: neither TCP nor UDP; -EINVAL: not listening, or not bound; -EOPNOTSUPP: IPv6
 * that accepts IPv4 too.
 */
int socket_transport(struct ring *ring, int fd);

/*
 * Apply our options (ring/sockopt.h) to an adopted socket, whatever its creator has set; 0, or an
 * error of setsockopt(2). They do not affect connections and datagrams already queued: those
 * connections have no keepalive probes, datagrams to 0.0.0.0 no destination address.
 */
int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms,
		     const struct socket_buffers *buffers);
int socket_adopt_udp(struct ring *ring, int fd, const struct socket_buffers *buffers);

/* Returns the buffer sizes that the kernel granted. */
void socket_buffer_sizes(struct ring *ring, int fd, struct socket_buffers *buffers);

/*
 * Returns the number of datagrams that a UDP socket has dropped since it was created, modulo 2^32:
 * SO_RCVBUF was full, or the checksum wrong (SO_MEMINFO, Linux 4.12). A GRO batch counts once.
 */
uint32_t socket_drops(struct ring *ring, int fd);

/*
 * Whether the kernel knows GSO batches, of UDP_SEGMENT (Linux 4.18): if not, it would send a batch
 * as one datagram.
 */
bool socket_sends_batches(struct ring *ring, int fd);

/* The addresses of the two ends. -ENOTCONN: not connected any more. */
int socket_local_address(struct ring *ring, int fd, struct address *address);
int socket_peer_address(struct ring *ring, int fd, struct address *address);

/* What the peer of a TCP connection has acknowledged. */
struct socket_delivery {
	uint32_t acked;	 /* bytes, modulo 2^32 */
	bool is_pending; /* output, or our FIN, is not acknowledged yet */
};

/* Reads it (tcp(7), TCP_INFO; Linux 4.6). 0, or the negative error that ended the connection. */
int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery);

/*
 * Half-closes the connection: the peer reads to the end. A system call, as io_uring's shutdown
 * would take an io-wq worker.
 */
void socket_shutdown(struct ring *ring, int fd);

/* Makes the following close send RST (socket(7), SO_LINGER of 0). */
void socket_reset_on_close(struct ring *ring, int fd);

void socket_close(struct ring *ring, int fd);

/*
 * Creates an eventfd; returns it, or a negative errno value. Any thread may raise it; a read of 8
 * bytes resets it.
 */
int socket_event(struct ring *ring);
void socket_event_raise(int fd);

/* Raises the soft limit of RLIMIT_NOFILE as far as possible, and returns it. */
uint64_t socket_limit_raise(void);

#endif
