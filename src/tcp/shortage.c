/* SPDX-License-Identifier: MIT */
#include "tcp/shortage.h"

#include <errno.h>

#include "tcp/connection.h"
#include "tcp/input.h"
#include "tcp/receive.h"

static bool is_after_stall(const struct hub *hub)
{
	return hub->stall_end_ns > 0 &&
	       hub->now_ns - hub->stall_end_ns < SHORTAGE_STALL_MS * (uint64_t)1000000;
}

/* ---- Memory ---- */

/* Classes of clients: the binary logarithm of what they hold times how long they have held it. */
#define CLASSES 64

/* 32nds of the memory: what is left when it is scarce, and the reserve (client/queue.h). */
#define SCARCE_PARTS 8
#define RESERVE_PARTS 4

/* What a client holds in bytes, and that times how long; one that may not be ended holds 0. */
struct holding {
	size_t bytes;
	uint64_t product;
};

/* What is looked for: clients of this class and above, until these bytes are freed. */
struct search {
	size_t bytes;
	unsigned class;
	bool is_urgent;
};

static void add(struct holding *holding, size_t bytes, uint32_t held_ms)
{
	holding->bytes += bytes;
	holding->product += bytes * (held_ms + (uint64_t)1);
}

static unsigned class_of(const struct holding *holding)
{
	return (unsigned)(CLASSES - 1 - __builtin_clzll(holding->product | 1));
}

static size_t round_to_blocks(size_t bytes)
{
	return (bytes + QUEUE_BLOCK_BYTES - 1) / QUEUE_BLOCK_BYTES * QUEUE_BLOCK_BYTES;
}

/*
 * What a client holds: output that it does not take, the input that waits for that, and the message
 * that it does not end, if it has held them for SHORTAGE_HELD_MS. When the reserve is in use
 * (is_urgent), the time does not matter, and all held input counts.
 */
static struct holding holding_of(const struct tcp *tcp, const struct client *client, bool is_urgent)
{
	const struct tcp_input *input = client->tcp.input;
	const uint32_t now_ms = client_ms(tcp->hub->now_ns);
	struct holding holding = { 0 };
	uint32_t held_ms;
	bool is_held;

	if (client->transport != ROLLCALL_TCP || client->state == CLIENT_CLOSING)
		return holding;
	held_ms = now_ms - client->active_ms;
	is_held = is_urgent ||
		  (client_has_any(client, CLIENT_UNACKED) && held_ms >= SHORTAGE_HELD_MS);
	if (is_held && client_has_any(client, CLIENT_UNACKED))
		add(&holding, round_to_blocks(client->tcp.queue.bytes), held_ms);
	if (is_held && input)
		add(&holding, round_to_blocks(input->backlog.bytes), held_ms);
	if (input && input->message_bytes > 0) {
		held_ms = now_ms - input->unfinished.begun_ms;
		if (held_ms >= SHORTAGE_HELD_MS || is_urgent)
			add(&holding, input->message_capacity, held_ms);
	}
	return holding;
}

