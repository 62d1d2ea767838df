/* SPDX-License-Identifier: MIT */
#include "tcp/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/framing.h"

/* Initial allocation for an unfinished message; it doubles. */
#define MESSAGE_CAPACITY_MIN 256

static bool is_ready(const struct client *client)
{
	return client->state == CLIENT_OPEN && !(client->flags & CLIENT_PAUSED);
}

static struct tcp_input *kept(struct client *client)
{
	if (!client->tcp.input)
		client->tcp.input = calloc(1, sizeof(*client->tcp.input));
	return client->tcp.input;
}

/* Frees the memory as soon as nothing is kept: most clients keep nothing most of the time. */
static void release_if_empty(struct tcp *tcp, struct client *client)
{
	struct tcp_input *input = client->tcp.input;

	if (!input || input->message_bytes > 0 || input->backlog.bytes > 0)
		return;
	tcp->hub->memory.input_bytes -= input->message_capacity;
	free(input->message);
	free(input);
	client->tcp.input = NULL;
}

/* The capacity for a message of which `total` bytes have come. */
static size_t capacity_for(const struct client *client, size_t total)
{
	const size_t most = client->origin->service.message_bytes_max + FRAMING_BYTES_MAX;
	size_t capacity = MESSAGE_CAPACITY_MIN;

	CHECK(total <= most);
	while (capacity < total)
		capacity *= 2;
	return min_size(capacity, most);
}

static int enlarge_message(struct tcp *tcp, struct client *client, size_t total)
{
	struct queue_memory *memory = &tcp->hub->memory;
	struct tcp_input *input = client->tcp.input;
	const size_t capacity = capacity_for(client, total);
	const size_t more = capacity - input->message_capacity;
	uint8_t *message;

	if (!queue_memory_has(memory, more, capacity) &&
	    !(tcp->make_space(tcp, client, more) && queue_memory_has(memory, more, capacity)))
		return -ENOBUFS;
	message = realloc(input->message, capacity);
	if (!message)
		return -ENOBUFS;
	memory->input_bytes += more;
	input->message = message;
	input->message_capacity = capacity;
	return 0;
}

static int hold_message(struct tcp *tcp, struct client *client, const void *data, size_t bytes)
{
	struct tcp_input *input = kept(client);
	size_t total;

	if (!input)
		return -ENOBUFS;
	total = input->message_bytes + bytes;
	if (total > input->message_capacity && enlarge_message(tcp, client, total))
		return -ENOBUFS;
	if (input->message_bytes == 0)
		unfinished_begin(&tcp->unfinished, &input->unfinished, client);
	memcpy(input->message + input->message_bytes, data, bytes);
	input->message_bytes = total;
	return 0;
}

static void end_message(struct tcp *tcp, struct tcp_input *input)
{
	if (input->message_bytes > 0)
		unfinished_end(&tcp->unfinished, &input->unfinished);
	input->message_bytes = 0;
}

static void deliver(struct tcp *tcp, struct client *client, const uint8_t *data, size_t bytes)
{
	if (client->origin->service.framing == ROLLCALL_FRAMING_LENGTH) {
		data += FRAMING_LENGTH_BYTES;
		bytes -= FRAMING_LENGTH_BYTES;
	}
	hub_received(tcp->hub, client, data, bytes);
}

/* Takes the next bytes of one message. Returns how many, or a negative errno value. */
static ssize_t take_one(struct tcp *tcp, struct client *client, const uint8_t *data, size_t bytes)
{
	const struct origin *origin = client->origin;
	struct tcp_input *input = client->tcp.input;
	struct framing_input framing = { .next = data, .next_bytes = bytes };
	bool whole;
	ssize_t taken;
	int error;

	if (input && input->message_bytes > 0) {
		framing.held = input->message;
		framing.held_bytes = input->message_bytes;
	}
	taken = framing_take(origin->service.framing, origin->service.message_bytes_max, &framing,
			     &whole);
	if (taken < 0) {
		hub_oversized(tcp->hub, client);
		return taken;
	}
	if (whole && framing.held_bytes == 0) {
		deliver(tcp, client, data, (size_t)taken);
		return taken;
	}
	error = hold_message(tcp, client, data, (size_t)taken);
	if (error)
		return error;
	if (whole) {
		input = client->tcp.input;
		deliver(tcp, client, input->message, input->message_bytes);
		end_message(tcp, input);
	}
	return taken;
}

