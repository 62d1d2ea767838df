/* SPDX-License-Identifier: MIT */
/*
 * sim_socket.c - the system calls of socket.h on the simulated network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

static bool parse_host(const char *host, uint16_t port, struct address *address)
{
	*address = (struct address){ 0 };
	if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->any.sa_family = AF_INET;
		address->bytes = sizeof(address->v4);
	} else if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->any.sa_family = AF_INET6;
		address->bytes = sizeof(address->v6);
	} else {
		return false;
	}
	address_set_port(address, port);
	return true;
}

int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max)
{
	static const struct {
		const char *name, *hosts[2];
	} names[] = { { "localhost", { "127.0.0.1", "::1" } }, { "*", { "0.0.0.0", "::" } } };
	unsigned count = 0;

	(void)ring;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		while (strcmp(host, names[i].name) == 0 && count < min_size(max, 2)) {
			CHECK(parse_host(names[i].hosts[count], port, &addresses[count]));
			count++;
		}
	if (count > 0)
		return (int)count;
	return parse_host(host, port, addresses) ? 1 : -ENOENT;
}

/* Whether both cannot be bound at the same time. */
static bool is_conflict(const struct sim_file *file, const struct address *address)
{
	return sim_is_bound_to(file, address) ||
	       (address_is_wildcard(address) && address_port(address) != 0 &&
		address_port(&file->address) == address_port(address) &&
		file->address.any.sa_family == address->any.sa_family);
}

static int open_bound(struct sim *sim, enum sim_file_kind kind, const struct address *address)
{
	int fd;

	if (!address_is_wildcard(address) && !address_is_loopback(address))
		return -EADDRNOTAVAIL;
	for (fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].kind == kind && is_conflict(&sim->files[fd], address))
			return -EADDRINUSE;
	fd = sim_open(sim, kind);
	if (fd < 0)
		return fd;
	sim->files[fd].address = *address;
	if (address_port(address) == 0)
		address_set_port(&sim->files[fd].address, sim_next_port(sim));
	return fd;
}

int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms,
		  const struct socket_buffers *buffers)
{
	(void)buffers;
	(void)ring;
	(void)keepalive_ms;
	return open_bound(sim_current, SIM_LISTENER, address);
}

uint32_t socket_backlog(struct ring *ring, int fd)
{
	const struct sim_file *file = sim_file(sim_current, fd);
	uint32_t count = 0;

	(void)ring;
	CHECK(file->kind == SIM_LISTENER);
	for (const struct sim_connection *one = file->connection; one; one = one->next)
		count++;
	return count;
}

/*
 * SO_RCVBUF and SO_SNDBUF: at most net.core.rmem_max and wmem_max, by default half of that (its
 * double is net.core.rmem_default), and at least these (Linux 6.1).
 */
#define BUFFER_BYTES_MAX 212992
#define RECEIVE_BYTES_MIN 1152
#define SEND_BYTES_MIN 2304

static size_t granted(size_t asked, size_t least)
{
	if (asked == 0)
		return BUFFER_BYTES_MAX / 2;
	return asked < least ? least : min_size(asked, BUFFER_BYTES_MAX);
}

int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_buffers *buffers)
{
	int fd = open_bound(sim_current, SIM_DATAGRAMS, address);

	(void)ring;
	if (fd >= 0)
		sim_current->files[fd].buffers = (struct socket_buffers){
			granted(buffers->receive_bytes, RECEIVE_BYTES_MIN),
			granted(buffers->send_bytes, SEND_BYTES_MIN),
		};
	return fd;
}

int socket_transport(struct ring *ring, int fd)
{
	enum sim_file_kind kind;

	(void)ring;
	if (fd < 0 || fd >= SIM_FILES_MAX || sim_current->files[fd].closed)
		return -EBADF;
	kind = sim_current->files[fd].kind;
	switch (kind) {
	case SIM_FREE:
		return -EBADF;
	case SIM_LISTENER:
		return ROLLCALL_TCP;
	case SIM_DATAGRAMS:
		return ROLLCALL_UDP;
	default: /* a connection is a socket, but does not listen */
		return kind == SIM_STREAM ? -EINVAL : -ENOTSOCK;
	}
}

