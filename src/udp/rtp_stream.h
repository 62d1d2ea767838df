/* SPDX-License-Identifier: MIT */
/*
 * rtp_stream.h - the RTP state of a client: the sequence that it sends, and that of the answers.
 */
#ifndef UDP_RTP_STREAM_H
#define UDP_RTP_STREAM_H

#include "rollcall.h"
#include "udp/rtp.h"
#include "udp/sequence.h"

struct rtp_stream {
	struct sequence sequence; /* of the received datagrams */
	struct rtp next;	  /* header of the next answer */
	uint32_t ssrc;		  /* the client's SSRC */
};

/*
 * Initializes the stream of a client from its first header. The answers get a random SSRC and a
 * random first sequence number, both taken from `random` (RFC 3550, section 5.1).
 */
void rtp_stream_init(struct rtp_stream *stream, const struct rtp *first, uint64_t random);

/*
 * Evaluates the header of a datagram received at now_ns, and adds to the totals. false: the
 * datagram must not be delivered.
 */
bool rtp_stream_take(struct rtp_stream *stream, const struct rtp *rtp, uint64_t now_ns,
		     struct rollcall_stats *totals);

/* Writes the header of the next answer. */
void rtp_stream_number(struct rtp_stream *stream, uint8_t to[static RTP_HEADER_BYTES]);

/* Fills *report from the stream. */
void rtp_stream_report(const struct rtp_stream *stream, struct rollcall_sequence *report);

#endif
