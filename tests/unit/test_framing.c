/* SPDX-License-Identifier: MIT */
/*
 * Where messages end in a stream, however the stream comes in pieces. Cases are compared as traces:
 * "[a\n][b\n]+c" is two messages and an unfinished third, "[a\n]!" is one and then one too long.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/random.h"
#include "tcp/framing.h"

#define STREAM_BYTES_MAX 512

/* The receiver of a stream, and the trace of what it made of it. */
struct receiver {
	enum rollcall_framing framing;
	size_t message_bytes_max;
	uint8_t held[STREAM_BYTES_MAX];
	size_t held_bytes;
	bool failed;
	char trace[4 * STREAM_BYTES_MAX];
	size_t trace_bytes;
};

static void note(struct receiver *to, const void *data, size_t bytes)
{
	assert_in_range(to->trace_bytes + bytes, 0, sizeof(to->trace) - 1);
	memcpy(to->trace + to->trace_bytes, data, bytes);
	to->trace_bytes += bytes;
}

/* Takes the next piece of a stream, from memory of just its size for the sanitizer's sake. */
static void feed(struct receiver *to, const uint8_t *data, size_t bytes)
{
	uint8_t next[bytes ? bytes : 1];

	memcpy(next, data, bytes);
	for (size_t at = 0; at < bytes && !to->failed;) {
		const struct framing_input input = {
			.held = to->held_bytes ? to->held : NULL,
			.held_bytes = to->held_bytes,
			.next = next + at,
			.next_bytes = bytes - at,
		};
		bool whole = false;
		ssize_t taken = framing_take(to->framing, to->message_bytes_max, &input, &whole);

		if (taken < 0) {
			assert_int_equal(taken, -EMSGSIZE);
			to->failed = true;
			note(to, "!", 1);
			return;
		}
		assert_in_range(taken, 1, bytes - at);
		memcpy(to->held + to->held_bytes, next + at, (size_t)taken);
		to->held_bytes += (size_t)taken;
		at += (size_t)taken;
		if (!whole) {
			assert_int_equal(at, bytes);
			continue;
		}
		note(to, "[", 1);
		note(to, to->held, to->held_bytes);
		note(to, "]", 1);
		to->held_bytes = 0;
	}
}

static void end(struct receiver *to)
{
	if (to->held_bytes > 0 && !to->failed) {
		note(to, "+", 1);
		note(to, to->held, to->held_bytes);
	}
}

/* Checks the trace of a stream in one piece, in two, split at each place, and byte by byte. */
static void assert_framed(enum rollcall_framing framing, size_t max, const void *data, size_t bytes,
			  const char *expected, size_t expected_bytes)
{
	for (size_t split = 0; split <= bytes; split++) {
		struct receiver to = { .framing = framing, .message_bytes_max = max };

		for (size_t at = 0; split == bytes && at < bytes; at++)
			feed(&to, (const uint8_t *)data + at, 1);
		if (split < bytes) {
			feed(&to, data, split);
			feed(&to, (const uint8_t *)data + split, bytes - split);
		}
		end(&to);
		assert_case("length of the trace", to.trace_bytes, expected_bytes);
		assert_memory_equal(to.trace, expected, expected_bytes);
	}
}

