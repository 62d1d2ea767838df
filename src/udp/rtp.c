/* SPDX-License-Identifier: MIT */
#include "udp/rtp.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"

/* Bits of the first byte. */
#define VERSION_2 0x80
#define PADDING 0x20
#define EXTENSION 0x10
#define CSRC_COUNT 0x0f

/* Of the second byte. */
#define MARKER 0x80
#define TYPE 0x7f

/* RTCP packet types, in the byte of RTP's marker and payload type (RFC 5761, section 4). */
#define RTCP_FIRST 192
#define RTCP_LAST 223

#define WORD_BYTES 4

static uint16_t load16(const uint8_t *from)
{
	uint16_t number;

	memcpy(&number, from, sizeof(number));
	return be16toh(number);
}

static uint32_t load32(const uint8_t *from)
{
	uint32_t number;

	memcpy(&number, from, sizeof(number));
	return be32toh(number);
}

int rtp_parse(const uint8_t *data, size_t bytes, struct rtp *rtp, size_t *payload,
	      size_t *payload_bytes)
{
	size_t begin, padding = 0;

	if (bytes < RTP_HEADER_BYTES || !rtp_is(data[0]))
		return -EBADMSG;
	if (data[1] >= RTCP_FIRST && data[1] <= RTCP_LAST)
		return -EBADMSG;
	begin = RTP_HEADER_BYTES + WORD_BYTES * (size_t)(data[0] & CSRC_COUNT);
	if (data[0] & EXTENSION) {
		/* 16 bits defined by the profile, then the number of 32-bit words that follow. */
		if (bytes < begin + WORD_BYTES)
			return -EBADMSG;
		begin += WORD_BYTES + WORD_BYTES * (size_t)load16(data + begin + 2);
	}
	if (bytes < begin)
		return -EBADMSG;
	if (data[0] & PADDING) {
		/* The last byte is the number of padding bytes, itself included. */
		padding = data[bytes - 1];
		if (padding == 0 || padding > bytes - begin)
			return -EBADMSG;
	}
	*rtp = (struct rtp){
		.marker = data[1] & MARKER,
		.type = data[1] & TYPE,
		.number = load16(data + 2),
		.timestamp = load32(data + 4),
		.ssrc = load32(data + 8),
	};
	*payload = begin;
	*payload_bytes = bytes - begin - padding;
	return 0;
}

void rtp_write(uint8_t to[static RTP_HEADER_BYTES], const struct rtp *rtp)
{
	const uint16_t number = htobe16(rtp->number);
	const uint32_t timestamp = htobe32(rtp->timestamp), ssrc = htobe32(rtp->ssrc);

	CHECK(rtp->type <= TYPE);
	to[0] = VERSION_2;
	to[1] = (uint8_t)((rtp->marker ? MARKER : 0) | rtp->type);
	memcpy(to + 2, &number, sizeof(number));
	memcpy(to + 4, &timestamp, sizeof(timestamp));
	memcpy(to + 8, &ssrc, sizeof(ssrc));
}
