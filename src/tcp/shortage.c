/* SPDX-License-Identifier: MIT */
#include "tcp/shortage.h"

#include <errno.h>

#include "tcp/connection.h"
#include "tcp/input.h"

/* Classes of clients: the binary logarithm of what they hold times how long they have held it. */
#define CLASSES 64

/* What a client holds in bytes, and its class; a client that may not be ended holds 0. */
struct holding {
	size_t bytes;
	unsigned class;
};

static size_t round_to_blocks(size_t bytes)
{
	return (bytes + QUEUE_BLOCK_BYTES - 1) / QUEUE_BLOCK_BYTES * QUEUE_BLOCK_BYTES;
}

/*
 * Output that a client does not take, and the message that it does not end. Input is refused only
 * by ending a client, output also otherwise: so when input has nearly no space left (is_urgent), it
 * does not matter how short a time it has been held.
 */
static struct holding holding_of(const struct tcp *tcp, const struct client *client, bool is_urgent)
{
	const struct tcp_input *input = client->tcp.input;
	const uint32_t now_ms = client_ms(tcp->hub->now_ns);
	struct holding holding = { 0 };
	uint64_t product = 1;
	uint32_t held_ms;

	if (client->transport != ROLLCALL_TCP || client->state == CLIENT_CLOSING)
		return holding;
	held_ms = now_ms - client->active_ms;
	if (client_has_any(client, CLIENT_UNACKED) && held_ms >= SHORTAGE_HELD_MS) {
		holding.bytes = round_to_blocks(client->tcp.queue.bytes);
		if (input)
			holding.bytes += round_to_blocks(input->backlog.bytes);
		product += (uint64_t)holding.bytes * held_ms;
	}
	if (input && input->message_bytes > 0) {
		held_ms = now_ms - input->unfinished.begun_ms;
		if (held_ms >= SHORTAGE_HELD_MS || is_urgent) {
			holding.bytes += input->message_capacity;
			product += (uint64_t)input->message_capacity * held_ms;
		}
	}
	holding.class = (unsigned)(CLASSES - 1 - __builtin_clzll(product));
	return holding;
}

/* The lowest class to end so that `bytes` are freed: all above it hold less. */
static unsigned lowest_class(const struct tcp *tcp, size_t bytes, bool is_urgent)
{
	const struct table *table = &tcp->hub->table;
	size_t held[CLASSES] = { 0 }, sum = 0;
	unsigned class = CLASSES;

	for (const struct client *client = table_next(table, ROLLCALL_NONE); client;
	     client = table_next(table, client->id)) {
		const struct holding holding = holding_of(tcp, client, is_urgent);

		held[holding.class] += holding.bytes;
	}
	while (class > 0 && sum < bytes)
		sum += held[--class];
	return class;
}

/* Ends a client, and frees what it holds but for what the kernel may be reading. */
static void end(struct tcp *tcp, struct client *client, size_t bytes)
{
	struct hub *hub = tcp->hub;

	hub->stats.tcp_ended_memory++;
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "client %llu ended: memory is short, and it holds %zu bytes without getting on",
		  (unsigned long long)client->id, bytes);
	connection_abort(tcp, client, -ENOSPC, true);
	input_clear(tcp, client);
	if (!(client->in_flight & IN_FLIGHT_SEND) || client_has_any(client, CLIENT_POLLING))
		queue_clear(&hub->memory, &client->tcp.queue);
}

/* What a client holds that is of this class or above, or else 0. */
static size_t bytes_from(const struct tcp *tcp, const struct client *client, unsigned class,
			 bool is_urgent)
{
	const struct holding holding = holding_of(tcp, client, is_urgent);

	return holding.class >= class ? holding.bytes : 0;
}

/* Ends clients of this class and above until `bytes` are freed. Returns how many are left. */
static size_t end_from(struct tcp *tcp, unsigned class, size_t bytes, bool is_urgent)
{
	const struct table *table = &tcp->hub->table;
	struct client *client = table_next(table, ROLLCALL_NONE);

	for (; client && bytes > 0; client = table_next(table, client->id)) {
		size_t held = bytes_from(tcp, client, class, is_urgent);

		/* It may have taken output since the last check. */
		if (held > 0 && client_has_any(client, CLIENT_UNACKED)) {
			delivery_check(&tcp->delivery, client);
			held = bytes_from(tcp, client, class, is_urgent);
		}
		if (held == 0)
			continue;
		end(tcp, client, held);
		bytes -= min_size(bytes, held);
	}
	return bytes;
}

/* Frees memory until it is not scarce any more, and a bit more, so that this is rare. */
static void free_memory(struct tcp *tcp)
{
	struct hub *hub = tcp->hub;
	const uint32_t limit = hub->memory.blocks.limit, used = queue_memory_used(&hub->memory);
	const uint32_t goal = limit - limit / 4 - limit / 32;
	const bool is_urgent = used > limit - limit / 8;
	size_t bytes = (size_t)(used - goal) * QUEUE_BLOCK_BYTES;

	if (timer_is_set(&tcp->shortage_timer) && used < tcp->shortage_used + limit / 32)
		return;
	bytes = end_from(tcp, lowest_class(tcp, bytes, is_urgent), bytes, is_urgent);
	if (bytes == 0)
		return;
	tcp->shortage_used = used;
	timers_set(&hub->timers, &tcp->shortage_timer,
		   hub->now_ns + SHORTAGE_RETRY_MS * (uint64_t)1000000);
}

int shortage_init(struct tcp *tcp)
{
	return timers_reserve(&tcp->hub->timers);
}

void shortage_check(struct tcp *tcp)
{
	const bool is_short = hub_is_short(tcp->hub);

	if (is_short && !tcp->was_short)
		unfinished_hurry(&tcp->unfinished);
	tcp->was_short = is_short;
	if (is_short && hub_is_memory_scarce(tcp->hub))
		free_memory(tcp);
}