/* Takes one message from the client's share of the turn. false: it is used up. */
static bool take_from_share(struct tcp *tcp, const struct client *client)
{
	struct tcp_share *share = &tcp->share;

	if (share->client != client->id || share->turn != tcp->hub->turns)
		*share = (struct tcp_share){ client->id, tcp->hub->turns, 0 };
	if (share->messages == TCP_SHARE_MESSAGES)
		return false;
	share->messages++;
	return true;
}

/*
 * Takes bytes until they or the client's share are used up, or the client is closed or its
 * receiving suspended. Returns how many are left, or a negative errno value.
 */
static ssize_t take_all(struct tcp *tcp, struct client *client, const uint8_t *data, size_t bytes)
{
	while (bytes > 0 && is_ready(client) && take_from_share(tcp, client)) {
		ssize_t taken = take_one(tcp, client, data, bytes);

		if (taken < 0)
			return taken;
		data += taken;
		bytes -= (size_t)taken;
	}
	return (ssize_t)bytes;
}

/* Copies what cannot be handed over now, so that it holds no shared buffer. */
static int hold_back(struct tcp *tcp, struct client *client, const void *data, size_t bytes)
{
	struct queue_memory *memory = &tcp->hub->memory;
	struct tcp_input *input = kept(client);
	const struct iovec part = { (void *)data, bytes };

	if (!input)
		return -ENOBUFS;
	if (queue_append(memory, &input->backlog, &part, 1, true) ||
	    (tcp->make_space(tcp, client, QUEUE_BLOCK_BYTES + bytes) &&
	     queue_append(memory, &input->backlog, &part, 1, true)))
		return 0;
	return -ENOBUFS;
}

int input_receive(struct tcp *tcp, struct client *client, const void *data, size_t bytes)
{
	ssize_t left = (ssize_t)bytes;

	if (!input_is_held(client))
		left = take_all(tcp, client, data, bytes);
	if (left > 0 && client->state == CLIENT_OPEN)
		left = hold_back(tcp, client, (const uint8_t *)data + (bytes - (size_t)left),
				 (size_t)left);
	release_if_empty(tcp, client);
	return left < 0 ? (int)left : 0;
}

int input_resume(struct tcp *tcp, struct client *client)
{
	struct tcp_input *input = client->tcp.input;
	ssize_t left = 0;

	while (left == 0 && input_is_held(client) && is_ready(client)) {
		const struct extent *first = queue_first(&input->backlog);
		size_t bytes = first->bytes;

		left = take_all(tcp, client, first->data, bytes);
		if (left >= 0)
			queue_advance(&tcp->hub->memory, &input->backlog, bytes - (size_t)left);
	}
	release_if_empty(tcp, client);
	return left < 0 ? (int)left : 0;
}

void input_end(struct tcp *tcp, struct client *client)
{
	struct tcp_input *input = client->tcp.input;

	if (!input || input->message_bytes == 0)
		return;
	if (client->origin->service.framing == ROLLCALL_FRAMING_LINES)
		deliver(tcp, client, input->message, input->message_bytes);
	end_message(tcp, input);
	release_if_empty(tcp, client);
}

bool input_is_held(const struct client *client)
{
	return client->tcp.input && client->tcp.input->backlog.bytes > 0;
}

bool input_is_begun(const struct client *client)
{
	return client->tcp.input && client->tcp.input->message_bytes > 0;
}

void input_extend(struct tcp *tcp, struct client *client)
{
	struct unfinished *message = &client->tcp.input->unfinished;

	unfinished_end(&tcp->unfinished, message);
	unfinished_begin(&tcp->unfinished, message, client);
}

void input_clear(struct tcp *tcp, struct client *client)
{
	if (!client->tcp.input)
		return;
	queue_clear(&tcp->hub->memory, &client->tcp.input->backlog);
	end_message(tcp, client->tcp.input);
	release_if_empty(tcp, client);
}
