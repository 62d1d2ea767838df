/* SPDX-License-Identifier: MIT */
/* RTP's header: a published packet, each part at its edges, and every packet that is cut short. */
#include "lib/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aborts.h"
#include "lib/random.h"
#include "udp/rtp.h"

/* The packet that all examples of RFC 7714, section 16, begin with. */
static const char published[] = "\x80\x40\xf1\x7b\x80\x41\xf8\xd3\x55\x01\xa0\xb2"
				"Gallia est omnis divisa in partes tres";

static struct rtp rtp;
static size_t payload, payload_bytes;

/* Parses a copy in memory of just its size, so that a sanitizer sees a byte too many. */
static int parse(const void *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, data, bytes);
	result = rtp_parse(copy, bytes, &rtp, &payload, &payload_bytes);
	free(copy);
	return result;
}

static void published_packet(void **state)
{
	(void)state;
	assert_int_equal(parse(published, sizeof(published) - 1), 0);
	assert_false(rtp.marker);
	assert_int_equal(rtp.type, 64);
	assert_int_equal(rtp.number, 61819);
	assert_int_equal(rtp.timestamp, 2151807187);
	assert_int_equal(rtp.ssrc, 1426170034);
	assert_int_equal(payload, 12);
	assert_int_equal(payload_bytes, 38);
}

/* The RTCP packet of RFC 7714, section 17, has the same version, and is not RTP's. */
static void published_rtcp(void **state)
{
	static const char report[] = "\x81\xc8\x00\x0d"
				     "MarsNTP1NTP2RTP \x00\x00\x04\x2a\x00\x00\xe9\x30"
				     "Luna\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef"
				     "\xde\xad\xbe\xef\xde\xad\xbe\xef";

	(void)state;
	assert_int_equal(parse(report, sizeof(report) - 1), -EBADMSG);
}

/* 128 to 191 of all first bytes; and no more are parsed. */
static void first_bytes(void **state)
{
	uint8_t packet[RTP_HEADER_BYTES + 15 * 4 + 4 + 1] = { 0 };

	(void)state;
	/* With all CSRCs, an extension of no words, and a padding of one byte. */
	packet[sizeof(packet) - 1] = 1;
	for (unsigned first = 0; first < 256; first++) {
		bool is = first >= 128 && first <= 191;

		packet[0] = (uint8_t)first;
		assert_int_equal(rtp_is((uint8_t)first), is);
		assert_int_equal(parse(packet, sizeof(packet)), is ? 0 : -EBADMSG);
		if (!is)
			continue;
		assert_int_equal(payload, 12 + first % 16 * 4 + (first & 16 ? 4 : 0));
		assert_int_equal(payload + payload_bytes, sizeof(packet) - (first & 32 ? 1 : 0));
	}
}

/* All second bytes: marker and type, but for RTCP's packet types, 192 to 223. */
static void second_bytes(void **state)
{
	uint8_t packet[RTP_HEADER_BYTES] = { 0x80 };

	(void)state;
	for (unsigned second = 0; second < 256; second++) {
		packet[1] = (uint8_t)second;
		if (second >= 192 && second <= 223) {
			assert_int_equal(parse(packet, sizeof(packet)), -EBADMSG);
			continue;
		}
		assert_int_equal(parse(packet, sizeof(packet)), 0);
		assert_int_equal(rtp.marker, second >= 128);
		assert_int_equal(rtp.type, second % 128);
	}
}

/*
 * Packets after their first byte and eleven zeros. A negative payload: not a packet. Each is also
 * cut at every length: without padding it is good from the payload's begin on, and never before.
 */
static const struct shape {
	const char *name;
	uint8_t first;
	const char *rest;
	size_t rest_bytes;
	int payload; /* where it begins, after the twelve bytes */
	int bytes;
} shapes[] = {
	{ "bare", 0x80, "", 0, 0, 0 },
	{ "payload", 0x80, "abc", 3, 0, 3 },
	{ "one CSRC", 0x81, "CSRCabc", 7, 4, 3 },
	{ "CSRC cut", 0x81, "CSR", 3, -1, 0 },
	{ "CSRCs, nothing else", 0x82, "CSRCCSRC", 8, 8, 0 },
	{ "extension of no words", 0x90, "pp\0\0abc", 7, 4, 3 },
	{ "extension of one word", 0x90, "pp\0\1wordabc", 11, 8, 3 },
	{ "extension cut in its header", 0x90, "pp\0", 3, -1, 0 },
	{ "extension without header", 0x90, "", 0, -1, 0 },
	{ "extension cut", 0x90, "pp\0\2wordwor", 11, -1, 0 },
	{ "extension, nothing else", 0x90, "pp\0\2wordword", 12, 12, 0 },
	{ "extension of 65,535 words", 0x90, "pp\xff\xffword", 8, -1, 0 },
	{ "extension of 256 words", 0x90, "pp\1\0word", 8, -1, 0 },
	{ "CSRC and extension", 0x91, "CSRCpp\0\1wordab", 14, 12, 2 },
	{ "CSRC, extension's header cut", 0x91, "CSRCpp\0", 7, -1, 0 },
	{ "padding of one", 0xa0, "ab\1", 3, 0, 2 },
	{ "padding of three", 0xa0, "ab\0\0\3", 5, 0, 2 },
	{ "padding, nothing else", 0xa0, "\0\0\0\4", 4, 0, 0 },
	{ "padding of one, nothing else", 0xa0, "\1", 1, 0, 0 },
	{ "padding of none", 0xa0, "ab\0", 3, -1, 0 },
	{ "padding larger than the payload", 0xa0, "ab\4", 3, -1, 0 },
	{ "padding of 255", 0xa0, "\xff", 1, -1, 0 },
	{ "padding without a byte", 0xa0, "", 0, -1, 0 },
	{ "padding reaches into a CSRC", 0xa1, "CSRC\2", 5, -1, 0 },
	{ "padding's count in a CSRC", 0xa1, "CSR\1", 4, -1, 0 },
	{ "padding reaches into the extension", 0xb0, "pp\0\1word\2", 9, -1, 0 },
	{ "all of it", 0xb1, "CSRCpp\0\1wordab\0\2", 16, 12, 2 },
};

