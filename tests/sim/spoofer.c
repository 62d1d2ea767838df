/* SPDX-License-Identifier: MIT */
#include "sim/spoofer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "sim/drop_rules.h"

/* Forged hosts, one after the other, and the port of their datagrams. */
#define HOSTS_FIRST 0x0b000001
#define HOSTS_MAX 32
#define HOSTS_PORT 5001

static struct address address_at(uint32_t host, uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(host);
	address_set_port(&address, port);
	return address;
}

void spoofer_make(struct spoofer *spoofer, struct sim *sim)
{
	*spoofer = (struct spoofer){ .sim = sim };
	/* In half of the runs there are no pairs. */
	if (sim_random(sim, 2))
		spoofer->next_pair_ns = UINT64_MAX;
}

/*
 * From the server's own address, from a low port or port 0, from a multicast address, or with the
 * prefix of two answers. An answer would reach no client, which fails the run.
 */
static void send_spoofed(struct spoofer *spoofer)
{
	static const char text[] = "Received: Received: hello";
	struct address from = address_at(INADDR_LOOPBACK, UDP_WILDCARD_PORT);
	struct address to = address_at(INADDR_LOOPBACK, UDP_PORT);
	size_t skip = strlen("Received: ");

	switch (sim_random(spoofer->sim, 5)) {
	case 0:
		break;
	case 1:
		address_set_port(&from, (uint16_t)(1 + sim_random(spoofer->sim, 1023)));
		break;
	case 2:
		from.v4.sin_addr.s_addr = htonl(0xe0000001);
		break;
	case 3:
		address_set_port(&from, 0);
		break;
	default:
		address_set_port(&from, 5000);
		skip = 0;
	}
	sim_send_datagram(spoofer->sim, &from, &to, text + skip, strlen(text + skip));
	spoofer->next_ns = sim_now_ns(spoofer->sim) + sim_random(spoofer->sim, 500000000);
}

/* A pair from each of a few new hosts: it has no time to become active. */
static void send_pairs(struct spoofer *spoofer)
{
	const struct address to = address_at(INADDR_LOOPBACK, UDP_PORT);
	unsigned left = 1 + sim_random(spoofer->sim, 8);

	for (; left > 0 && spoofer->hosts < HOSTS_MAX; left--) {
		const struct address from = address_at(HOSTS_FIRST + spoofer->hosts++, HOSTS_PORT);

		for (int i = 0; i < 2; i++)
			sim_send_datagram(spoofer->sim, &from, &to, "forged", 6);
	}
	spoofer->next_pair_ns =
		spoofer->hosts == HOSTS_MAX
			? UINT64_MAX
			: sim_now_ns(spoofer->sim) + sim_random(spoofer->sim, 2000000000);
}

bool spoofer_has_forged(const struct spoofer *spoofer, const struct address *host)
{
	const uint32_t number = ntohl(host->v4.sin_addr.s_addr) - HOSTS_FIRST;

	return number < spoofer->hosts && address_port(host) == HOSTS_PORT;
}

uint64_t spoofer_act(struct spoofer *spoofer)
{
	if (sim_now_ns(spoofer->sim) >= spoofer->next_ns)
		send_spoofed(spoofer);
	if (sim_now_ns(spoofer->sim) >= spoofer->next_pair_ns)
		send_pairs(spoofer);
	return spoofer->next_ns < spoofer->next_pair_ns ? spoofer->next_ns : spoofer->next_pair_ns;
}