static void lines(void **state)
{
	static const struct {
		size_t max;
		const char *stream, *trace;
	} cases[] = {
		{ 8, "a\n", "[a\n]" },
		{ 8, "a\nb\n", "[a\n][b\n]" },
		{ 8, "a\r\nb\r\n", "[a\r\n][b\r\n]" },
		{ 8, "\n\r\n\n", "[\n][\r\n][\n]" },
		{ 8, "a", "+a" },
		{ 8, "a\nb", "[a\n]+b" },
		{ 8, "a\r", "+a\r" },
		{ 8, "\r", "+\r" },
		/* A carriage return alone ends nothing. */
		{ 8, "a\rb\n", "[a\rb\n]" },
		{ 8, "a\r\r\n", "[a\r\r\n]" },
		{ 8, "\ra\n", "[\ra\n]" },
		{ 8, "a\n\rb\n", "[a\n][\rb\n]" },
		/* The longest line, with either ending and none. */
		{ 8, "12345678\n", "[12345678\n]" },
		{ 8, "12345678\r\n", "[12345678\r\n]" },
		{ 8, "12345678", "+12345678" },
		{ 8, "12345678\r", "+12345678\r" },
		{ 8, "1234567\r\n", "[1234567\r\n]" },
		{ 8, "1234567\r\r\n", "[1234567\r\r\n]" },
		/* One byte more is too long, as soon as it is seen not to be the ending. */
		{ 8, "123456789", "!" },
		{ 8, "123456789\n", "!" },
		{ 8, "123456789\r\n", "!" },
		{ 8, "12345678\rx", "!" },
		{ 8, "12345678\r\r", "!" },
		{ 8, "12345678\r\r\n", "!" },
		{ 8, "a\n123456789\nb\n", "[a\n]!" },
		{ 8, "a\n12345678\nb", "[a\n][12345678\n]+b" },
		{ 1, "a\n\nab\n", "[a\n][\n]!" },
		{ 1, "a\r\n\r\n\r\r\n", "[a\r\n][\r\n][\r\r\n]" },
		{ 1, "\r\r\r\n", "!" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_framed(ROLLCALL_FRAMING_LINES, cases[i].max, cases[i].stream,
			      strlen(cases[i].stream), cases[i].trace, strlen(cases[i].trace));
}

/* A NUL is a byte of a line like any other. */
static void lines_with_nul(void **state)
{
	(void)state;
	assert_framed(ROLLCALL_FRAMING_LINES, 8, "\0a\0\nb\n", 6, "[\0a\0\n][b\n]", 10);
}

static void lengths(void **state)
{
	static const struct {
		const char *stream;
		size_t bytes;
		const char *trace;
		size_t trace_bytes;
	} cases[] = {
#define STREAM(text) text, sizeof(text) - 1
		{ STREAM("\0\0\0\1a"), STREAM("[\0\0\0\1a]") },
		{ STREAM("\0\0\0\0"), STREAM("[\0\0\0\0]") },
		{ STREAM("\0\0\0\0\0\0\0\1a"), STREAM("[\0\0\0\0][\0\0\0\1a]") },
		{ STREAM("\0\0\0\10"
			 "12345678"),
		  STREAM("[\0\0\0\10"
			 "12345678]") },
		/* The length alone tells that a message is too long. */
		{ STREAM("\0\0\0\11"), STREAM("!") },
		{ STREAM("\377\377\377\377"), STREAM("!") },
		{ STREAM("\1\0\0\0"), STREAM("!") },
		{ STREAM("\0\0\0\1a\0\0\1\0b"), STREAM("[\0\0\0\1a]!") },
		/* Not whole: a part of the length, the length, all but the last byte. */
		{ STREAM("\0\0"), STREAM("+\0\0") },
		{ STREAM("\377\377\377"), STREAM("+\377\377\377") },
		{ STREAM("\0\0\0\2"), STREAM("+\0\0\0\2") },
		{ STREAM("\0\0\0\2a"), STREAM("+\0\0\0\2a") },
		{ STREAM("\0\0\0\2\n\n\0"), STREAM("[\0\0\0\2\n\n]+\0") },
#undef STREAM
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_framed(ROLLCALL_FRAMING_LENGTH, 8, cases[i].stream, cases[i].bytes,
			      cases[i].trace, cases[i].trace_bytes);
}

/* Raw bytes are passed on as they come, of any number. */
static void raw(void **state)
{
	struct receiver to = { .framing = ROLLCALL_FRAMING_RAW, .message_bytes_max = 1 };

	(void)state;
	feed(&to, (const uint8_t *)"abc\n", 4);
	feed(&to, (const uint8_t *)"d", 1);
	end(&to);
	assert_int_equal(to.trace_bytes, 9);
	assert_memory_equal(to.trace, "[abc\n][d]", 9);
}

/* ---- Random streams against the plainest reading of them ---- */

static void model_lines(struct receiver *model, const uint8_t *data, size_t bytes)
{
	for (size_t at = 0, from = 0; at <= bytes; at++) {
		size_t line_bytes = at - from;

		if (at < bytes && data[at] != '\n')
			continue;
		if (line_bytes > 0 && data[at - 1] == '\r')
			line_bytes--;
		if (line_bytes > model->message_bytes_max) {
			note(model, "!", 1);
			return;
		}
		note(model, at < bytes ? "[" : "+", at < bytes || from < bytes);
		note(model, data + from, at - from + (at < bytes));
		note(model, "]", at < bytes);
		from = at + 1;
	}
}

static void model_lengths(struct receiver *model, const uint8_t *data, size_t bytes)
{
	while (bytes > 0) {
		uint32_t length;

		if (bytes >= 4) {
			memcpy(&length, data, 4);
			length = ntohl(length);
			if (length > model->message_bytes_max) {
				note(model, "!", 1);
				return;
			}
		}
		if (bytes < 4 || bytes - 4 < length) {
			note(model, "+", 1);
			note(model, data, bytes);
			return;
		}
		note(model, "[", 1);
		note(model, data, 4 + length);
		note(model, "]", 1);
		data += 4 + length;
		bytes -= 4 + length;
	}
}

/* A stream of many line endings and few other bytes, or of small lengths, mostly right. */
static size_t make_stream(uint64_t *seed, enum rollcall_framing framing, uint8_t *stream)
{
	size_t limit = 1 + (size_t)random_below(seed, 200), bytes = 0;

	while (bytes < limit) {
		if (framing == ROLLCALL_FRAMING_LINES) {
			stream[bytes++] = (uint8_t) "aaaaaa\r\n"[random_below(seed, 8)];
			continue;
		}
		memset(stream + bytes, 0, 3);
		stream[bytes + 3] = (uint8_t)random_below(seed, 18);
		memset(stream + bytes + 4, 'a', stream[bytes + 3]);
		bytes += 4u + stream[bytes + 3];
	}
	return limit;
}

static void random_model(void **state)
{
	uint8_t stream[STREAM_BYTES_MAX];
	uint64_t seed = 21;
	unsigned failed = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const bool is_lines = round % 2;
		struct receiver to = { .framing = is_lines ? ROLLCALL_FRAMING_LINES
							   : ROLLCALL_FRAMING_LENGTH };
		struct receiver model = { 0 };
		size_t bytes = make_stream(&seed, to.framing, stream);

		to.message_bytes_max = model.message_bytes_max =
			16 + (size_t)random_below(&seed, 10);
		for (size_t at = 0; at < bytes;) {
			size_t piece = 1 + (size_t)random_below(&seed, 20);

			piece = piece < bytes - at ? piece : bytes - at;
			feed(&to, stream + at, piece);
			at += piece;
		}
		end(&to);
		(is_lines ? model_lines : model_lengths)(&model, stream, bytes);
		assert_int_equal(to.trace_bytes, model.trace_bytes);
		assert_memory_equal(to.trace, model.trace, model.trace_bytes);
		failed += to.failed;
	}
	assert_in_range(failed, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),	cmocka_unit_test(lines_with_nul),
		cmocka_unit_test(lengths),	cmocka_unit_test(raw),
		cmocka_unit_test(random_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
