/* SPDX-License-Identifier: MIT */
#include "instructions/load.h"

#include <string.h>

#include "base/base.h"

struct load load;

/* `messages` times the prefix and a line of `bytes` bytes. */
static uint8_t *make_text(const char *prefix, size_t bytes, unsigned messages)
{
	const size_t prefix_bytes = strlen(prefix), all = prefix_bytes + bytes;
	uint8_t *text = malloc(all * messages);

	CHECK(text);
	for (unsigned i = 0; i < messages; i++) {
		uint8_t *message = text + i * all;

		memcpy(message, prefix, prefix_bytes);
		memset(message + prefix_bytes, 'a' + (int)(i % 26), bytes - 1);
		message[all - 1] = '\n';
	}
	return text;
}

void load_init(const struct scenario *scenario, uint64_t limit)
{
	const size_t bytes = scenario->message_bytes;
	const unsigned messages = scenario->messages;

	load = (struct load){
		.scenario = scenario,
		.question = make_text("", bytes, messages),
		.question_bytes = bytes * messages,
		.answer = make_text(scenario->prefix, bytes, messages),
		.answer_bytes = (strlen(scenario->prefix) + bytes) * messages,
		.limit = limit,
	};
	for (unsigned i = 0; i < LOAD_PEERS; i++)
		load.peers[i].asks = true;
}

int load_take(struct peer *peer, const struct iovec *pieces, size_t count)
{
	const size_t before = peer->answered;

	for (size_t i = 0; i < count; i++) {
		const struct iovec *piece = &pieces[i];

		CHECK(!peer->asks && piece->iov_len <= load.answer_bytes - peer->answered);
		CHECK(memcmp(piece->iov_base, load.answer + peer->answered, piece->iov_len) == 0);
		peer->answered += piece->iov_len;
	}
	if (peer->answered < load.answer_bytes)
		return (int)(peer->answered - before);
	load.messages += load.scenario->messages;
	peer->answered = 0;
	peer->asks = true;
	return (int)(load.answer_bytes - before);
}
