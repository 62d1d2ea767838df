/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "program/announcer.h"
#include "program/escape.h"

static const char waiting[] = "Waiting for client...";
static const char received_prefix[] = "Received: ";

static void announce(struct announcer *announcer, rollcall_client client, const char *event)
{
	char line[64];
	int bytes = snprintf(line, sizeof(line), "Client ID : %" PRIu64 " %s .", client, event);

	console_line(announcer->console, line, (size_t)bytes);
}

void announcer_waiting(struct announcer *announcer)
{
	console_line(announcer->console, waiting, sizeof(waiting) - 1);
}

/*
 * Whether to print the lines about connecting: UDP clients have no connection that begins or ends.
 */
static bool has_connection(struct rollcall_server *server, rollcall_client client)
{
	/* This size requests only the fields before the address, which would cost a system call. */
	struct rollcall_client_info info = {
		.size = offsetof(struct rollcall_client_info, address),
	};

	return rollcall_client_get_info(server, client, &info) == 0 &&
	       info.transport == ROLLCALL_TCP;
}

/* Prints losses, duplicates and reordering of a client that sends RTP headers. */
static void report_sequence(struct announcer *announcer, struct rollcall_server *server,
			    rollcall_client client)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	const struct rollcall_sequence *sequence = &info.sequence;
	char line[256];
	int bytes;

	if (rollcall_client_get_info(server, client, &info) || !info.has_sequence)
		return;
	bytes = snprintf(line, sizeof(line),
			 "Client ID : %" PRIu64 " sequence : %" PRIu64 " delivered, %" PRIu64
			 " lost, %" PRIu64 " duplicate, %" PRIu64 " reordered, %" PRIu64
			 " late, %" PRIu64 " restarts, jitter %" PRIu64 " us .",
			 client, info.messages_received, sequence->lost, sequence->duplicates,
			 sequence->reordered, sequence->late, sequence->restarts,
			 sequence->jitter_us);
	console_line(announcer->console, line, (size_t)bytes);
}

static void connected(struct rollcall_server *server, rollcall_client client, void *context)
{
	struct announcer *announcer = context;

	announce(announcer, client, "connected");
	if (has_connection(server, client))
		announcer_waiting(announcer);
	if (announcer->inner->connected)
		announcer->inner->connected(server, client, announcer->inner_context);
}

static void received(struct rollcall_server *server, rollcall_client client, const void *data,
		     size_t bytes, void *context)
{
	struct announcer *announcer = context;
	char line[sizeof(received_prefix) - 1 + ESCAPE_TEXT_BYTES_MAX];
	size_t used = sizeof(received_prefix) - 1;

	memcpy(line, received_prefix, used);
	used += escape_message(line + used, data, bytes);
	console_line(announcer->console, line, used);
	if (announcer->inner->received)
		announcer->inner->received(server, client, data, bytes, announcer->inner_context);
}

static void oversized(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
		      void *context)
{
	struct announcer *announcer = context;

	if (announcer->inner->oversized)
		announcer->inner->oversized(server, client, bytes_max, announcer->inner_context);
}

static void drained(struct rollcall_server *server, rollcall_client client, void *context)
{
	struct announcer *announcer = context;

	if (announcer->inner->drained)
		announcer->inner->drained(server, client, announcer->inner_context);
}

static void disconnected(struct rollcall_server *server, rollcall_client client, int reason,
			 void *context)
{
	struct announcer *announcer = context;

	if (has_connection(server, client))
		announce(announcer, client, "disconnected");
	else
		report_sequence(announcer, server, client);
	if (announcer->inner->disconnected)
		announcer->inner->disconnected(server, client, reason, announcer->inner_context);
}

void announcer_init(struct announcer *announcer, const struct rollcall_service *inner,
		    void *inner_context, struct console *console)
{
	*announcer = (struct announcer){
		.service = *inner,
		.inner = inner,
		.inner_context = inner_context,
		.console = console,
	};
	announcer->service.connected = connected;
	announcer->service.received = received;
	announcer->service.oversized = oversized;
	announcer->service.drained = drained;
	announcer->service.disconnected = disconnected;
}