/* The lowest class to end so that the bytes are freed: all above it hold less. */
static unsigned lowest_class(const struct tcp *tcp, const struct search *search)
{
	const struct table *table = &tcp->hub->table;
	size_t held[CLASSES] = { 0 }, sum = 0;
	unsigned class = CLASSES;

	for (const struct client *client = table_next(table, ROLLCALL_NONE); client;
	     client = table_next(table, client->id)) {
		const struct holding holding = holding_of(tcp, client, search->is_urgent);

		held[class_of(&holding)] += holding.bytes;
	}
	while (class > 0 && sum < search->bytes)
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

/* What a client holds that is of the class or above, or else 0. */
static size_t bytes_from(const struct tcp *tcp, const struct client *client,
			 const struct search *search)
{
	const struct holding holding = holding_of(tcp, client, search->is_urgent);

	return class_of(&holding) >= search->class ? holding.bytes : 0;
}

/* Ends clients of the class and above until the bytes are freed; counts down those left. */
static void end_from(struct tcp *tcp, struct search *search)
{
	const struct table *table = &tcp->hub->table;
	struct client *client = table_next(table, ROLLCALL_NONE);

	for (; client && search->bytes > 0; client = table_next(table, client->id)) {
		size_t held = bytes_from(tcp, client, search);

		/* It may have taken output since the last check. */
		if (held > 0 && client_has_any(client, CLIENT_UNACKED)) {
			delivery_check(&tcp->delivery, client);
			held = bytes_from(tcp, client, search);
		}
		if (held == 0)
			continue;
		end(tcp, client, held);
		search->bytes -= min_size(search->bytes, held);
	}
}

/* Ends those that hold most for longest until the bytes are freed; counts down those left. */
static void end_most(struct tcp *tcp, struct search *search)
{
	search->class = lowest_class(tcp, search);
	end_from(tcp, search);
}

/* What is to be freed until `parts` 32nds of the memory are free, with `bytes` more in use. */
static size_t excess(const struct hub *hub, size_t parts, size_t bytes)
{
	const size_t limit = (size_t)hub->memory.blocks.limit * QUEUE_BLOCK_BYTES;
	const size_t goal = limit - limit / 32 * parts, used = hub_memory_bytes(hub) + bytes;

	return used > goal ? used - goal : 0;
}

/* Whether looking was in vain a short time ago, and not much more is in use now. */
static bool is_too_early(const struct tcp *tcp)
{
	const struct queue_memory *memory = &tcp->hub->memory;

	return timer_is_set(&tcp->shortage_timer) &&
	       queue_memory_used(memory) < tcp->shortage_used + memory->blocks.limit / 32;
}

static void look_again_later(struct tcp *tcp)
{
	struct hub *hub = tcp->hub;

	tcp->shortage_used = queue_memory_used(&hub->memory);
	timers_set(&hub->timers, &tcp->shortage_timer,
		   hub->now_ns + SHORTAGE_RETRY_MS * (uint64_t)1000000);
}

/* Frees memory until it is not scarce any more, and a bit more, so that this is rare. */
static void free_memory(struct tcp *tcp)
{
	const struct hub *hub = tcp->hub;
	struct search search = { .bytes = excess(hub, SCARCE_PARTS + 1, 0) };

	if (is_too_early(tcp))
		return;
	if (!is_after_stall(hub))
		end_most(tcp, &search);
	if (search.bytes > 0 && !queue_memory_has(&hub->memory, 0, SIZE_MAX)) {
		search.is_urgent = true;
		search.bytes = excess(hub, RESERVE_PARTS + 1, 0);
		end_most(tcp, &search);
	}
	if (hub_is_memory_scarce(hub))
		look_again_later(tcp);
}

static bool make_space(struct tcp *tcp, const struct client *client, size_t bytes)
{
	const struct hub *hub = tcp->hub;
	struct search search = { .bytes = excess(hub, RESERVE_PARTS + 1, bytes),
				 .is_urgent = true };
	struct holding holding = holding_of(tcp, client, true);

	add(&holding, bytes, 0);
	if (tcp->full_turn == hub->turns && class_of(&holding) >= tcp->full_class)
		return false;
	search.class = lowest_class(tcp, &search);
	if (class_of(&holding) >= search.class) {
		tcp->full_turn = hub->turns;
		tcp->full_class = search.class;
		return false;
	}
	end_from(tcp, &search);
	return true;
}

/* ---- Places ---- */

bool shortage_can_make_place(const struct tcp *tcp)
{
	return !tcp->hub->draining && !timer_is_set(&tcp->place_timer) &&
	       !table_find(&tcp->hub->table, tcp->place_ending);
}

/* The activity of a client is recorded up to 1/16 of the idle timeout late (client/idle.h). */
static uint32_t silent_ms_min(const struct hub *hub)
{
	return (uint32_t)(hub->options.tcp_idle_timeout_ms / 16) + SHORTAGE_SILENT_MS;
}

/* The next client in the order of slots, after the last one the first. */
static struct client *next_client(struct tcp *tcp)
{
	struct client *client = table_next(&tcp->hub->table, tcp->place_looked_at);

	tcp->place_looked_at = client ? client->id : ROLLCALL_NONE;
	return client;
}

/*
 * Of the clients looked at, one of the source that holds most places, more than `fewest`: the one
 * that has been silent longest. NULL: none.
 */
static struct client *find_silent(struct tcp *tcp, uint32_t fewest)
{
	const struct hub *hub = tcp->hub;
	uint32_t most = fewest, longest_ms = silent_ms_min(hub), count = 0;
	/* And once the end of the table. */
	const size_t all =
		table_count(&hub->table, ROLLCALL_TCP) + table_count(&hub->table, ROLLCALL_UDP) + 1;
	struct client *found = NULL;
	uint64_t counted = 0;

	for (size_t i = min_size(SHORTAGE_PLACES, all); i > 0; i--) {
		struct client *client = next_client(tcp);
		uint32_t silent_ms;

		if (!client || client->transport != ROLLCALL_TCP ||
		    client->state == CLIENT_CLOSING || !receive_would_tell(client))
			continue;
		if (count == 0 || places_held_by(&tcp->places, client) != counted) {
			counted = places_held_by(&tcp->places, client);
			count = sources_count(&tcp->places.sources, counted);
		}
		silent_ms = client_ms(hub->now_ns) - client->active_ms;
		if (count < most || silent_ms < silent_ms_min(hub) ||
		    (count == most && silent_ms <= longest_ms))
			continue;
		most = count;
		longest_ms = silent_ms;
		found = client;
	}
	return most > fewest ? found : NULL;
}

void shortage_make_place(struct tcp *tcp, uint64_t source)
{
	struct hub *hub = tcp->hub;
	/* The one that gives way must hold more, even after the other has got its place. */
	const uint32_t fewest = sources_count(&tcp->places.sources, source) + 1;
	struct client *client = is_after_stall(hub) ? NULL : find_silent(tcp, fewest);

	if (!client) {
		timers_set(&hub->timers, &tcp->place_timer,
			   hub->now_ns + SHORTAGE_PLACES_MS * (uint64_t)1000000);
		return;
	}
	hub->stats.tcp_ended_place++;
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "client %llu ended: places are short, its source holds most, and it is silent",
		  (unsigned long long)client->id);
	tcp->place_ending = client->id;
	connection_abort(tcp, client, -ENOSPC, true);
}

/* ---- Both ---- */

int shortage_init(struct tcp *tcp)
{
	tcp->make_space = make_space;
	tcp->place_ending = tcp->place_looked_at = ROLLCALL_NONE;
	return timers_reserve(&tcp->hub->timers) || timers_reserve(&tcp->hub->timers) ? -ENOMEM : 0;
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
