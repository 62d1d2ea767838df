/* SPDX-License-Identifier: MIT */
/*
 * sim_net.c - descriptors and connections of the simulated kernel: the server's side and the
 * client's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* Ephemeral ports. */
#define FIRST_FREE_PORT 40000
#define FREE_PORTS 20000

/* Capacity of a pipe (pipe(7)). */
#define PIPE_BYTES 65536

/* ---- Descriptors ---- */

struct sim_file *sim_file(struct sim *sim, int fd)
{
	if (fd < 0 || fd >= SIM_FILES_MAX || sim->files[fd].kind == SIM_FREE)
		sim_fail(sim, "descriptor %d is used, but not open", fd);
	return &sim->files[fd];
}

int sim_open(struct sim *sim, enum sim_file_kind kind)
{
	if (sim->files_open >= sim->settings.descriptors_max)
		return -EMFILE;
	/* The lowest one, so that numbers are reused at once. */
	for (int fd = 3; fd < SIM_FILES_MAX; fd++) {
		if (sim->files[fd].kind != SIM_FREE)
			continue;
		sim->files[fd] = (struct sim_file){ .kind = kind };
		sim->files_open++;
		return fd;
	}
	return -EMFILE;
}

/* ---- Connections ---- */

static struct sim_connection *new_connection(struct sim *sim, size_t capacity)
{
	struct sim_connection *connection = calloc(1, sizeof(*connection));

	CHECK(connection);
	connection->sim = sim;
	connection->in = (struct sim_bytes){ .bytes = malloc(capacity), .capacity = capacity };
	connection->out = (struct sim_bytes){ .bytes = malloc(capacity), .capacity = capacity };
	CHECK(connection->in.bytes && connection->out.bytes);
	return connection;
}

static size_t bytes_write(struct sim_bytes *to, const uint8_t *from, size_t bytes)
{
	const size_t at = (to->head + to->count) % to->capacity;
	size_t first;

	bytes = min_size(bytes, to->capacity - to->count);
	first = min_size(bytes, to->capacity - at);
	memcpy(to->bytes + at, from, first);
	memcpy(to->bytes, from + first, bytes - first);
	to->count += bytes;
	return bytes;
}

static size_t bytes_read(struct sim_bytes *from, uint8_t *to, size_t bytes)
{
	size_t first;

	bytes = min_size(bytes, from->count);
	first = min_size(bytes, from->capacity - from->head);
	memcpy(to, from->bytes + from->head, first);
	memcpy(to + first, from->bytes, bytes - first);
	from->head = (from->head + bytes) % from->capacity;
	from->count -= bytes;
	return bytes;
}

static void free_if_done(struct sim_connection *connection)
{
	if (!connection->client_gone || !connection->server_gone)
		return;
	free(connection->in.bytes);
	free(connection->out.bytes);
	free(connection);
}

static void mark_broken(struct sim_connection *connection)
{
	if (!connection->broken)
		connection->broken_ns = connection->sim->now_ns;
	connection->broken = true;
}

void sim_break(struct sim_connection *connection)
{
	struct sim *sim = connection->sim;
	/* Of the bytes in flight to the client, the last part is lost. */
	size_t kept =
		connection->out.count ? sim_random(sim, (uint32_t)connection->out.count + 1) : 0;

	mark_broken(connection);
	connection->out.count = kept;
	sim->progress = true;
}

void sim_excuse(struct sim_connection *connection, uint64_t until_ns)
{
	if (connection->late_until_ns < until_ns)
		connection->late_until_ns = until_ns;
}

int sim_stream_receive(struct sim_connection *connection, void *to, size_t bytes)
{
	if (connection->in.count > 0) {
		bytes = bytes_read(&connection->in, to, bytes);
		sim_spend_bytes(connection->sim, bytes);
		return (int)bytes;
	}
	if (connection->broken) {
		connection->reset_reported = true;
		return -ECONNRESET;
	}
	return connection->client_ended ? 0 : -EAGAIN;
}

bool sim_stream_is_full(const struct sim_connection *connection)
{
	return !connection->broken && !connection->server_ended &&
	       connection->out.count == connection->out.capacity;
}

int sim_stream_send(struct sim_connection *connection, const struct iovec *pieces, size_t count,
		    size_t bytes)
{
	size_t sent = 0;

	if (connection->is_pipe && connection->client_gone)
		return -EPIPE;
	if (connection->broken) {
		int error = connection->reset_reported ? -EPIPE : -ECONNRESET;

		connection->reset_reported = true;
		return error;
	}
	if (connection->server_ended)
		return -EPIPE;
	if (connection->out.count == connection->out.capacity)
		return -EAGAIN;
	for (size_t i = 0; i < count && bytes > 0; i++) {
		size_t part = min_size(bytes, pieces[i].iov_len);
		size_t written = bytes_write(&connection->out, pieces[i].iov_base, part);

		sent += written;
		bytes -= written;
		if (written < part)
			break;
	}
	connection->sent += (uint32_t)sent;
	sim_spend_bytes(connection->sim, sent);
	/* A closed peer answers with a reset. */
	if (connection->client_gone)
		mark_broken(connection);
	return (int)sent;
}

int sim_stream_delivery(struct sim_connection *connection, struct socket_delivery *delivery)
{
	const uint32_t left = (uint32_t)connection->out.count;

	if (connection->broken) {
		connection->reset_reported = true;
		return -ECONNRESET;
	}
	delivery->is_pending = left > 0 || ((connection->sent > 0 || connection->server_ended) &&
					    sim_chance(connection->sim, SIM_ACK_LATE));
	delivery->acked = connection->sent - left;
	return 0;
}

