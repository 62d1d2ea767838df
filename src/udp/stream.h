/* SPDX-License-Identifier: MIT */
/*
 * stream.h - the numbered datagrams of a client, and those to it.
 */
#ifndef UDP_STREAM_H
#define UDP_STREAM_H

#include "rollcall.h"
#include "udp/rtp.h"
#include "udp/sequence.h"

struct stream {
	struct sequence sequence; /* of what comes */
	struct rtp next;	  /* the header of the next answer */
	uint32_t ssrc;		  /* the client's */
};

/*
 * For the client with this first header; with a random SSRC and a random number for the answers
 * (RFC 3550, section 5.1).
 */
void stream_init(struct stream *stream, const struct rtp *first, uint64_t random);

/*
 * Takes a datagram that came at now_ns, and counts it in the totals too; false: it is not to be
 * delivered.
 */
bool stream_take(struct stream *stream, const struct rtp *rtp, uint64_t now_ns,
		 struct rollcall_stats *totals);

/* Writes the header of the next answer. */
void stream_number(struct stream *stream, uint8_t to[static RTP_HEADER_BYTES]);

/* What is known of it. */
void stream_report(const struct stream *stream, struct rollcall_sequence *report);

#endif
