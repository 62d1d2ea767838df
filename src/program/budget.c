/* SPDX-License-Identifier: MIT */
#include "program/budget.h"

#include <inttypes.h>
#include <stdio.h>

/* The program itself, its rings, operations in flight, and UDP sockets. */
#define FIXED_BYTES ((size_t)22 << 20)

/* Shares of the rest in sixteenths. Receive buffers take as much as the queues. */
#define QUEUES 4
#define SOCKETS 5
#define UDP_CLIENTS 1

/* Of a TCP client in the kernel without its buffers, and the smallest buffer that makes sense. */
#define CONNECTION_BYTES 6144
#define BUFFER_BYTES_MIN 8192
#define BUFFER_BYTES_MAX ((size_t)4 << 20)

/* Of a UDP client, with its RTP stream. */
#define UDP_CLIENT_BYTES 1024

/* SO_RCVBUF and SO_SNDBUF, which Linux doubles. */
#define BUFFERS 4

static void lower(unsigned *clients, unsigned usual, size_t most)
{
	if (*clients == usual && *clients > most)
		*clients = most > 0 ? (unsigned)most : 1;
}

static size_t buffer_bytes(size_t bytes, unsigned clients)
{
	const size_t each = bytes / clients > CONNECTION_BYTES + BUFFERS * BUFFER_BYTES_MIN
				    ? (bytes / clients - CONNECTION_BYTES) / BUFFERS
				    : BUFFER_BYTES_MIN;

	return each < BUFFER_BYTES_MAX ? each : BUFFER_BYTES_MAX;
}

void budget_divide(const struct program_options *options, struct rollcall_options *library)
{
	struct rollcall_options usual;
	size_t part, buffers;

	if (options->memory_bytes == 0)
		return;
	rollcall_options_defaults(&usual);
	part = (options->memory_bytes - FIXED_BYTES) / 16;
	library->memory_bytes_max = QUEUES * part;
	lower(&library->tcp_clients_max, usual.tcp_clients_max,
	      SOCKETS * part / (CONNECTION_BYTES + BUFFERS * BUFFER_BYTES_MIN));
	lower(&library->udp_clients_max, usual.udp_clients_max,
	      UDP_CLIENTS * part / UDP_CLIENT_BYTES);
	buffers = buffer_bytes(SOCKETS * part, library->tcp_clients_max);
	if (library->tcp_receive_buffer_bytes == 0)
		library->tcp_receive_buffer_bytes = buffers;
	if (library->tcp_send_buffer_bytes == 0)
		library->tcp_send_buffer_bytes = buffers;
}

uint64_t budget_total(const struct rollcall_memory *memory)
{
	if (memory->sockets == UINT64_MAX)
		return UINT64_MAX;
	return memory->clients + memory->queues + memory->buffers + memory->fixed + memory->sockets;
}

bool budget_holds(const struct program_options *options, struct rollcall_server *server,
		  char message[static BUDGET_MESSAGE_BYTES])
{
	struct rollcall_memory memory = { .size = sizeof(memory) };
	uint64_t total;

	if (options->memory_bytes == 0 || rollcall_memory_max(server, &memory))
		return true;
	total = budget_total(&memory);
	if (total <= options->memory_bytes)
		return true;
	snprintf(message, BUDGET_MESSAGE_BYTES,
		 "--memory is %zu MiB, but with these options rollcall may use %" PRIu64
		 " MiB: lower --max-clients, --udp-max-clients, --send-queue-bytes, "
		 "--line-bytes-max, --tcp-receive-buffer or --tcp-send-buffer, or raise --memory "
		 "(--check shows the parts)",
		 options->memory_bytes >> 20, (total >> 20) + 1);
	return false;
}
