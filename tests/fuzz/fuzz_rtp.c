/* SPDX-License-Identifier: MIT */
/*
 * Headers of RTP are refused or taken apart within the datagram, and what is written can be read.
 * Whatever numbers come: each datagram counts once, nothing is a copy that was not delivered
 * before, and the totals are the report.
 *
 * Input: datagrams, each behind a byte that is its length, and the time since the one before.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "udp/rtp_stream.h"

struct fuzz {
	struct rtp_stream stream;
	struct rollcall_stats totals;
	uint64_t now_ns, taken;
	uint8_t delivered[SEQUENCE_MODULUS / 8];
};

/* The header without what follows it is written, and read again. */
static void check_written(const struct rtp *rtp)
{
	uint8_t header[RTP_HEADER_BYTES];
	size_t payload, payload_bytes;
	struct rtp again;

	rtp_write(header, rtp);
	CHECK(rtp_parse(header, sizeof(header), &again, &payload, &payload_bytes) == 0);
	CHECK(payload == sizeof(header) && payload_bytes == 0);
	CHECK(again.marker == rtp->marker && again.type == rtp->type);
	CHECK(again.number == rtp->number && again.timestamp == rtp->timestamp);
	CHECK(again.ssrc == rtp->ssrc);
}

static void check_totals(const struct fuzz *fuzz)
{
	const struct rollcall_stats *totals = &fuzz->totals;
	struct rollcall_sequence report;

	rtp_stream_report(&fuzz->stream, &report);
	CHECK(totals->sequence_received == report.received);
	CHECK(totals->sequence_expected == report.expected);
	CHECK(totals->sequence_lost == report.lost);
	CHECK(totals->sequence_duplicates == report.duplicates);
	CHECK(totals->sequence_reordered == report.reordered);
	CHECK(totals->sequence_late == report.late);
	CHECK(totals->sequence_restarts == report.restarts);
	CHECK(report.received <= fuzz->taken);
	CHECK(fuzz->stream.sequence.delivered + report.duplicates + report.late == fuzz->taken);
	CHECK(report.reordered + report.restarts <= fuzz->stream.sequence.delivered);
	/* There cannot be more of them than numbers have been left out. */
	CHECK(report.lost <= fuzz->taken * SEQUENCE_DROPOUT_MAX);
	CHECK(report.jitter_us <= UINT32_MAX * (uint64_t)1000);
}

static void take(struct fuzz *fuzz, const struct rtp *rtp)
{
	uint8_t *byte = &fuzz->delivered[rtp->number / 8];
	const uint8_t bit = (uint8_t)(1u << rtp->number % 8);
	const uint64_t duplicates = fuzz->stream.sequence.duplicates;

	fuzz->taken++;
	if (rtp_stream_take(&fuzz->stream, rtp, fuzz->now_ns, &fuzz->totals)) {
		*byte |= bit;
		return;
	}
	CHECK(fuzz->stream.sequence.duplicates == duplicates || *byte & bit);
}

/* The answer's header is like this one's, but for the number and the source. */
static void check_answer(struct fuzz *fuzz, const struct rtp *rtp)
{
	const uint16_t number = fuzz->stream.next.number;
	uint8_t header[RTP_HEADER_BYTES];
	size_t payload, payload_bytes;
	struct rtp answer;

	rtp_stream_number(&fuzz->stream, header);
	CHECK(rtp_parse(header, sizeof(header), &answer, &payload, &payload_bytes) == 0);
	CHECK(answer.type == rtp->type && answer.timestamp == rtp->timestamp);
	CHECK(answer.number == number && fuzz->stream.next.number == (uint16_t)(number + 1));
}

static void datagram(struct fuzz *fuzz, const uint8_t *data, size_t bytes)
{
	size_t payload, payload_bytes;
	struct rtp rtp;
	int error = rtp_parse(data, bytes, &rtp, &payload, &payload_bytes);

	CHECK(error == 0 || error == -EBADMSG);
	if (error)
		return;
	CHECK(bytes >= RTP_HEADER_BYTES && rtp_is(data[0]));
	CHECK(payload >= RTP_HEADER_BYTES && payload + payload_bytes <= bytes);
	/* RTCP is told by its type, with the marker. */
	if (!rtp.marker || rtp.type < 64 || rtp.type > 95)
		check_written(&rtp);
	take(fuzz, &rtp);
	check_answer(fuzz, &rtp);
	check_totals(fuzz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz fuzz = { .now_ns = 1 };

	rtp_stream_init(&fuzz.stream, &(struct rtp){ .ssrc = 1 }, 0xffff00000002);
	while (bytes > 0) {
		const size_t length = min_size(data[0], bytes - 1);

		fuzz.now_ns += data[0] * (uint64_t)12345678;
		datagram(&fuzz, data + 1, length);
		data += 1 + length;
		bytes -= 1 + length;
	}
	return 0;
}
