/* SPDX-License-Identifier: MIT */
#include "sim/stranger.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "sim/verdict.h"

static struct address address_at(uint32_t host, uint16_t port)
{
	struct address address = { .bytes = sizeof(address.v4) };

	address.v4.sin_family = AF_INET;
	address.v4.sin_addr.s_addr = htonl(host);
	address_set_port(&address, port);
	return address;
}

void stranger_make(struct stranger *who, struct sim *sim)
{
	*who = (struct stranger){ .sim = sim };
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

uint64_t stranger_act(struct stranger *who)
{
	if (sim_now_ns(who->sim) >= who->next_ns)
		be_strange(who);
	return who->next_ns;
}
