/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - a UDP socket, and one multishot recvmsg.
 */
#ifndef UDP_ENDPOINT_H
#define UDP_ENDPOINT_H

#include "udp/udp.h"

struct endpoint {
	struct source source;
	struct address address;
	struct udp *udp;
	int fd;
	bool wildcard; /* datagrams come with the address that was asked */
	bool armed;    /* the receive is in flight */
	bool last;     /* it is for what has arrived already */
	bool got_some; /* it has brought some */
	bool cancelled;
	bool cancelling;
	bool aborted; /* all that is in flight was asked to end, sends too */
	bool starved; /* no buffer was left */
	bool paused;  /* after an error, for a moment */
	bool closed;
	bool drained;
	struct timer retry;

	/* What the kernel lays each datagram out by; it stays as it is (Linux 6.0). */
	struct msghdr layout;

	size_t segment_bytes_max; /* larger datagrams are not sent together */
	uint32_t kernel_drops;	  /* as the kernel told last */

	/* All endpoints of the server, to know our own addresses. */
	struct endpoint *const *all;
	const unsigned *all_count;
};

/* After a receive has failed for a reason that may last. */
#define ENDPOINT_RETRY_NS 100000000

/* Binds. -ENOMEM, or as socket_bind_udp(). */
int endpoint_open(struct endpoint *endpoint, struct udp *udp, const struct address *address);

/* Receives what has arrived already, and then no more. */
void endpoint_close(struct endpoint *endpoint);

/* Frees what it holds; nothing may be in flight, its clients' datagrams included. */
void endpoint_destroy(struct endpoint *endpoint);

/* Whether the kernel still has an operation of an endpoint that is closed, or will have. */
bool endpoint_is_busy(const struct endpoint *endpoint);

/* Starts the operations that the state asks for. false: the submission queue is full. */
bool endpoint_flush(struct endpoint *endpoint);

/* Completions. */
void endpoint_on_receive(struct endpoint *endpoint, const struct io_uring_cqe *cqe);
void endpoint_on_cancel(struct endpoint *endpoint);

#endif
