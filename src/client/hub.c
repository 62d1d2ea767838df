/* SPDX-License-Identifier: MIT */
#include "client/hub.h"

#include <errno.h>

#include "base/memory.h"

/*
 * A TCP buffer takes what a client has sent since the last turn, up to 64 KiB: with 16 KiB, 50
 * clients that each send sixteen messages of 16 KiB at a time cost 1.2 times as much. The unused
 * part of a buffer costs address space only.
 */
#define TCP_BUFFER_BYTES 65536
#define TCP_BUFFERS_MAX 2048

/*
 * A UDP buffer takes the largest datagram, 65,527 bytes, or a GRO batch of the same size, and
 * before it the addresses and other control data of the kernel. Single small datagrams do not
 * suffer from it: buffers of 2,304 bytes measured the same, within 3%. Datagrams in GRO batches
 * cost 0.5 to 0.6 of what single ones cost.
 */
#define UDP_BUFFER_BYTES (65536 + 256)
#define UDP_BUFFERS 64
#define UDP_BUFFERS_MAX 2048

/* Operations that can be started in one turn, and completions of one turn. */
#define SQ_ENTRIES 4096
#define CQ_ENTRIES 16384

int hub_init(struct hub *hub)
{
	const struct rollcall_options *options = &hub->options;
	int error = table_init(&hub->table, options->tcp_clients_max + options->udp_clients_max);

	if (error)
		return error;
	hub->flush = memory_reserve(hub->table.capacity * sizeof(*hub->flush));
	if (!hub->flush) {
		error = -ENOMEM;
		goto destroy_table;
	}
	error = queue_memory_init(&hub->memory, options->memory_bytes_max);
	if (error)
		goto release_flush;
	hub->memory.pools[BUFFERS_TCP] = &hub->buffers[BUFFERS_TCP];
	hub->memory.pools[BUFFERS_UDP] = &hub->buffers[BUFFERS_UDP];
	return 0;

release_flush:
	memory_release(hub->flush, hub->table.capacity * sizeof(*hub->flush));
destroy_table:
	table_destroy(&hub->table);
	return error;
}

void hub_destroy(struct hub *hub)
{
	queue_memory_destroy(&hub->memory);
	timers_destroy(&hub->timeouts);
	timers_destroy(&hub->timers);
	memory_release(hub->flush, hub->table.capacity * sizeof(*hub->flush));
	table_destroy(&hub->table);
}

/*
 * The most buffers of a pool: as many as fit into half of the queues' memory, so that a small
 * limit is small in all, but as many as a server starts with.
 */
static uint32_t buffers_max(const struct hub *hub, uint32_t count, size_t buffer_bytes)
{
	while (count > HUB_TCP_BUFFERS && count * buffer_bytes > hub->options.memory_bytes_max / 2)
		count /= 2;
	return count;
}

static enum ring_engine engine_of(const struct rollcall_options *options)
{
	return options->engine == ROLLCALL_ENGINE_EPOLL ? RING_EPOLL : RING_IO_URING;
}

int hub_open_ring(struct hub *hub, unsigned halvings)
{
	const uint32_t tcp_max = buffers_max(hub, TCP_BUFFERS_MAX >> halvings, TCP_BUFFER_BYTES);
	const uint32_t udp_max = buffers_max(hub, UDP_BUFFERS_MAX >> halvings, UDP_BUFFER_BYTES);
	int error = ring_create(&hub->ring, engine_of(&hub->options), SQ_ENTRIES >> halvings,
				CQ_ENTRIES >> halvings, hub->options.spin_us * 1000);

	if (error)
		return error;
	error = buffers_init(&hub->buffers[BUFFERS_TCP], hub->ring, BUFFERS_TCP, TCP_BUFFER_BYTES,
			     (uint32_t)min_size(HUB_TCP_BUFFERS, tcp_max), tcp_max);
	if (error)
		goto destroy_ring;
	error = buffers_init(&hub->buffers[BUFFERS_UDP], hub->ring, BUFFERS_UDP, UDP_BUFFER_BYTES,
			     (uint32_t)min_size(UDP_BUFFERS, udp_max), udp_max);
	if (!error)
		return 0;
	buffers_destroy(&hub->buffers[BUFFERS_TCP]);
destroy_ring:
	ring_destroy(hub->ring);
	return error;
}

