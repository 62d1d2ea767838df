/* SPDX-License-Identifier: MIT */
/* Which answers to `--health` are good: those of each service in each framing, and no other. */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "program/health.h"

#define LENGTH(bytes) "\0\0\0" bytes
#define RTP "\x80\x60\0\1\0\0\0\0\0\0\0\0"

struct answer {
	const char *data;
	size_t bytes;
	bool good;
};

#define ANSWER(text, is_good)                                                                      \
	{                                                                                          \
		text, sizeof(text) - 1, is_good                                                    \
	}

/* From memory of just its size, for the sanitizer's sake. */
static void check(bool (*is_answer)(const uint8_t *data, size_t bytes),
		  const struct answer *answers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *copy = malloc(answers[i].bytes + 1);

		assert_non_null(copy);
		memcpy(copy + 1, answers[i].data, answers[i].bytes);
		assert_case(answers[i].data, is_answer(copy + 1, answers[i].bytes),
			    answers[i].good);
		free(copy);
	}
}

static void tcp(void **state)
{
	static const struct answer answers[] = {
		ANSWER(LENGTH("\7") "health\n", true),		    /* echo */
		ANSWER("Received: " LENGTH("\7") "health\n", true), /* reply: raw, lines */
		ANSWER(LENGTH("\x11") "Received: health\n", true),  /* reply: length */
		ANSWER("", false),
		ANSWER("\0\0\0", false),
		ANSWER("Received: ", false),
		ANSWER("Received: \0\0\0", false),
		ANSWER(LENGTH("\0"), false),
		ANSWER(LENGTH("\6") "health", false),
		ANSWER(LENGTH("\7") "health", false),
		ANSWER(LENGTH("\6") "health\n", false),
		ANSWER(LENGTH("\7") "wealth\n", false),
		ANSWER(LENGTH("\x10") "Received:health\n", false),
		ANSWER("Received: health\n", false),
		ANSWER("Error: line longer than 5 bytes\n", false),
		ANSWER("HTTP/1.1 400 Bad Request\r\n\r\n", false),
	};

	(void)state;
	check(health_is_answer_of_tcp, answers, COUNT(answers));
}

static void udp(void **state)
{
	static const struct answer answers[] = {
		ANSWER(RTP "health\n", true),		   /* echo */
		ANSWER("Received: " RTP "health\n", true), /* reply */
		ANSWER(RTP "Received: health\n", true),	   /* reply to numbered datagrams */
		ANSWER("", false),
		ANSWER("health\n", false),
		ANSWER("Received: health\n", false),
		ANSWER(RTP, false),
		ANSWER("\x80\x60\0\1\0\0\0\0\0\0\0", false),
		ANSWER("\0\x60\0\1\0\0\0\0\0\0\0\0health\n", false),
		ANSWER("\x80\0\0\1\0\0\0\0\0\0\0\0health\n", false),
		ANSWER(RTP "health", false),
		ANSWER(RTP "health\n\n", false),
	};

	(void)state;
	check(health_is_answer_of_udp, answers, COUNT(answers));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