static void close_stream(struct sim_connection *connection)
{
	connection->server_gone = true;
	/* close(2) with unread data, or with SO_LINGER 0, resets (RFC 2525, section 2.17). */
	if (connection->in.count > 0 || connection->reset_on_close)
		sim_break(connection);
	else
		connection->server_ended = true;
	free_if_done(connection);
}

void sim_abort(struct sim_connection *connection)
{
	connection->broken_by_fault = true;
	sim_break(connection);
	connection->server_gone = true;
	free_if_done(connection);
}

bool sim_lacks_shutdown(const struct sim_file *file)
{
	const struct sim_connection *connection = file->connection;

	return file->kind == SIM_STREAM && !connection->broken && !connection->reset_on_close &&
	       ((!connection->client_ended && !connection->server_ended) ||
		connection->out.count > 0);
}

void sim_close_file(struct sim *sim, int fd)
{
	struct sim_file *file = sim_file(sim, fd);

	if (file->kind == SIM_STREAM || file->kind == SIM_PIPE)
		close_stream(file->connection);
	while (file->kind == SIM_LISTENER && file->connection) {
		struct sim_connection *first = file->connection;

		file->connection = first->next;
		first->reset_on_close = true;
		close_stream(first);
	}
	while (file->datagrams) {
		struct sim_datagram *first = file->datagrams;

		file->datagrams = first->next;
		free(first);
	}
	file->kind = SIM_FREE;
	sim->files_open--;
}

int sim_open_pipe(struct sim *sim, struct sim_connection **client)
{
	int fd = sim_open(sim, SIM_PIPE);

	if (fd < 0)
		return fd;
	*client = new_connection(sim, PIPE_BYTES);
	(*client)->is_pipe = true;
	sim->files[fd].connection = *client;
	return fd;
}

bool sim_is_bound_to(const struct sim_file *file, const struct address *to)
{
	return address_port(&file->address) == address_port(to) &&
	       file->address.any.sa_family == to->any.sa_family &&
	       (address_is_wildcard(&file->address) || address_same_host(&file->address, to));
}

struct address sim_loopback(sa_family_t family, uint16_t port)
{
	struct address address = { .any.sa_family = family, .bytes = sizeof(address.v4) };

	if (family == AF_INET) {
		address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		address.v6.sin6_addr = in6addr_loopback;
		address.bytes = sizeof(address.v6);
	}
	address_set_port(&address, port);
	return address;
}

uint16_t sim_next_port(struct sim *sim)
{
	return (uint16_t)(FIRST_FREE_PORT + sim->port_next++ % FREE_PORTS);
}

struct sim_connection *sim_connect(struct sim *sim, const struct address *to)
{
	return sim_connect_from(sim, INADDR_LOOPBACK, to);
}

struct sim_connection *sim_connect_from(struct sim *sim, uint32_t host, const struct address *to)
{
	struct sim_connection *connection, **last;
	unsigned waiting = 0;

	for (int fd = 0; fd < SIM_FILES_MAX; fd++) {
		struct sim_file *file = &sim->files[fd];

		if (file->kind != SIM_LISTENER || !sim_is_bound_to(file, to))
			continue;
		for (last = &file->connection; *last; last = &(*last)->next)
			waiting++;
		if (waiting >= SOCKET_BACKLOG)
			return NULL;
		connection = new_connection(sim, sim->settings.socket_bytes);
		connection->local = *to;
		connection->peer = sim_loopback(to->any.sa_family, sim_next_port(sim));
		if (to->any.sa_family == AF_INET)
			connection->peer.v4.sin_addr.s_addr = htonl(host);
		*last = connection;
		sim_trace_connection(connection, "connects");
		return connection;
	}
	return NULL;
}

void sim_client_address(const struct sim_connection *connection, struct address *address)
{
	*address = connection->peer;
}

int sim_write(struct sim_connection *connection, const void *data, size_t bytes)
{
	int written;

	if (connection->broken || connection->client_ended)
		return -EPIPE;
	/* Data for a closed socket is answered with a reset. */
	if (connection->server_gone) {
		mark_broken(connection);
		return -EPIPE;
	}
	written = (int)bytes_write(&connection->in, data, bytes);
	if (written > 0)
		sim_trace_connection(connection, "writes %d bytes", written);
	return written;
}

int sim_read(struct sim_connection *connection, void *data, size_t bytes)
{
	if (connection->out.count > 0) {
		bytes = bytes_read(&connection->out, data, bytes);
		sim_trace_connection(connection, "reads %zu bytes", bytes);
		return (int)bytes;
	}
	if (connection->broken)
		return -ECONNRESET;
	return connection->server_ended ? 0 : -EAGAIN;
}

void sim_shutdown(struct sim_connection *connection)
{
	sim_trace_connection(connection, "half-closes");
	connection->client_ended = true;
}

void sim_reset(struct sim_connection *connection)
{
	sim_trace_connection(connection, "resets the connection");
	mark_broken(connection);
	connection->out.count = 0;
}

bool sim_is_over(const struct sim_connection *connection)
{
	return connection->broken || connection->server_gone;
}

bool sim_is_accepted(const struct sim_connection *connection)
{
	return connection->accepted;
}

bool sim_was_broken(const struct sim_connection *connection)
{
	return connection->broken_by_fault;
}

void sim_release(struct sim_connection *connection)
{
	sim_trace_connection(connection, "closes");
	connection->client_gone = true;
	if (connection->out.count > 0 || !connection->client_ended)
		mark_broken(connection);
	free_if_done(connection);
}
