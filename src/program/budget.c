/* SPDX-License-Identifier: MIT */
#include "program/budget.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "program/address_syntax.h"

/* The program itself, its rings, and operations in flight. */
#define FIXED_BYTES ((size_t)22 << 20)

/* Shares of the rest in sixteenths. Receive buffers take as much as the queues. */
#define QUEUES 4
#define SOCKETS 5
#define UDP_CLIENTS 1
#define UDP_SOCKETS 1

/* The smallest buffer of a TCP client that makes sense, and the largest. */
#define BUFFER_BYTES_MIN 8192
#define BUFFER_BYTES_MAX ((size_t)4 << 20)

/* Of a UDP client, with its RTP stream. */
#define UDP_CLIENT_BYTES 1024

/* SO_RCVBUF and SO_SNDBUF, which Linux doubles. */
#define BUFFERS 4

/* What a name is resolved to, an IPv4 and an IPv6 address. */
#define NAME_SOCKETS 2

static unsigned sockets_of(const char *address)
{
	char host[ADDRESS_HOST_BYTES];
	struct in6_addr binary;

	address_split(address, host);
	return inet_pton(AF_INET, host, &binary) == 1 || strchr(host, ':') ? 1 : NAME_SOCKETS;
}

unsigned budget_udp_sockets(const struct program_options *options)
{
	const struct options_addresses *udp = &options->udp;
	unsigned count = 0;

	if (udp->none)
		return 0;
	for (unsigned i = 0; i < udp->count; i++)
		count += sockets_of(udp->list[i]);
	return udp->count > 0 ? count : NAME_SOCKETS;
}

static void lower(unsigned *clients, unsigned usual, size_t most)
{
	if (*clients == usual && *clients > most)
		*clients = most > 0 ? (unsigned)most : 1;
}

static size_t buffer_bytes(size_t bytes, unsigned clients)
{
	const size_t each = bytes / clients > ROLLCALL_TCP_SOCKET_BYTES + BUFFERS * BUFFER_BYTES_MIN
				    ? (bytes / clients - ROLLCALL_TCP_SOCKET_BYTES) / BUFFERS
				    : BUFFER_BYTES_MIN;

	return each < BUFFER_BYTES_MAX ? each : BUFFER_BYTES_MAX;
}

/* UDP buffers stay as the kernel has them by default, unless these are larger than their share. */
static void divide_udp(size_t bytes, unsigned sockets, const struct budget_buffers *usual,
		       struct rollcall_options *library)
{
	const size_t each = sockets > 0 ? bytes / sockets / BUFFERS : SIZE_MAX;

	if (library->udp_receive_buffer_bytes == 0 && usual->receive_bytes > each)
		library->udp_receive_buffer_bytes = each;
	if (library->udp_send_buffer_bytes == 0 && usual->send_bytes > each)
		library->udp_send_buffer_bytes = each;
}

void budget_divide(const struct program_options *options, const struct budget_buffers *udp,
		   struct rollcall_options *library)
{
	struct rollcall_options usual;
	size_t part, buffers;

	if (options->memory_bytes == 0)
		return;
	rollcall_options_defaults(&usual);
	part = (options->memory_bytes - FIXED_BYTES) / 16;
	library->memory_bytes_max = QUEUES * part;
	lower(&library->tcp_clients_max, usual.tcp_clients_max,
	      SOCKETS * part / (ROLLCALL_TCP_SOCKET_BYTES + BUFFERS * BUFFER_BYTES_MIN));
	lower(&library->udp_clients_max, usual.udp_clients_max,
	      UDP_CLIENTS * part / UDP_CLIENT_BYTES);
	buffers = buffer_bytes(SOCKETS * part, library->tcp_clients_max);
	if (library->tcp_receive_buffer_bytes == 0)
		library->tcp_receive_buffer_bytes = buffers;
	if (library->tcp_send_buffer_bytes == 0)
		library->tcp_send_buffer_bytes = buffers;
	divide_udp(UDP_SOCKETS * part, budget_udp_sockets(options), udp, library);
}

uint64_t budget_total(const struct rollcall_memory *memory, unsigned udp_sockets)
{
	if (memory->sockets == UINT64_MAX)
		return UINT64_MAX;
	return memory->process + memory->sockets + udp_sockets * memory->udp_socket;
}

bool budget_holds(const struct program_options *options, struct rollcall_server *server,
		  unsigned udp_sockets, char message[static BUDGET_MESSAGE_BYTES])
{
	struct rollcall_memory memory = { .size = sizeof(memory) };
	uint64_t total;

	if (options->memory_bytes == 0 || rollcall_memory_max(server, &memory))
		return true;
	total = budget_total(&memory, udp_sockets);
	if (total <= options->memory_bytes)
		return true;
	snprintf(message, BUDGET_MESSAGE_BYTES,
		 "--memory is %zu MiB, but with these options rollcall may use %" PRIu64
		 " MiB: lower --max-clients, --udp-max-clients, --send-queue-bytes, "
		 "--line-bytes-max, or the buffers of sockets (--tcp-receive-buffer, "
		 "--tcp-send-buffer, --udp-receive-buffer, --udp-send-buffer), or raise --memory "
		 "(--check shows the parts)",
		 options->memory_bytes >> 20, (total >> 20) + 1);
	return false;
}
