/* SPDX-License-Identifier: MIT */
/*
 * memory_max.c - the most memory that a server can come to use, from what it has reserved.
 */
#include <errno.h>

#include "base/sized.h"
#include "server/server.h"
#include "tcp/input.h"

/* Size of the struct in version 0.2.0. */
#define MEMORY_BYTES_MIN SIZED_THROUGH(struct rollcall_memory, udp_socket)

/* The program's code, libraries, stack, and small allocations. */
#define PROCESS_BYTES ((uint64_t)6 << 20)

/* A UDP socket takes one datagram, or GRO batch, more than SO_RCVBUF allows (Linux). */
#define UDP_EXCESS_BYTES ((uint64_t)128 << 10)

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
static uint64_t buffer_bytes(uint64_t receive, uint64_t send)
{
	return 2 * (receive + send);
}

static uint64_t socket_bytes(const struct rollcall_options *options)
{
	const uint64_t receive = options->tcp_receive_buffer_bytes,
		       send = options->tcp_send_buffer_bytes;

	if (receive == 0 || send == 0)
		return UINT64_MAX;
	return options->tcp_clients_max * (buffer_bytes(receive, send) + ROLLCALL_TCP_SOCKET_BYTES);
}

static uint64_t udp_socket_bytes(struct ring *ring, int fd)
{
	struct socket_buffers granted;

	socket_buffer_sizes(ring, fd, &granted);
	return buffer_bytes(granted.receive_bytes, granted.send_bytes) + UDP_EXCESS_BYTES;
}

/* Of a socket that is opened for that. If there cannot be one, there is no other either. */
static uint64_t new_udp_socket_bytes(struct hub *hub)
{
	const struct socket_buffers asked = { hub->options.udp_receive_buffer_bytes,
					      hub->options.udp_send_buffer_bytes };
	const struct address any = { .v4.sin_family = AF_INET, .bytes = sizeof(any.v4) };
	int fd = socket_bind_udp(hub->ring, &any, &asked);
	uint64_t bytes;

	if (fd < 0)
		return 0;
	bytes = udp_socket_bytes(hub->ring, fd);
	socket_close(hub->ring, fd);
	return bytes;
}

static uint64_t largest_udp_socket_bytes(struct rollcall_server *server)
{
	const struct udp *udp = &server->udp;
	uint64_t largest = 0;

	if (udp->endpoint_count == 0)
		return new_udp_socket_bytes(&server->hub);
	for (unsigned i = 0; i < udp->endpoint_count; i++) {
		uint64_t bytes = udp_socket_bytes(server->hub.ring, udp->endpoints[i]->fd);

		if (bytes > largest)
			largest = bytes;
	}
	return largest;
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
		.udp_socket = largest_udp_socket_bytes(server),
	};
	most.process = most.clients + most.queues + most.buffers + most.fixed;
	return sized_write(memory, memory->size, &most, sizeof(most), MEMORY_BYTES_MIN);
}
