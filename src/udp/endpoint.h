/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - a UDP socket, and one multishot recvmsg.
 */
#ifndef UDP_ENDPOINT_H
#define UDP_ENDPOINT_H

#include "client/hub.h"
#include "ring/operation.h"

/*
 *	  endpoint_close()	    its receive has ended	   nothing left to read
 *	OPEN ------------> CLOSING -----------------------> LAST ---------------------> ENDED
 *	 |		      |				      |				  ^
 *	 +--------------------+-------------------------------+-----> ENDING -------------+
 *				endpoint_end()			its receive has ended
 *
 * OPEN: receives datagrams. CLOSING: the receive is being cancelled. LAST: reads the datagrams that
 * are already in the socket. ENDING: the last receive is being cancelled. ENDED: receives no more.
 */
enum endpoint_state {
	ENDPOINT_OPEN,
	ENDPOINT_CLOSING,
	ENDPOINT_LAST,
	ENDPOINT_ENDING,
	ENDPOINT_ENDED,
};

struct endpoint {
	struct origin origin;
	struct address address;
	struct hub *hub;
	int fd;
	size_t receive_bytes; /* SO_RCVBUF as granted */
	enum endpoint_state state;
	bool batches;	/* GSO batches of answers to one client are sent */
	bool wildcard;	/* control data gives the destination address of each datagram */
	bool elsewhere; /* in a network namespace whose addresses are not known */
	bool got_some;	/* this receive has delivered at least one datagram */
	bool no_buffer; /* waiting for a free buffer */
	struct operation receive;
	struct timer retry; /* set while it backs off after an error */

	/* The msghdr of the receive; must not change while it is in flight (Linux 6.0). */
	struct msghdr layout;

	uint64_t dropped;  /* datagrams, by the kernel, up to the last count */
	uint32_t drops;	   /* socket_drops() at the last count */
	uint32_t receives; /* wraps */
};

/* Pause after a receive has failed for a reason that may persist. */
#define ENDPOINT_RETRY_NS 100000000

/*
 * Starts receiving from a bound socket; on success the endpoint owns fd. -ENOMEM or another -errno.
 */
int endpoint_open(struct endpoint *endpoint, struct hub *hub, int fd);

/* Reads the datagrams that are already in the socket, then stops. */
void endpoint_close(struct endpoint *endpoint);

/* Stops receiving at once. */
void endpoint_end(struct endpoint *endpoint);

/* Closes the socket. No operation may be in flight, the sends of its clients included. */
void endpoint_destroy(struct endpoint *endpoint);

/*
 * Adds the datagrams that the kernel has dropped since the last call, or since endpoint_open(), to
 * `dropped`. One system call.
 */
void endpoint_count_drops(struct endpoint *endpoint);

/* Counts a receive, and the kernel's drops when due. */
void endpoint_count_receive(struct endpoint *endpoint);

/* Drops are read once per this many receives, so that fewer than 2^32 occur in between: there the
 * kernel's counter wraps. */
#define ENDPOINT_RECEIVES_PER_COUNT (1 << 16)

/* Whether it still receives, or has an operation in flight. */
bool endpoint_is_busy(const struct endpoint *endpoint);

/* Starts the operations that the state requires. false: the submission queue is full. */
bool endpoint_flush(struct endpoint *endpoint);

/*
 * Completions of the receive: the first is for each, before its datagram is taken; the second for
 * one with an error, after that.
 */
void endpoint_completed(struct endpoint *endpoint, const struct io_uring_cqe *cqe);
void endpoint_failed(struct endpoint *endpoint, int error);

/* Completion handler of the cancel. */
void endpoint_on_cancel(struct endpoint *endpoint);

#endif