static void all_shapes(void **state)
{
	(void)state;
	for (const struct shape *shape = shapes; shape < shapes + COUNT(shapes); shape++) {
		uint8_t packet[64] = { shape->first };
		size_t bytes = RTP_HEADER_BYTES + shape->rest_bytes;

		memcpy(packet + RTP_HEADER_BYTES, shape->rest, shape->rest_bytes);
		assert_case(shape->name, parse(packet, bytes), shape->payload < 0 ? -EBADMSG : 0);
		if (shape->payload < 0)
			continue;
		assert_case(shape->name, payload, RTP_HEADER_BYTES + shape->payload);
		assert_case(shape->name, payload_bytes, shape->bytes);
		for (size_t cut = 0; cut < bytes && !(shape->first & 0x20); cut++) {
			bool good = cut >= RTP_HEADER_BYTES + (size_t)shape->payload;

			assert_case(shape->name, parse(packet, cut), good ? 0 : -EBADMSG);
		}
	}
}

/* Noise is refused, or leaves header, payload and padding that together are the datagram. */
static void noise(void **state)
{
	enum { ROUNDS = 100000, BYTES_MAX = 100 };
	uint64_t seed = 3;
	int good = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		size_t bytes = (size_t)random_below(&seed, BYTES_MAX);
		uint8_t packet[BYTES_MAX];

		for (size_t i = 0; i < bytes; i++)
			packet[i] = (uint8_t)random_below(&seed, random_below(&seed, 8) ? 256 : 4);
		packet[0] = (uint8_t)(128 + packet[0] % 64);
		if (parse(packet, bytes))
			continue;
		good++;
		assert_in_range(payload, RTP_HEADER_BYTES, bytes);
		assert_in_range(payload + payload_bytes, payload, bytes);
		if (packet[0] & 0x20)
			assert_int_equal(bytes - payload - payload_bytes, packet[bytes - 1]);
		else
			assert_int_equal(payload + payload_bytes, bytes);
	}
	assert_in_range(good, ROUNDS / 10, ROUNDS);
}

/* What is written is the published packet's header, and in general what is read. */
static void writing(void **state)
{
	struct rtp header = { false, 64, 61819, 2151807187, 1426170034 };
	uint8_t bytes[RTP_HEADER_BYTES];
	uint64_t seed = 4;

	(void)state;
	rtp_write(bytes, &header);
	assert_memory_equal(bytes, published, RTP_HEADER_BYTES);
	for (int round = 0; round < 1000; round++) {
		header = (struct rtp){
			.marker = random_below(&seed, 2),
			.type = (uint8_t)(96 + random_below(&seed, 32)),
			.number = (uint16_t)random_next(&seed),
			.timestamp = (uint32_t)random_next(&seed),
			.ssrc = (uint32_t)random_next(&seed),
		};
		rtp_write(bytes, &header);
		assert_int_equal(parse(bytes, sizeof(bytes)), 0);
		assert_int_equal(rtp.marker, header.marker);
		assert_int_equal(rtp.type, header.type);
		assert_int_equal(rtp.number, header.number);
		assert_int_equal(rtp.timestamp, header.timestamp);
		assert_int_equal(rtp.ssrc, header.ssrc);
		assert_int_equal(payload, RTP_HEADER_BYTES);
		assert_int_equal(payload_bytes, 0);
	}
}

static void write_type(void *type)
{
	uint8_t bytes[RTP_HEADER_BYTES];

	rtp_write(bytes, &(struct rtp){ .type = *(uint8_t *)type });
}

static void checks(void **state)
{
	uint8_t last = 127, too_large = 128;

	(void)state;
	assert_false(aborts(write_type, &last));
	assert_true(aborts(write_type, &too_large));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_packet), cmocka_unit_test(published_rtcp),
		cmocka_unit_test(first_bytes),	    cmocka_unit_test(second_bytes),
		cmocka_unit_test(all_shapes),	    cmocka_unit_test(noise),
		cmocka_unit_test(writing),	    cmocka_unit_test(checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
