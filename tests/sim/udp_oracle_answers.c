/* SPDX-License-Identifier: MIT */
/*
 * udp_oracle_answers.c - the answers that the oracle expects, and those that the server sends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "sim/udp_oracle.h"

void udp_oracle_expect(struct udp_oracle *oracle, struct udp_oracle_client *client,
		       const struct udp_oracle_datagram *datagram)
{
	struct udp_oracle_answer *answer = malloc(sizeof(*answer) + datagram->bytes);

	CHECK(answer);
	*answer = (struct udp_oracle_answer){
		.client = client,
		.key = datagram->key,
		.header = datagram->header,
		.index = client ? client->answers++ : 0,
		.bytes = datagram->bytes,
	};
	memcpy(answer->data, datagram->payload, datagram->bytes);
	*oracle->pending_end = answer;
	oracle->pending_end = &answer->next;
	oracle->answers_expected++;
}

static bool has_next_header(const struct udp_oracle_answer *answer, const struct rtp_header *header)
{
	const struct udp_oracle_client *client = answer->client;

	/* Type and marker of the request; and another SSRC. */
	if (header->type != answer->header.type || header->timestamp != answer->header.timestamp ||
	    header->ssrc == answer->header.ssrc)
		return false;
	/* Without a client the number is that of the request. */
	if (!client)
		return header->number == answer->header.number;
	return !client->known || (header->ssrc == client->ssrc &&
				  header->number == (uint16_t)(client->number + answer->index));
}

/* Whether this is the expected answer, with the right header. */
static bool is_answer(const struct udp_oracle_answer *answer, const struct address *from,
		      const struct address *to, const uint8_t *data, size_t bytes)
{
	static const char prefix[] = "Received: ";
	const size_t head = answer->key.numbered ? RTP_HEADER_BYTES : 0,
		     start = head + strlen(prefix);
	struct rtp_header header;

	if (!address_equal(&answer->key.from, to) || !address_equal(&answer->key.to, from) ||
	    bytes != start + answer->bytes || memcmp(data + head, prefix, strlen(prefix)) != 0 ||
	    memcmp(data + start, answer->data, answer->bytes) != 0)
		return false;
	if (!head)
		return true;
	header = rtp_header_read(data);
	return data[0] == 128 && has_next_header(answer, &header);
}

static struct udp_oracle_answer *unlink_answer(struct udp_oracle *oracle,
					       struct udp_oracle_answer **place)
{
	struct udp_oracle_answer *answer = *place;

	*place = answer->next;
	if (!*place)
		oracle->pending_end = place;
	return answer;
}

/* Answers to a client are sent in the order of its requests: those before this one are lost. */
static void forget_before(struct udp_oracle *oracle, const struct udp_oracle_answer *answer)
{
	struct udp_oracle_answer **place = &oracle->pending;

	while (*place != answer) {
		if ((*place)->client == answer->client &&
		    udp_oracle_is_same(&(*place)->key, &answer->key))
			free(unlink_answer(oracle, place));
		else
			place = &(*place)->next;
	}
}

void udp_oracle_sent(struct udp_oracle *oracle, const struct address *from,
		     const struct address *to, const void *data, size_t bytes)
{
	struct udp_oracle_answer **place, *answer = NULL;

	/* Of two that look alike, those to ROLLCALL_NONE are sent first. */
	for (struct udp_oracle_answer *one = oracle->pending; one && (!answer || answer->client);
	     one = one->next)
		if ((!answer || !one->client) && is_answer(one, from, to, data, bytes))
			answer = one;
	if (!answer)
		sim_fail(oracle->sim, "%zu bytes are sent that are not expected, or out of order",
			 bytes);
	forget_before(oracle, answer);
	if (answer->key.numbered && answer->client && !answer->client->known) {
		const struct rtp_header header = rtp_header_read(data);

		answer->client->known = true;
		answer->client->ssrc = header.ssrc;
		answer->client->number = (uint16_t)(header.number - answer->index);
	}
	for (place = &oracle->pending; *place != answer;)
		place = &(*place)->next;
	free(unlink_answer(oracle, place));
	oracle->answers_sent++;
}
