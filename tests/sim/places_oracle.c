/* SPDX-License-Identifier: MIT */
#include "sim/places_oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>

#include "base/base.h"

static unsigned index_of(struct places_oracle *oracle, uint32_t host)
{
	for (unsigned i = 0; i < oracle->sources_count; i++)
		if (oracle->sources[i].host == host)
			return i;
	CHECK(oracle->sources_count < PLACES_ORACLE_SOURCES_MAX);
	oracle->sources[oracle->sources_count].host = host;
	return oracle->sources_count++;
}

void places_oracle_connected(struct places_oracle *oracle, struct rollcall_server *server,
			     rollcall_client id)
{
	struct rollcall_client_info info = { .size = sizeof(info) };
	unsigned source;

	CHECK(rollcall_client_get_info(server, id, &info) == 0);
	CHECK(oracle->clients_count < PLACES_ORACLE_CLIENTS_MAX);
	source = index_of(oracle, ((struct sockaddr_in *)&info.address)->sin_addr.s_addr);
	oracle->clients[oracle->clients_count].id = id;
	oracle->clients[oracle->clients_count++].source = source;
	oracle->sources[source].places++;
	if (oracle->most > 0 && oracle->sources[source].places > oracle->most)
		sim_fail(oracle->sim, "a source has %u clients, and %u are allowed",
			 oracle->sources[source].places, oracle->most);
}

void places_oracle_disconnected(struct places_oracle *oracle, rollcall_client id, int reason)
{
	unsigned i = oracle->clients_count, own;

	while (i > 0 && oracle->clients[i - 1].id != id)
		i--;
	CHECK(i > 0);
	own = oracle->clients[i - 1].source;
	for (i = 0; reason == -ENOSPC && i < oracle->sources_count; i++)
		if (oracle->sources[i].places > oracle->sources[own].places)
			sim_fail(oracle->sim,
				 "client %" PRIu64 " has lost its place: its source had %u, and "
				 "another %u",
				 id, oracle->sources[own].places, oracle->sources[i].places);
	oracle->sources[own].places--;
}
