/* SPDX-License-Identifier: MIT */
/*
 * memory_max.c - the most memory that a server can come to use, from what it has reserved.
 */
#include <errno.h>

#include "base/sized.h"
#include "server/server.h"
#include "tcp/input.h"

/* Size of the struct in version 0.2.0. */
#define MEMORY_BYTES_MIN SIZED_THROUGH(struct rollcall_memory, sockets)

/* The program's code, libraries, stack, and small allocations. */
#define PROCESS_BYTES ((uint64_t)6 << 20)

/* What the kernel keeps of a connection besides its buffers: socket, file, operations in flight. */
#define CONNECTION_BYTES 6144

/* What malloc(3) adds to an allocation at most, with the gaps between them. */
#define MALLOC_BYTES 32

static uint64_t client_bytes(const struct rollcall_server *server)
{
	const struct table *table = &server->hub.table;
	const struct sessions *sessions = &server->udp.sessions;
	const uint64_t input_bytes = sizeof(struct tcp_input) + MALLOC_BYTES;

	return (uint64_t)table->capacity * sizeof(*table->slots) + table->taken.bytes +
	       (uint64_t)table->capacity * sizeof(*server->hub.flush) +
	       places_bytes(&server->tcp.places) + sources_bytes(&sessions->sources) +
	       peers_bytes(&sessions->peers) + slab_bytes(&sessions->streams) +
	       server->hub.options.tcp_clients_max * input_bytes;
}

/* Unfinished messages have the memory of blocks that are not in use. */
static uint64_t queue_bytes(const struct queue_memory *memory)
{
	return slab_bytes(&memory->blocks) + slab_bytes(&memory->leases);
}

static uint64_t fixed_bytes(const struct rollcall_server *server)
{
	const struct udp *udp = &server->udp;
	uint64_t bytes = PROCESS_BYTES + slab_bytes(&server->tcp.gathers) +
			 slab_bytes(&udp->datagrams.slots) + HUB_RING_BYTES;

	if (server->hub.options.udp_rate)
		bytes += rate_bytes(&udp->rate) + rate_bytes(&udp->site_rate);
	return udp->limits_repeats ? bytes + rate_bytes(&udp->repeats) : bytes;
}

/* Linux doubles SO_RCVBUF and SO_SNDBUF, for its own structures (socket(7)). */
static uint64_t socket_bytes(const struct rollcall_options *options)
{
	const uint64_t receive = options->tcp_receive_buffer_bytes,
		       send = options->tcp_send_buffer_bytes;

	if (receive == 0 || send == 0)
		return UINT64_MAX;
	return options->tcp_clients_max * (2 * (receive + send) + CONNECTION_BYTES);
}

int rollcall_memory_max(struct rollcall_server *server, struct rollcall_memory *memory)
{
	struct rollcall_memory most;

	if (!server_is_callers(server))
		return -EPERM;
	most = (struct rollcall_memory){
		.size = min_size(memory->size, sizeof(most)),
		.clients = client_bytes(server),
		.queues = queue_bytes(&server->hub.memory),
		.buffers = buffers_bytes(&server->hub.buffers[BUFFERS_TCP]) +
			   buffers_bytes(&server->hub.buffers[BUFFERS_UDP]),
		.fixed = fixed_bytes(server),
		.sockets = socket_bytes(&server->hub.options),
	};
	return sized_write(memory, memory->size, &most, sizeof(most), MEMORY_BYTES_MIN);
}
