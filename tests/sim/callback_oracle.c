/* SPDX-License-Identifier: MIT */
#include "sim/callback_oracle.h"

#include <errno.h>
#include <inttypes.h>

#include "base/base.h"

static struct known_client *find(struct callback_oracle *oracle, rollcall_client id)
{
	for (unsigned i = oracle->count; i-- > 0;)
		if (oracle->clients[i].id == id)
			return &oracle->clients[i];
	return NULL;
}

static void connected(struct rollcall_server *server, rollcall_client id, void *context)
{
	struct checked_service *checked = context;
	struct callback_oracle *oracle = checked->oracle;

	sim_trace(oracle->sim, "callback: client %" PRIu64 " connected", id);
	if (find(oracle, id))
		sim_fail(oracle->sim, "ID %" PRIu64 " is used twice", id);
	if (oracle->count > 0 && id < oracle->rising_below &&
	    id != oracle->clients[oracle->count - 1].id + 1)
		sim_fail(oracle->sim, "ID %" PRIu64 " comes after %" PRIu64, id,
			 oracle->clients[oracle->count - 1].id);
	CHECK(oracle->count < CALLBACK_ORACLE_CLIENTS_MAX);
	oracle->clients[oracle->count++] = (struct known_client){ .id = id };
	if (oracle->places)
		places_oracle_connected(oracle->places, server, id);
	if (checked->inner->connected)
		checked->inner->connected(server, id, NULL);
}

static void check_known(struct callback_oracle *oracle, rollcall_client id, const char *what)
{
	struct known_client *client = find(oracle, id);

	if (!client || client->gone)
		sim_fail(oracle->sim, "%s client %" PRIu64 ", which is not connected", what, id);
}

static bool is_udp(struct rollcall_server *server, rollcall_client id)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	if (id == ROLLCALL_NONE)
		return true;
	CHECK(rollcall_client_get_info(server, id, &info) == 0);
	return info.transport == ROLLCALL_UDP;
}

static void received(struct rollcall_server *server, rollcall_client id, const void *data,
		     size_t bytes, void *context)
{
	struct checked_service *checked = context;
	struct callback_oracle *oracle = checked->oracle;
	const bool udp = is_udp(server, id);

	if (id == ROLLCALL_NONE)
		sim_trace(oracle->sim, "callback: message of %zu bytes, without a client", bytes);
	else
		sim_trace(oracle->sim, "callback: message of %zu bytes from client %" PRIu64, bytes,
			  id);
	sim_spend(oracle->sim, SIM_MESSAGE_NS);
	/* ROLLCALL_NONE: the client table was full. */
	if (id != ROLLCALL_NONE)
		check_known(oracle, id, "a message of");
	if (udp)
		udp_oracle_delivered(oracle->udp, id, data, bytes);
	if (checked->inner->received)
		checked->inner->received(server, id, data, bytes, NULL);
	if (udp)
		udp_oracle_answered(oracle->udp, id);
}

static void oversized(struct rollcall_server *server, rollcall_client id, size_t bytes_max,
		      void *context)
{
	struct checked_service *checked = context;

	check_known(checked->oracle, id, "a long message of");
	if (checked->inner->oversized)
		checked->inner->oversized(server, id, bytes_max, NULL);
}

static void disconnected(struct rollcall_server *server, rollcall_client id, int reason,
			 void *context)
{
	struct checked_service *checked = context;
	struct callback_oracle *oracle = checked->oracle;

	sim_trace(oracle->sim, "callback: client %" PRIu64 " disconnected: %s", id,
		  rollcall_reason_text(reason));
	check_known(oracle, id, "the end of");
	if (is_udp(server, id))
		udp_oracle_disconnected(oracle->udp, id, reason);
	if (oracle->places)
		places_oracle_disconnected(oracle->places, id, reason);
	find(oracle, id)->gone = true;
	oracle->gone++;
	CHECK(reason <= 0 && reason > -SIM_ERRORS);
	oracle->reasons[-reason]++;
}

void checked_service_make(struct checked_service *checked, struct callback_oracle *oracle,
			  const struct rollcall_service *inner, size_t message_bytes_max)
{
	*checked = (struct checked_service){ .oracle = oracle, .inner = inner, .service = *inner };
	checked->service.message_bytes_max = message_bytes_max;
	checked->service.connected = connected;
	checked->service.received = received;
	checked->service.oversized = oversized;
	checked->service.disconnected = disconnected;
}

void callback_oracle_end(const struct callback_oracle *oracle)
{
	if (oracle->gone != oracle->count)
		sim_fail(oracle->sim, "%u clients connected, %u disconnected", oracle->count,
			 oracle->gone);
}
