/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>

#include "service/services.h"

#define PREFIX "Received: "

static void received(struct rollcall_server *server, rollcall_client client, const void *data,
		     size_t bytes, void *context)
{
	static const char too_long[] = "Error: too long for an answer\n";
	const struct iovec answer[] = { { (void *)PREFIX, sizeof(PREFIX) - 1 },
					{ (void *)data, bytes } };
	int error = rollcall_sendv(server, client, answer, 2);

	(void)context;
	if (error == -EMSGSIZE)
		error = rollcall_send(server, client, too_long, sizeof(too_long) - 1);
	/* A missing answer among others would be worse than a closed connection. */
	if (error)
		rollcall_abort(server, client);
}

static void oversized(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
		      void *context)
{
	char text[64];
	int bytes = snprintf(text, sizeof(text), "Error: line longer than %zu bytes\n", bytes_max);

	(void)context;
	rollcall_send(server, client, text, (size_t)bytes);
}

const struct rollcall_service reply_service = {
	.size = sizeof(struct rollcall_service),
	.stateless = true,
	.framing = ROLLCALL_FRAMING_LINES,
	.loop_prefix = PREFIX,
	.received = received,
	.oversized = oversized,
};
