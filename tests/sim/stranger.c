/* SPDX-License-Identifier: MIT */
#include "sim/stranger.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "sim/verdict.h"

/* More than the server can answer at a time, from so many ports that answers leave one by one. */
#define FLOOD_DATAGRAMS 7000
#define FLOOD_PORTS 8
#define FLOOD_AT_ONCE 100
#define FLOOD_PAUSE_NS 500000

static struct address address_at(uint32_t host, uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(host);
	address_set_port(&address, port);
	return address;
}

void stranger_make(struct stranger *who, struct sim *sim, bool floods)
{
	*who = (struct stranger){ .sim = sim, .flood_ns = UINT64_MAX };
	if (!floods)
		return;
	who->flood = FLOOD_DATAGRAMS;
	who->flood_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
}

/* From our own address, from a port of another service or from none, from many or from nobody, and
 * with the prefix twice. An answer would go to nobody that there is. */
static void be_strange(struct stranger *who)
{
	static const char text[] = "Received: Received: hello";
	struct address from = address_at(INADDR_LOOPBACK, LETTERS_PORT_ANY);
	struct address to = address_at(INADDR_LOOPBACK, LETTERS_PORT);
	size_t skip = strlen("Received: ");

	switch (sim_random(who->sim, 5)) {
	case 0:
		break;
	case 1:
		address_set_port(&from, (uint16_t)(1 + sim_random(who->sim, 1023)));
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
	sim_send_datagram(who->sim, &from, &to, text + skip, strlen(text + skip));
	who->next_ns = sim_now_ns(who->sim) + sim_random(who->sim, 500000000);
}

static void flood(struct stranger *who)
{
	const struct address to = address_at(INADDR_LOOPBACK, LETTERS_PORT);

	for (int i = 0; i < FLOOD_AT_ONCE && who->flood > 0; i++) {
		struct address from =
			address_at(0x0a010001, (uint16_t)(2000 + who->flood % FLOOD_PORTS));
		char text[16];
		int bytes = snprintf(text, sizeof(text), "f%u", who->flood--);

		sim_send_datagram(who->sim, &from, &to, text, (size_t)bytes);
	}
	who->flood_ns = who->flood ? sim_now_ns(who->sim) + FLOOD_PAUSE_NS : UINT64_MAX;
}

uint64_t stranger_act(struct stranger *who)
{
	if (sim_now_ns(who->sim) >= who->next_ns)
		be_strange(who);
	if (sim_now_ns(who->sim) >= who->flood_ns)
		flood(who);
	return who->next_ns < who->flood_ns ? who->next_ns : who->flood_ns;
}

bool stranger_is_at(const struct address *address)
{
	return address->v4.sin_addr.s_addr == htonl(0x0a010001);
}
