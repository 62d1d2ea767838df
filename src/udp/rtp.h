/* SPDX-License-Identifier: MIT */
/*
 * rtp.h - the header of an RTP packet, read and written (RFC 3550, section 5.1).
 *
 *	byte 0	version (2 bits, 2), padding (1), extension (1), count of CSRCs (4)
 *	     1	marker (1), payload type (7)
 *	   2-3	sequence number			   all numbers are big-endian
 *	   4-7	timestamp
 *	  8-11	SSRC: identifies the sender of this sequence
 *	    12	CSRCs of 4 bytes each, the extension, the payload, the padding
 */
#ifndef UDP_RTP_H
#define UDP_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Without CSRCs and extension. */
#define RTP_HEADER_BYTES 12

struct rtp {
	bool marker;
	uint8_t type; /* of the payload, 0 to 127 */
	uint16_t number;
	uint32_t timestamp;
	uint32_t ssrc;
};

/* Whether a datagram with this first byte is RTP's: 128 to 191 (RFC 7983, section 7). */
static inline bool rtp_is(uint8_t first)
{
	return first >> 6 == 2;
}

/*
 * Parses the header of a datagram. *payload is the offset of the payload, and *payload_bytes its
 * size without the padding, which may be 0. -EBADMSG: not a valid header (RFC 3550, section A.1):
 * another version; CSRCs, extension or padding beyond the end; or RTCP, which has the same version
 * and is recognized by its packet type (RFC 5761, section 4).
 */
int rtp_parse(const uint8_t *data, size_t bytes, struct rtp *rtp, size_t *payload,
	      size_t *payload_bytes);

/*
 * Returns an SSRC for answers to this packet: `ssrc`, unless the packet has the same one, which its
 * sender would take for a collision or a loop (RFC 3550, section 8.2).
 */
static inline uint32_t rtp_other_ssrc(const struct rtp *rtp, uint32_t ssrc)
{
	return ssrc == rtp->ssrc ? ssrc + 1 : ssrc;
}

/* Writes a header without CSRCs, extension or padding. */
void rtp_write(uint8_t to[static RTP_HEADER_BYTES], const struct rtp *rtp);

#endif
