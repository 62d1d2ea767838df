/* SPDX-License-Identifier: MIT */
/*
 * hostile_socket.c - the hostile kernel's descriptors and sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "fuzz/hostile_kernel.h"

int hostile_open(void)
{
	if (hostile->files_count == HOSTILE_FILES_MAX)
		return -EMFILE;
	hostile->files[hostile->files_count] = (struct hostile_file){ .open = true };
	return (int)hostile->files_count++;
}

struct hostile_file *hostile_file(int fd)
{
	CHECK(fd >= 0 && (unsigned)fd < hostile->files_count && hostile->files[fd].open);
	return &hostile->files[fd];
}

int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max)
{
	struct address *to = &addresses[0];

	(void)ring;
	CHECK(max >= 1);
	*to = (struct address){ .bytes = sizeof(to->v4) };
	if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
		to->any.sa_family = AF_INET;
	} else {
		CHECK(inet_pton(AF_INET6, host, &to->v6.sin6_addr) == 1);
		to->any.sa_family = AF_INET6;
		to->bytes = sizeof(to->v6);
	}
	address_set_port(to, port);
	return 1;
}

int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms,
		  const struct socket_buffers *buffers)
{
	(void)buffers;
	int fd = hostile_open();

	(void)ring;
	(void)keepalive_ms;
	if (fd >= 0)
		hostile_file(fd)->address = *address;
	return fd;
}

int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_buffers *buffers)
{
	(void)buffers;
	return socket_listen(ring, address, 0, NULL);
}

int socket_transport(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
	return hostile_byte() % 2 ? ROLLCALL_TCP : ROLLCALL_UDP;
}

int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms,
		     const struct socket_buffers *buffers)
{
	(void)buffers;
	(void)ring;
	(void)keepalive_ms;
	hostile_file(fd);
	return 0;
}

int socket_adopt_udp(struct ring *ring, int fd, const struct socket_buffers *buffers)
{
	(void)buffers;
	return socket_adopt_tcp(ring, fd, 0, NULL);
}

void socket_buffer_sizes(struct ring *ring, int fd, struct socket_buffers *buffers)
{
	(void)ring;
	hostile_file(fd);
	*buffers = (struct socket_buffers){ hostile_byte(), hostile_byte() };
}

uint32_t socket_backlog(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
	return hostile_byte();
}

uint32_t socket_drops(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
	return UINT32_MAX;
}

bool socket_sends_batches(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
	return true;
}

int addresses_open(struct ring *ring)
{
	(void)ring;
	return hostile_open();
}

bool addresses_changed(struct ring *ring, int monitor)
{
	(void)ring;
	hostile_file(monitor);
	return true;
}

int addresses_read(struct ring *ring, int monitor, struct ranges *to)
{
	const struct address loopback = {
		.v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
	};

	(void)ring;
	hostile_file(monitor);
	return ranges_add(to, &loopback, 8);
}

bool addresses_are_of(struct ring *ring, int monitor, int fd)
{
	(void)ring;
	hostile_file(monitor);
	hostile_file(fd);
	return true;
}

int socket_local_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	*address = hostile_file(fd)->address;
	return 0;
}

int socket_peer_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	hostile_file(fd);
	if (hostile_byte() % 2)
		return -ENOTCONN;
	*address = (struct address){ .v4.sin_family = AF_INET, .bytes = sizeof(address->v4) };
	return 0;
}

int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery)
{
	const uint8_t byte = hostile_byte();

	(void)ring;
	hostile_file(fd);
	*delivery = (struct socket_delivery){ .acked = byte, .is_pending = byte & 1 };
	return byte > 250 ? -ECONNRESET : 0;
}

void socket_shutdown(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
}

void socket_reset_on_close(struct ring *ring, int fd)
{
	(void)ring;
	hostile_file(fd);
}

void socket_close(struct ring *ring, int fd)
{
	/* A closed listener's or endpoint's operation would go on, and complete for nobody. */
	for (unsigned i = 0; ring && i < ring->ops_count; i++)
		CHECK(ring->ops[i].sqe.fd != fd ||
		      ring->ops[i].sqe.opcode == IORING_OP_ASYNC_CANCEL);
	hostile_file(fd)->open = false;
}

int socket_event(struct ring *ring)
{
	(void)ring;
	return hostile_open();
}

void socket_event_raise(int fd)
{
	hostile_file(fd)->event++;
}

uint64_t socket_limit_raise(void)
{
	return HOSTILE_FILES_MAX;
}
