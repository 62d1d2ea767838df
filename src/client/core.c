/* SPDX-License-Identifier: MIT */
#include "client/core.h"

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

int core_init(struct core *core)
{
	const struct rollcall_options *options = &core->options;
	int error = table_init(&core->table, options->tcp_clients_max + options->udp_clients_max);

	if (error)
		return error;
	core->flush = memory_reserve(core->table.capacity * sizeof(*core->flush));
	if (!core->flush) {
		error = -ENOMEM;
		goto destroy_table;
	}
	error = queue_memory_init(&core->memory, options->memory_bytes_max);
	if (error)
		goto release_flush;
	core->memory.pools[BUFFERS_TCP] = &core->buffers[BUFFERS_TCP];
	core->memory.pools[BUFFERS_UDP] = &core->buffers[BUFFERS_UDP];
	return 0;

release_flush:
	memory_release(core->flush, core->table.capacity * sizeof(*core->flush));
destroy_table:
	table_destroy(&core->table);
	return error;
}

void core_destroy(struct core *core)
{
	queue_memory_destroy(&core->memory);
	timers_destroy(&core->timers);
	memory_release(core->flush, core->table.capacity * sizeof(*core->flush));
	table_destroy(&core->table);
}

int core_open_ring(struct core *core, unsigned halvings)
{
	const uint32_t tcp_max = TCP_BUFFERS_MAX >> halvings, udp_max = UDP_BUFFERS_MAX >> halvings;
	int error = ring_create(&core->ring, SQ_ENTRIES >> halvings, CQ_ENTRIES >> halvings,
				core->options.spin_us * 1000);

	if (error)
		return error;
	error = buffers_init(&core->buffers[BUFFERS_TCP], core->ring, BUFFERS_TCP, TCP_BUFFER_BYTES,
			     (uint32_t)min_size(CORE_TCP_BUFFERS, tcp_max), tcp_max);
	if (error)
		goto destroy_ring;
	error = buffers_init(&core->buffers[BUFFERS_UDP], core->ring, BUFFERS_UDP, UDP_BUFFER_BYTES,
			     (uint32_t)min_size(UDP_BUFFERS, udp_max), udp_max);
	if (!error)
		return 0;
	buffers_destroy(&core->buffers[BUFFERS_TCP]);
destroy_ring:
	ring_destroy(core->ring);
	return error;
}

bool core_has_buffer_space(void)
{
	const size_t bytes = (size_t)TCP_BUFFER_BYTES * TCP_BUFFERS_MAX +
			     (size_t)UDP_BUFFER_BYTES * UDP_BUFFERS_MAX;
	void *memory = memory_reserve(bytes);

	memory_release(memory, bytes);
	return memory != NULL;
}

void core_close_ring(struct core *core)
{
	buffers_destroy(&core->buffers[BUFFERS_UDP]);
	buffers_destroy(&core->buffers[BUFFERS_TCP]);
	ring_destroy(core->ring);
}

void core_flush_later(struct core *core, struct client *client)
{
	const uint32_t mask = core->table.capacity - 1;

	if (client->flags & CLIENT_TO_FLUSH)
		return;
	client->flags |= CLIENT_TO_FLUSH;
	core->flush[(core->flush_head + core->flush_count++) & mask] =
		table_slot(&core->table, client);
}

struct client *core_flush_next(struct core *core)
{
	struct client *client;

	if (core->flush_count == 0)
		return NULL;
	client = &core->table.slots[core->flush[core->flush_head]];
	core->flush_head = (core->flush_head + 1) & (core->table.capacity - 1);
	/* Restarting at 0 keeps to pages already in use. */
	if (--core->flush_count == 0)
		core->flush_head = 0;
	client->flags &= (uint16_t)~CLIENT_TO_FLUSH;
	return client;
}

size_t core_memory_bytes(const struct core *core)
{
	return (size_t)core->memory.blocks.used * QUEUE_BLOCK_BYTES + core->input_bytes;
}

bool core_is_memory_scarce(const struct core *core)
{
	const struct slab *blocks = &core->memory.blocks;

	return blocks->used > blocks->limit - blocks->limit / 4;
}

void core_connected(struct core *core, struct client *client)
{
	const struct source *source = client->source;

	log_write(&core->log, ROLLCALL_LOG_DEBUG, "client %llu connected: %s",
		  (unsigned long long)client->id,
		  client->transport == ROLLCALL_TCP ? "tcp" : "udp");
	if (source->service->connected)
		source->service->connected(core->server, client->id, source->context);
}

void core_received(struct core *core, struct client *client, const void *data, size_t bytes)
{
	const struct source *source = client->source;

	client->messages_received++;
	client->bytes_received += bytes;
	core->stats.messages_received++;
	core->stats.bytes_received += bytes;
	if (source->service->received)
		source->service->received(core->server, client->id, data, bytes, source->context);
}

void core_received_unlisted(struct core *core, const struct source *source, const void *data,
			    size_t bytes)
{
	core->stats.messages_received++;
	core->stats.bytes_received += bytes;
	if (source->service->received)
		source->service->received(core->server, ROLLCALL_NONE, data, bytes,
					  source->context);
}

void core_oversized(struct core *core, struct client *client)
{
	const struct source *source = client->source;

	if (source->service->oversized)
		source->service->oversized(core->server, client->id, source->message_bytes_max,
					   source->context);
}

void core_drained(struct core *core, struct client *client)
{
	const struct source *source = client->source;

	if (source->service->drained)
		source->service->drained(core->server, client->id, source->context);
}

void core_disconnected(struct core *core, struct client *client)
{
	const struct source *source = client->source;

	if (source->service->disconnected)
		source->service->disconnected(core->server, client->id, client->reason,
					      source->context);
	log_write(&core->log, ROLLCALL_LOG_DEBUG, "client %llu disconnected: %s",
		  (unsigned long long)client->id, rollcall_reason_text(client->reason));
	if (client->transport == ROLLCALL_TCP)
		core->stats.tcp_clients_now--;
	else
		core->stats.udp_clients_now--;
	table_remove(&core->table, client);
}

void core_count_sent(struct core *core, struct client *client, size_t bytes)
{
	if (client) {
		client->messages_sent++;
		client->bytes_sent += bytes;
	}
	core->stats.messages_sent++;
	core->stats.bytes_sent += bytes;
}
