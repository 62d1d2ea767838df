/* SPDX-License-Identifier: MIT */
/*
 * The numbered datagrams of a client: the header of the answers, the clock that timestamps count
 * by, and the totals, which are always the sum of the reports.
 */
#include "lib/test.h"

#include <endian.h>
#include <string.h>

#include "lib/random.h"
#include "udp/rtp_stream.h"

#define MILLISECOND_NS 1000000ull

static struct rollcall_stats totals;

static int begin(void **state)
{
	(void)state;
	memset(&totals, 0, sizeof(totals));
	return 0;
}

/* The answers are numbered from a random number on, by a random source, and wrap at 2^16. */
static void numbers_of_answers(void **state)
{
	static const uint8_t before[] = "\x80\x00\xff\xff\0\0\0\0\x89\xab\xcd\xef";
	static const uint8_t after[] = "\x80\xe0\x00\x00\x12\x34\x56\x78\x89\xab\xcd\xef";
	const struct rtp rtp = { .marker = true, .type = 96, .number = 9, .timestamp = 0x12345678 };
	uint8_t header[RTP_HEADER_BYTES];
	struct rtp_stream stream;

	(void)state;
	rtp_stream_init(&stream, &rtp, 0x1234ffff89abcdef);
	rtp_stream_number(&stream, header);
	assert_memory_equal(header, before, sizeof(header));
	/* The marker, the type and the time are those of what came last. */
	assert_true(rtp_stream_take(&stream, &rtp, 0, &totals));
	rtp_stream_number(&stream, header);
	assert_memory_equal(header, after, sizeof(header));
}

/* Each answer has the marker of its request: the last packet of a frame of video is told by it. */
static void markers(void **state)
{
	struct rtp rtp = { .type = 96 };
	uint8_t header[RTP_HEADER_BYTES];
	struct rtp_stream stream;

	(void)state;
	rtp_stream_init(&stream, &rtp, 0);
	for (; rtp.number < 10; rtp.number++) {
		rtp.marker = rtp.number % 3 == 2;
		assert_true(rtp_stream_take(&stream, &rtp, 0, &totals));
		rtp_stream_number(&stream, header);
		assert_int_equal(header[1], rtp.marker ? 0xe0 : 0x60);
	}
}

/* A random source that is the client's own would be a collision. */
static void another_source(void **state)
{
	static const uint32_t sources[] = { 0, 1, 0x12345678, UINT32_MAX };
	uint8_t header[RTP_HEADER_BYTES];
	struct rtp_stream stream;

	(void)state;
	for (size_t i = 0; i < COUNT(sources); i++) {
		const struct rtp rtp = { .ssrc = sources[i] };
		uint32_t own;

		rtp_stream_init(&stream, &rtp, sources[i]);
		rtp_stream_number(&stream, header);
		memcpy(&own, header + 8, sizeof(own));
		assert_int_not_equal(be32toh(own), sources[i]);
	}
}

/* The clocks of RFC 3551, tables 4 and 5; what has none counts microseconds. */
static unsigned expected_hz(uint8_t type)
{
	switch (type) {
	case 0:	 /* PCMU */
	case 3:	 /* GSM */
	case 4:	 /* G723 */
	case 5:	 /* DVI4 */
	case 7:	 /* LPC */
	case 8:	 /* PCMA */
	case 9:	 /* G722 */
	case 12: /* QCELP */
	case 13: /* CN */
	case 15: /* G728 */
	case 18: /* G729 */
		return 8000;
	case 6: /* DVI4 */
		return 16000;
	case 10: /* L16, two channels */
	case 11: /* L16 */
		return 44100;
	case 16: /* DVI4 */
		return 11025;
	case 17: /* DVI4 */
		return 22050;
	case 14: /* MPA */
	case 25: /* CelB */
	case 26: /* JPEG */
	case 28: /* nv */
	case 31: /* H261 */
	case 32: /* MPV */
	case 33: /* MP2T */
	case 34: /* H263 */
		return 90000;
	default:
		return 1000000;
	}
}

/* A datagram that is 16 ms late by its sender's clock is 1 ms of jitter (RFC 3550, A.8). */
static void clocks(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 128; type++) {
		const unsigned hz = expected_hz((uint8_t)type);
		struct rtp rtp = { .type = (uint8_t)type, .number = 1, .timestamp = 0xfffffff0 };
		struct rollcall_sequence report;
		struct rtp_stream stream;

		rtp_stream_init(&stream, &rtp, 0);
		rtp_stream_take(&stream, &rtp, 5000 * MILLISECOND_NS, &totals);
		rtp.number++;
		rtp.timestamp += hz / 50;
		rtp_stream_take(&stream, &rtp, 5036 * MILLISECOND_NS, &totals);
		rtp_stream_report(&stream, &report);
		/* It is kept in whole ticks. */
		if (report.jitter_us < 975 || report.jitter_us > 1000)
			fail_msg("type %u: %u us", type, (unsigned)report.jitter_us);
	}
}

