/* SPDX-License-Identifier: MIT */
/*
 * sim_peer.c - peer.h on the simulated network, where no fault happens by chance.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/peer.h"
#include "lib/sim_kernel.h"

#define PEERS_MAX 256
#define DESCRIPTORS_MAX 1000

/* What a peer's number stands for. */
static struct end {
	bool open;
	struct sim_connection *connection; /* or a pipe; NULL: datagrams */
	struct address own, to;
	struct sim_datagram *arrived; /* oldest first */
} ends[PEERS_MAX];

static struct sim *sim;

const bool peers_are_simulated = true;

/* Peers act between the turns only. */
static uint64_t no_clients(void *context)
{
	(void)context;
	return SIM_NEVER;
}

/* Like a connected socket, a peer receives from its other end only. */
static void arrive(void *context, const struct address *from, const struct address *to,
		   const void *data, size_t bytes)
{
	(void)context;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct sim_datagram *datagram, **last = &ends[i].arrived;

		if (!ends[i].open || ends[i].connection || !address_equal(&ends[i].own, to) ||
		    !address_equal(&ends[i].to, from))
			continue;
		datagram = calloc(1, sizeof(*datagram) + bytes);
		CHECK(datagram);
		datagram->bytes = bytes;
		memcpy(datagram->data, data, bytes);
		while (*last)
			last = &(*last)->next;
		*last = datagram;
		return;
	}
}

void peers_begin(void)
{
	const struct sim_settings settings = {
		.seed = 1,
		.sq_entries_max = 32768,
		.cq_entries_max = 65536,
		.descriptors_max = DESCRIPTORS_MAX,
		.socket_bytes = 262144,
		.tolerant = true,
	};

	sim = sim_begin(&settings, no_clients, NULL);
	sim_on_datagram(sim, arrive);
}

void peers_end(void)
{
	sim_end(sim);
}

void peers_take_descriptors(bool all)
{
	sim->settings.descriptors_max = all ? 0 : DESCRIPTORS_MAX;
}

static struct end *open_end(struct peer *peer)
{
	for (int i = 0; i < PEERS_MAX; i++)
		if (!ends[i].open) {
			ends[i] = (struct end){ .open = true };
			peer->fd = i;
			return &ends[i];
		}
	sim_fail(sim, "more than %d peers", PEERS_MAX);
}

int peer_connect(struct peer *peer, const struct address *to)
{
	struct sim_connection *connection = sim_connect(sim, to);
	struct end *end;

	peer->fd = -1;
	if (!connection)
		return -ECONNREFUSED;
	end = open_end(peer);
	end->connection = connection;
	end->own = connection->peer;
	return 0;
}

int peer_open_udp(struct peer *peer, const struct address *from, const struct address *to)
{
	struct end *end = open_end(peer);

	end->to = *to;
	end->own = from ? *from : sim_loopback(to->any.sa_family, sim_next_port(sim));
	return 0;
}

int peer_open_pipe(struct peer *peer, bool writes)
{
	struct sim_connection *connection;
	int fd = sim_open_pipe(sim, &connection);

	(void)writes;
	peer->fd = -1;
	if (fd >= 0)
		open_end(peer)->connection = connection;
	return fd;
}

int peer_address(const struct peer *peer, struct address *address)
{
	*address = ends[peer->fd].own;
	return 0;
}

ssize_t peer_send(struct peer *peer, const void *data, size_t bytes)
{
	struct end *end = &ends[peer->fd];
	int sent;

	if (!end->connection) {
		sim_send_datagram(sim, &end->own, &end->to, data, bytes);
		return (ssize_t)bytes;
	}
	sent = sim_write(end->connection, data, bytes);
	return sent == 0 && bytes > 0 ? -EAGAIN : sent;
}

ssize_t peer_send_segments(struct peer *peer, const void *data, size_t bytes, size_t segment_bytes)
{
	const struct end *end = &ends[peer->fd];

	sim_send_segments(sim, &end->own, &end->to, data, bytes, segment_bytes);
	return (ssize_t)bytes;
}

static ssize_t receive_datagram(struct end *end, void *to, size_t bytes)
{
	struct sim_datagram *first = end->arrived;

	if (!first)
		return -EAGAIN;
	bytes = min_size(bytes, first->bytes);
	memcpy(to, first->data, bytes);
	end->arrived = first->next;
	free(first);
	return (ssize_t)bytes;
}

ssize_t peer_receive(struct peer *peer, void *to, size_t bytes)
{
	struct end *end = &ends[peer->fd];

	return end->connection ? sim_read(end->connection, to, bytes)
			       : receive_datagram(end, to, bytes);
}

void peer_shutdown(struct peer *peer)
{
	sim_shutdown(ends[peer->fd].connection);
}

void peer_reset(struct peer *peer)
{
	sim_reset(ends[peer->fd].connection);
	peer_close(peer);
}

void peer_close(struct peer *peer)
{
	struct end *end;
	uint8_t byte;

	if (peer->fd < 0)
		return;
	end = &ends[peer->fd];
	while (end->arrived)
		receive_datagram(end, &byte, 1);
	/* With unread bytes close(2) resets a connection; else it ends with FIN. */
	if (end->connection) {
		if (end->connection->out.count == 0)
			sim_shutdown(end->connection);
		sim_release(end->connection);
	}
	end->open = false;
	peer->fd = -1;
}
