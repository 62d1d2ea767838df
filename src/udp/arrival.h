/* SPDX-License-Identifier: MIT */
/*
 * arrival.h - a datagram that has come, or several of one peer that came together: from whom, to
 * which address, and whether it may be answered at all.
 */
#ifndef UDP_ARRIVAL_H
#define UDP_ARRIVAL_H

#include "client/core.h"
#include "udp/peers.h"
#include "udp/rtp.h"

struct endpoint;

struct arrival {
	struct endpoint *endpoint;
	struct address from;
	struct udp_key key;
	uint64_t source; /* sources_prefix() of its address */
	const uint8_t *data;
	size_t bytes;
	size_t segment_bytes; /* of each but the last of those that came together; 0: it is one */
	struct rtp rtp;	      /* of one that is numbered */
};

/*
 * How the kernel lays out what it receives: so much for the address and the control data. Both stay
 * as they are while a receive is in flight (Linux 6.0).
 */
void arrival_lay_out(struct msghdr *layout);

/* Takes a received buffer apart. false: the datagram did not fit. */
bool arrival_parse(struct arrival *arrival, struct endpoint *endpoint, void *buffer, int bytes);

/* The counter of the reason not to answer this source; NULL: there is none. */
uint64_t *arrival_refuse(const struct arrival *arrival, struct core *core);

#endif