int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms,
		     const struct socket_buffers *buffers)
{
	(void)buffers;
	(void)ring;
	(void)keepalive_ms;
	CHECK(sim_file(sim_current, fd)->kind == SIM_LISTENER);
	return 0;
}

int socket_adopt_udp(struct ring *ring, int fd, const struct socket_buffers *buffers)
{
	struct sim_file *file = sim_file(sim_current, fd);

	(void)ring;
	CHECK(file->kind == SIM_DATAGRAMS);
	if (buffers->receive_bytes > 0)
		file->buffers.receive_bytes = granted(buffers->receive_bytes, RECEIVE_BYTES_MIN);
	if (buffers->send_bytes > 0)
		file->buffers.send_bytes = granted(buffers->send_bytes, SEND_BYTES_MIN);
	return 0;
}

void socket_buffer_sizes(struct ring *ring, int fd, struct socket_buffers *buffers)
{
	(void)ring;
	*buffers = sim_file(sim_current, fd)->buffers;
}

uint32_t socket_drops(struct ring *ring, int fd)
{
	(void)ring;
	return sim_file(sim_current, fd)->drops;
}

bool socket_sends_batches(struct ring *ring, int fd)
{
	(void)ring;
	sim_file(sim_current, fd);
	return true;
}

int addresses_open(struct ring *ring)
{
	(void)ring;
	return sim_open(sim_current, SIM_EVENT);
}

bool addresses_changed(struct ring *ring, int monitor)
{
	(void)ring;
	CHECK(sim_file(sim_current, monitor)->kind == SIM_EVENT);
	return sim_chance(sim_current, SIM_ADDRESSES_CHANGED);
}

int addresses_read(struct ring *ring, int monitor, struct ranges *to)
{
	const struct address loopback[] = { sim_loopback(AF_INET, 0), sim_loopback(AF_INET6, 0) };
	int error = ranges_add(to, &loopback[0], 8);

	(void)ring;
	CHECK(sim_file(sim_current, monitor)->kind == SIM_EVENT);
	return error ? error : ranges_add(to, &loopback[1], 128);
}

bool addresses_are_of(struct ring *ring, int monitor, int fd)
{
	(void)ring;
	sim_file(sim_current, monitor);
	sim_file(sim_current, fd);
	return true;
}

int socket_local_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	*address = sim_file(sim_current, fd)->address;
	return 0;
}

int socket_peer_address(struct ring *ring, int fd, struct address *address)
{
	const struct sim_file *file = sim_file(sim_current, fd);

	(void)ring;
	if (file->kind != SIM_STREAM || file->connection->broken)
		return -ENOTCONN;
	*address = file->connection->peer;
	return 0;
}

int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery)
{
	(void)ring;
	return sim_stream_delivery(sim_file(sim_current, fd)->connection, delivery);
}

void socket_shutdown(struct ring *ring, int fd)
{
	(void)ring;
	sim_trace(sim_current, "shutdown of fd %d", fd);
	sim_file(sim_current, fd)->connection->server_ended = true;
	sim_current->progress = true;
}

void socket_reset_on_close(struct ring *ring, int fd)
{
	(void)ring;
	sim_trace(sim_current, "reset when fd %d is closed", fd);
	sim_file(sim_current, fd)->connection->reset_on_close = true;
}

void socket_close(struct ring *ring, int fd)
{
	(void)ring;
	sim_close_file(sim_current, fd);
}

int socket_event(struct ring *ring)
{
	(void)ring;
	return sim_open(sim_current, SIM_EVENT);
}

void socket_event_raise(int fd)
{
	sim_file(sim_current, fd)->event++;
}

uint64_t socket_limit_raise(void)
{
	/* Others of the process have some open too. */
	return sim_current->settings.descriptors_max + 40;
}
