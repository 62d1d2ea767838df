/* SPDX-License-Identifier: MIT */
#include "udp/rtp_stream.h"

#include <string.h>

/*
 * The clock rate of a payload type in Hz: as RFC 3551, section 6, assigns it, else 1 MHz.
 */
static uint32_t clock_of(uint8_t type)
{
	static const uint32_t assigned[] = {
		[0] = 8000,   [3] = 8000,   [4] = 8000,	  [5] = 8000,	[6] = 16000,  [7] = 8000,
		[8] = 8000,   [9] = 8000,   [10] = 44100, [11] = 44100, [12] = 8000,  [13] = 8000,
		[14] = 90000, [15] = 8000,  [16] = 11025, [17] = 22050, [18] = 8000,  [25] = 90000,
		[26] = 90000, [28] = 90000, [31] = 90000, [32] = 90000, [33] = 90000, [34] = 90000,
	};

	if (type >= sizeof(assigned) / sizeof(*assigned) || assigned[type] == 0)
		return 1000000;
	return assigned[type];
}

void rtp_stream_init(struct rtp_stream *stream, const struct rtp *first, uint64_t random)
{
	*stream = (struct rtp_stream){
		.ssrc = first->ssrc,
		.next.ssrc = rtp_other_ssrc(first, (uint32_t)random),
		.next.number = (uint16_t)(random >> 32),
	};
}

void rtp_stream_report(const struct rtp_stream *stream, struct rollcall_sequence *report)
{
	const struct sequence *sequence = &stream->sequence;

	*report = (struct rollcall_sequence){
		.ssrc = stream->ssrc,
		.received = sequence->received,
		.expected = sequence_expected(sequence),
		.lost = sequence_lost_unique(sequence),
		.duplicates = sequence->duplicates,
		.reordered = sequence->reordered,
		.late = sequence->late + sequence->jumps,
		.restarts = sequence->restarts,
		.jitter_us = sequence_jitter_us(sequence),
	};
}

/* Adds the change of a stream's report to the totals. */
static void add_change(struct rollcall_stats *totals, const struct rollcall_sequence *before,
		       const struct rollcall_sequence *after)
{
	totals->sequence_received += after->received - before->received;
	totals->sequence_expected += after->expected - before->expected;
	totals->sequence_lost += after->lost - before->lost;
	totals->sequence_duplicates += after->duplicates - before->duplicates;
	totals->sequence_reordered += after->reordered - before->reordered;
	totals->sequence_late += after->late - before->late;
	totals->sequence_restarts += after->restarts - before->restarts;
}

bool rtp_stream_take(struct rtp_stream *stream, const struct rtp *rtp, uint64_t now_ns,
		     struct rollcall_stats *totals)
{
	const struct sequence_datagram datagram = {
		.number = rtp->number,
		.timestamp = rtp->timestamp,
		.clock_hz = clock_of(rtp->type),
		.arrival_us = now_ns / 1000,
	};
	struct rollcall_sequence before, after;
	enum sequence_verdict verdict;

	rtp_stream_report(stream, &before);
	verdict = sequence_update(&stream->sequence, &datagram);
	rtp_stream_report(stream, &after);
	add_change(totals, &before, &after);
	stream->next.marker = rtp->marker;
	stream->next.type = rtp->type;
	stream->next.timestamp = rtp->timestamp;
	return sequence_delivers(verdict);
}

void rtp_stream_number(struct rtp_stream *stream, uint8_t to[static RTP_HEADER_BYTES])
{
	rtp_write(to, &stream->next);
	stream->next.number++;
}