bool hub_has_buffer_space(void)
{
	const size_t bytes = (size_t)TCP_BUFFER_BYTES * TCP_BUFFERS_MAX +
			     (size_t)UDP_BUFFER_BYTES * UDP_BUFFERS_MAX;
	void *memory = memory_reserve(bytes);

	memory_release(memory, bytes);
	return memory != NULL;
}

void hub_close_ring(struct hub *hub)
{
	buffers_destroy(&hub->buffers[BUFFERS_UDP]);
	buffers_destroy(&hub->buffers[BUFFERS_TCP]);
	ring_destroy(hub->ring);
}

void hub_mark(struct hub *hub, struct client *client)
{
	const uint32_t mask = hub->table.capacity - 1;

	client_set(client, CLIENT_TO_FLUSH);
	hub->flush[(hub->flush_head + hub->flush_count++) & mask] = table_slot(&hub->table, client);
}

struct client *hub_flush_next(struct hub *hub)
{
	struct client *client;

	if (hub->flush_count == 0)
		return NULL;
	client = &hub->table.slots[hub->flush[hub->flush_head]];
	hub->flush_head = (hub->flush_head + 1) & (hub->table.capacity - 1);
	/* Restarting at 0 keeps to pages already in use. */
	if (--hub->flush_count == 0)
		hub->flush_head = 0;
	client->flags &= (uint16_t)~CLIENT_TO_FLUSH;
	return client;
}

size_t hub_memory_bytes(const struct hub *hub)
{
	return queue_memory_bytes(&hub->memory);
}

bool hub_is_short(const struct hub *hub)
{
	const uint32_t places = hub->options.tcp_clients_max;

	return table_count(&hub->table, ROLLCALL_TCP) >= places - places / 8 ||
	       hub_is_memory_scarce(hub);
}

uint64_t hub_timeout_ms(const struct hub *hub, uint64_t timeout_ms)
{
	return hub_is_short(hub) ? min_u64(timeout_ms, HUB_SHORT_TIMEOUT_MS) : timeout_ms;
}

void hub_connected(struct hub *hub, struct client *client)
{
	const struct origin *origin = client->origin;

	log_write(&hub->log, ROLLCALL_LOG_DEBUG, "client %llu connected: %s",
		  (unsigned long long)client->id,
		  client->transport == ROLLCALL_TCP ? "tcp" : "udp");
	if (origin->service.connected)
		origin->service.connected(hub->server, client->id, origin->context);
}

void hub_received_unlisted(struct hub *hub, const struct origin *origin, const void *data,
			   size_t bytes)
{
	hub->stats.messages_received++;
	hub->stats.bytes_received += bytes;
	if (origin->service.received)
		origin->service.received(hub->server, ROLLCALL_NONE, data, bytes, origin->context);
}

void hub_oversized(struct hub *hub, struct client *client)
{
	const struct origin *origin = client->origin;

	if (origin->service.oversized)
		origin->service.oversized(hub->server, client->id,
					  origin->service.message_bytes_max, origin->context);
}

void hub_drained(struct hub *hub, struct client *client)
{
	const struct origin *origin = client->origin;

	if (origin->service.drained)
		origin->service.drained(hub->server, client->id, origin->context);
}

void hub_disconnected(struct hub *hub, struct client *client)
{
	const struct origin *origin = client->origin;

	if (origin->service.disconnected)
		origin->service.disconnected(hub->server, client->id, client->reason,
					     origin->context);
	log_write(&hub->log, ROLLCALL_LOG_DEBUG, "client %llu disconnected: %s",
		  (unsigned long long)client->id, rollcall_reason_text(client->reason));
	table_remove(&hub->table, client);
}
