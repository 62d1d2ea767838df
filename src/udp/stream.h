/* SPDX-License-Identifier: MIT */
/*
 * stream.h - the RTP state of a client: the sequence that it sends, and that of the answers.
 */
#ifndef UDP_STREAM_H
#define UDP_STREAM_H

#include "rollcall.h"
#include "udp/rtp.h"
#include "udp/sequence.h"

struct stream {
	struct sequence sequence; /* of the received datagrams */
	struct rtp next;	  /* header of the next answer */
	uint32_t ssrc;		  /* the client's SSRC */
};

/*
 * Initializes the stream of a client from its first header. The answers get a random SSRC and a
 * random first sequence number, both taken from `random` (RFC 3550, section 5.1).
 */
void stream_init(struct stream *stream, const struct rtp *first, uint64_t random);

/*
 * Evaluates the header of a datagram received at now_ns, and adds to the totals. false: the
 * datagram must not be delivered.
 */
bool stream_take(struct stream *stream, const struct rtp *rtp, uint64_t now_ns,
		 struct rollcall_stats *totals);

/* Writes the header of the next answer. */
void stream_number(struct stream *stream, uint8_t to[static RTP_HEADER_BYTES]);

/* Fills *report from the stream. */
void stream_report(const struct stream *stream, struct rollcall_sequence *report);

#endif
