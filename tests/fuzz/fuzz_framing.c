/* SPDX-License-Identifier: MIT */
/*
 * Framing finds the same messages in a stream, however the stream is cut, as a model that sees all
 * of it at once.
 *
 * Input: the framing, the longest message, how many cuts, the sizes of the pieces, then the stream.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "tcp/framing.h"

struct stream {
	enum rollcall_framing framing;
	size_t message_bytes_max;
	const uint8_t *data;
	size_t bytes;
};

/*
 * The model: how many bytes the message at `at` takes; 0: it is not whole; -EMSGSIZE: it is too
 * long, as far as can be told from what is there.
 */
static ssize_t measure_line(const struct stream *stream, size_t at)
{
	size_t end = at, content;

	while (end < stream->bytes && stream->data[end] != '\n')
		end++;
	content = end - at;
	if (content > 0 && stream->data[end - 1] == '\r')
		content--;
	if (content > stream->message_bytes_max)
		return -EMSGSIZE;
	return end < stream->bytes ? (ssize_t)(end - at + 1) : 0;
}

static ssize_t measure_length(const struct stream *stream, size_t at)
{
	const uint8_t *from = stream->data + at;
	const size_t left = stream->bytes - at;
	uint64_t length;

	if (left < 4)
		return 0;
	length = 0;
	for (int i = 0; i < 4; i++)
		length = length << 8 | from[i];
	if (length > stream->message_bytes_max)
		return -EMSGSIZE;
	return left >= 4 + length ? (ssize_t)(4 + length) : 0;
}

static ssize_t measure(const struct stream *stream, size_t at)
{
	return stream->framing == ROLLCALL_FRAMING_LINES ? measure_line(stream, at)
							 : measure_length(stream, at);
}

/* What the receiver has of a message that has begun at `begin`. */
struct receiver {
	const struct stream *stream;
	size_t begin;
	size_t held_bytes;
	bool failed;
};

/* One call on the next bytes, in memory of just their size. Returns how many it took. */
static size_t take(struct receiver *receiver, size_t next_bytes)
{
	const struct stream *stream = receiver->stream;
	const size_t at = receiver->begin + receiver->held_bytes;
	uint8_t *held = malloc(receiver->held_bytes + 1), *next = malloc(next_bytes);
	const struct framing_input input = { held, receiver->held_bytes, next, next_bytes };
	ssize_t taken, message_bytes = measure(stream, receiver->begin);
	bool whole = false;

	CHECK(held && next);
	memcpy(held, stream->data + receiver->begin, receiver->held_bytes);
	memcpy(next, stream->data + at, next_bytes);
	taken = framing_take(stream->framing, stream->message_bytes_max, &input, &whole);
	free(held);
	free(next);
	if (taken < 0) {
		CHECK(taken == -EMSGSIZE && message_bytes == -EMSGSIZE);
		receiver->failed = true;
		return 0;
	}
	CHECK(taken > 0 && (size_t)taken <= next_bytes);
	receiver->held_bytes += (size_t)taken;
	if (whole) {
		CHECK(message_bytes == (ssize_t)receiver->held_bytes);
		receiver->begin += receiver->held_bytes;
		receiver->held_bytes = 0;
	} else {
		CHECK((size_t)taken == next_bytes);
	}
	return (size_t)taken;
}

static void receive(const struct stream *stream, const uint8_t *cuts, size_t cut_count)
{
	struct receiver receiver = { .stream = stream };

	for (size_t at = 0, cut = 0; at < stream->bytes && !receiver.failed; cut++) {
		size_t piece = cut < cut_count ? 1u + cuts[cut] : stream->bytes;
		size_t end = min_size(at + piece, stream->bytes);

		while (at < end && !receiver.failed)
			at += take(&receiver, end - at);
	}
	/* What is left at the end is not whole, and is found too long if it is. */
	if (receiver.failed || receiver.begin < stream->bytes)
		CHECK(measure(stream, receiver.begin) == (receiver.failed ? -EMSGSIZE : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct stream stream;
	size_t cut_count;

	if (bytes < 3)
		return 0;
	cut_count = min_size(data[2], bytes - 3);
	stream = (struct stream){
		.framing = data[0] % 2 ? ROLLCALL_FRAMING_LENGTH : ROLLCALL_FRAMING_LINES,
		.message_bytes_max = 1u + data[1],
		.data = data + 3 + cut_count,
		.bytes = bytes - 3 - cut_count,
	};
	receive(&stream, data + 3, cut_count);
	return 0;
}
