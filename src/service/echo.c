/* SPDX-License-Identifier: MIT */
#include "service/services.h"

static void received(struct rollcall_server *server, rollcall_client client, const void *data,
		     size_t bytes, void *context)
{
	(void)context;
	/* An echo with a gap would be worse than a closed connection. */
	if (rollcall_send(server, client, data, bytes) < 0)
		rollcall_abort(server, client);
}

const struct rollcall_service echo_service = {
	.size = sizeof(struct rollcall_service),
	.stateless = true,
	.framing = ROLLCALL_FRAMING_RAW,
	.loop_prefix = "",
	.received = received,
};