/* Each type has its own clock: an event between those of a voice, or before them, is no jitter. */
static void other_type(void **state)
{
	static const uint8_t streams[][8] = {
		{ 0, 0, 101, 0, 96, 0, 0, 0 },
		{ 101, 0, 0, 0, 0, 0, 0, 0 },
		{ 101, 0, 0, 0, 9, 9, 9, 18 },
	};
	struct rollcall_sequence report;
	struct rtp_stream stream;

	(void)state;
	for (size_t which = 0; which < COUNT(streams); which++) {
		const uint8_t *types = streams[which];

		rtp_stream_init(&stream, &(struct rtp){ .type = types[0] }, 0);
		for (uint16_t i = 0; i < COUNT(streams[0]); i++) {
			const struct rtp rtp = { .type = types[i],
						 .number = i,
						 .timestamp = i * 160u };

			rtp_stream_take(&stream, &rtp, (5000 + i * 20u) * MILLISECOND_NS, &totals);
		}
		rtp_stream_report(&stream, &report);
		assert_int_equal(report.jitter_us, 0);
		assert_int_equal(report.received, COUNT(streams[0]) - 1);
	}
}

/* A clock that is on time has no jitter, for as long as the server runs. */
static void long_time(void **state)
{
	struct rollcall_sequence report;
	struct rtp_stream stream;
	uint64_t now_ns = UINT64_MAX / 4;

	(void)state;
	rtp_stream_init(&stream, &(struct rtp){ .type = 33 }, 0);
	for (uint16_t number = 1; number < 1000; number++) {
		const struct rtp rtp = {
			.type = 33,
			.number = number,
			.timestamp = number * 90000u * 3600u,
		};

		rtp_stream_take(&stream, &rtp, now_ns, &totals);
		now_ns += 3600000 * MILLISECOND_NS;
	}
	rtp_stream_report(&stream, &report);
	assert_int_equal(report.jitter_us, 0);
	assert_int_equal(report.received, 998);
}

/* What a report says, by the example of a few datagrams: a loss, a copy, one late, a restart. */
static void reports(void **state)
{
	static const uint16_t numbers[] = { 10, 11, 13, 13, 12, 16, 40000, 40001, 40001 };
	static const bool delivered[] = { true, true, true, false, true, true, false, true, false };
	struct rollcall_sequence report;
	struct rtp_stream stream;

	(void)state;
	rtp_stream_init(&stream, &(struct rtp){ .ssrc = 0xdeadbeef }, 0);
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const struct rtp rtp = { .number = numbers[i] };

		assert_int_equal(rtp_stream_take(&stream, &rtp, 0, &totals), delivered[i]);
	}
	rtp_stream_report(&stream, &report);
	assert_int_equal(report.ssrc, 0xdeadbeef);
	assert_int_equal(report.received, 7);
	assert_int_equal(report.expected, 7);
	assert_int_equal(report.lost, 2);
	assert_int_equal(report.duplicates, 2);
	assert_int_equal(report.reordered, 1);
	assert_int_equal(report.late, 1);
	assert_int_equal(report.restarts, 1);
}

static void add(struct rollcall_sequence *sum, const struct rollcall_sequence *one)
{
	sum->received += one->received;
	sum->expected += one->expected;
	sum->lost += one->lost;
	sum->duplicates += one->duplicates;
	sum->reordered += one->reordered;
	sum->late += one->late;
	sum->restarts += one->restarts;
}

static void assert_totals(const struct rtp_stream *streams, size_t count)
{
	struct rollcall_sequence sum = { 0 }, one;

	for (size_t i = 0; i < count; i++) {
		rtp_stream_report(&streams[i], &one);
		add(&sum, &one);
	}
	assert_int_equal(totals.sequence_received, sum.received);
	assert_int_equal(totals.sequence_expected, sum.expected);
	assert_int_equal(totals.sequence_lost, sum.lost);
	assert_int_equal(totals.sequence_duplicates, sum.duplicates);
	assert_int_equal(totals.sequence_reordered, sum.reordered);
	assert_int_equal(totals.sequence_late, sum.late);
	assert_int_equal(totals.sequence_restarts, sum.restarts);
}

/* Whatever comes, in whatever order: after each datagram the totals are the sum. */
static void totals_are_the_sum(void **state)
{
	struct rtp_stream streams[3];
	uint64_t seed = 1;
	uint16_t at[COUNT(streams)] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++)
		rtp_stream_init(&streams[i], &(struct rtp){ .ssrc = (uint32_t)i }, 0);
	for (unsigned i = 0; i < 20000; i++) {
		const uint64_t which = random_below(&seed, COUNT(streams));
		const uint64_t kind = random_below(&seed, 64);
		struct rtp rtp = { 0 };

		at[which] = (uint16_t)(at[which] + (kind < 60 ? 1 : random_below(&seed, 5000)));
		rtp.number = (uint16_t)(at[which] - (kind % 4 ? 0 : random_below(&seed, 8)));
		rtp_stream_take(&streams[which], &rtp, i, &totals);
		assert_totals(streams, COUNT(streams));
	}
	assert_in_range(totals.sequence_restarts, 1, 20000);
	assert_in_range(totals.sequence_late, 1, 20000);
	assert_in_range(totals.sequence_reordered, 1, 20000);
}

#define TEST(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(numbers_of_answers),
		TEST(markers),
		TEST(another_source),
		TEST(clocks),
		TEST(other_type),
		TEST(long_time),
		TEST(reports),
		TEST(totals_are_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
