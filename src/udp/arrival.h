/* SPDX-License-Identifier: MIT */
/*
 * arrival.h - a received datagram, or a GRO batch of datagrams from one peer: its source and
 * destination addresses.
 */
#ifndef UDP_ARRIVAL_H
#define UDP_ARRIVAL_H

#include "client/hub.h"
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
	size_t segment_bytes; /* in a GRO batch: of each datagram but the last; else 0 */
	uint64_t client;      /* in a GRO batch: of the datagrams before, or ROLLCALL_NONE */
	struct rtp rtp;	      /* the RTP header, if key.numbered */
};

/*
 * Fills in the msghdr of a multishot recvmsg: the bytes that each buffer reserves for the address
 * and for the control data. It must not change while a receive is in flight (Linux 6.0).
 */
void arrival_lay_out(struct msghdr *layout);

/* Parses a received buffer. false: the datagram or its control data was truncated. */
bool arrival_parse(struct arrival *arrival, struct endpoint *endpoint, void *buffer, int bytes);

#endif
