/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - a UDP socket, and one multishot recvmsg.
 */
#ifndef UDP_ENDPOINT_H
#define UDP_ENDPOINT_H

#include "udp/udp.h"

/*
 *	  endpoint_close()	    its receive has ended	   nothing has arrived
 *	OPEN ------------> CLOSING -----------------------> LAST ---------------------> ENDED
 *	 |		      |				      |				  ^
 *	 +--------------------+-------------------------------+-----> ENDING -------------+
 *				endpoint_end()			its receive has ended
 *
 * OPEN: it receives what comes. CLOSING: its receive is cancelled. LAST: it receives what has
 * arrived already. ENDING: its receive is cancelled, and was the last. ENDED: it receives no more.
 */
enum endpoint_state {
	ENDPOINT_OPEN,
	ENDPOINT_CLOSING,
	ENDPOINT_LAST,
	ENDPOINT_ENDING,
	ENDPOINT_ENDED,
};

struct endpoint {
	struct source source;
	struct address address;
	struct udp *udp;
	int fd;
	enum endpoint_state state;
	bool wildcard;	 /* datagrams come with the address that was asked */
	bool elsewhere;	 /* in a network namespace of which the addresses are not known */
	bool armed;	 /* the receive is in flight */
	bool got_some;	 /* it has brought some */
	bool cancelled;	 /* it was asked to end */
	bool cancelling; /* and this is in flight */
	bool starved;	 /* no buffer was left */
	bool paused;	 /* after an error, for a moment */
	struct timer retry;

	/* What the kernel lays each datagram out by; it stays as it is (Linux 6.0). */
	struct msghdr layout;

	uint32_t drops;	   /* socket_drops() when they were counted last */
	uint32_t receives; /* wraps */

	/* All endpoints of the server, to know our own addresses. */
	struct endpoint *const *all;
	const unsigned *all_count;
};

/* After a receive has failed for a reason that may last. */
#define ENDPOINT_RETRY_NS 100000000

/* Receives from a bound socket; on success it takes it over. -ENOMEM */
int endpoint_open(struct endpoint *endpoint, struct udp *udp, int fd);

/* Receives what has arrived already, and then no more. */
void endpoint_close(struct endpoint *endpoint);

/* Receives no more at all. */
void endpoint_end(struct endpoint *endpoint);

/* Frees what it holds; nothing may be in flight, its clients' datagrams included. */
void endpoint_destroy(struct endpoint *endpoint);

/*
 * Adds the datagrams that the kernel has dropped since the last call, or since the socket was taken
 * over, to the statistics. One system call.
 */
void endpoint_count_drops(struct endpoint *endpoint);

/* Receives after which drops are counted: fewer than 2^32 of them, at which the count wraps. */
#define ENDPOINT_RECEIVES_PER_COUNT (1 << 16)

/* Whether it still receives, or has an operation in flight. */
bool endpoint_is_busy(const struct endpoint *endpoint);

/* Starts the operations that the state asks for. false: the submission queue is full. */
bool endpoint_flush(struct endpoint *endpoint);

/* Completions. */
void endpoint_on_receive(struct endpoint *endpoint, const struct io_uring_cqe *cqe);
void endpoint_on_cancel(struct endpoint *endpoint);

#endif
