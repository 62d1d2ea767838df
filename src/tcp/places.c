/* SPDX-License-Identifier: MIT */
#include "tcp/places.h"

#include <errno.h>

#include "base/memory.h"

static size_t held_by_bytes(const struct places *places)
{
	return (size_t)places->hub->table.capacity * sizeof(*places->held_by);
}

int places_init(struct places *places, struct hub *hub)
{
	uint8_t secret[SIPHASH_KEY_BYTES];
	int error;

	*places = (struct places){ .hub = hub };
	ring_random(hub->ring, secret, sizeof(secret));
	error = sources_init(&places->sources, hub->options.tcp_clients_max, secret);
	if (error)
		return error;
	places->held_by = memory_reserve(held_by_bytes(places));
	if (places->held_by)
		return 0;
	sources_destroy(&places->sources);
	return -ENOMEM;
}

void places_destroy(struct places *places)
{
	memory_release(places->held_by, held_by_bytes(places));
	sources_destroy(&places->sources);
}

uint64_t places_bytes(const struct places *places)
{
	return sources_bytes(&places->sources) + held_by_bytes(places);
}

uint64_t places_source(const struct places *places, int fd)
{
	struct address address = { 0 };

	if (socket_peer_address(places->hub->ring, fd, &address))
		return PLACES_NO_SOURCE;
	return sources_prefix(&address);
}

bool places_allow(const struct places *places, uint64_t source)
{
	const uint32_t most = places->hub->options.tcp_clients_per_source_max;

	return most == 0 || sources_count(&places->sources, source) < most;
}

void places_take(struct places *places, const struct client *client, uint64_t source)
{
	places->held_by[table_slot(&places->hub->table, client)] = source;
	sources_add(&places->sources, source);
}

void places_leave(struct places *places, const struct client *client)
{
	sources_remove(&places->sources, places_held_by(places, client));
}
