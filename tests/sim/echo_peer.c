/* SPDX-License-Identifier: MIT */
#include "sim/echo_peer.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/base.h"
#include "udp/udp.h"

/* A port of a server: below those that clients have. */
#define PORT 4007

#define FORGED_MAX 4
#define PAUSE_NS_MAX 2000000000

void echo_peer_make(struct echo_peer *peer, struct sim *sim, unsigned number,
		    const struct address *to, const char *prefix)
{
	*peer = (struct echo_peer){ .sim = sim, .to = *to, .prefix = prefix };
	peer->own.bytes = sizeof(peer->own.v4);
	peer->own.v4.sin_family = AF_INET;
	peer->own.v4.sin_addr.s_addr = htonl(0x0a010000 + number);
	address_set_port(&peer->own, PORT);
	peer->start_ns = sim_now_ns(sim);
	peer->next_ns = peer->start_ns + sim_random(sim, PAUSE_NS_MAX);
}

uint64_t echo_peer_act(struct echo_peer *peer)
{
	char text[8];

	if (sim_now_ns(peer->sim) < peer->next_ns)
		return peer->next_ns;
	memset(text, 'a' + (int)peer->forged, sizeof(text));
	sim_send_datagram(peer->sim, &peer->own, &peer->to, text, sizeof(text));
	if (++peer->forged == FORGED_MAX)
		return peer->next_ns = UINT64_MAX;
	return peer->next_ns = sim_now_ns(peer->sim) + sim_random(peer->sim, PAUSE_NS_MAX);
}

/* Each text may be answered in a burst, and then once a second. */
static unsigned most_answers(const struct echo_peer *peer)
{
	const uint64_t seconds = (sim_now_ns(peer->sim) - peer->start_ns) / 1000000000;

	return peer->forged *
	       (UDP_REPEATS_BURST + UDP_REPEATS_PER_SECOND * (unsigned)(seconds + 1));
}

void echo_peer_receive(struct echo_peer *peer, const struct address *from, const void *data,
		       size_t bytes)
{
	char answer[256];
	const size_t prefix_bytes = strlen(peer->prefix);

	CHECK(address_equal(from, &peer->to) && prefix_bytes + bytes <= sizeof(answer));
	if (++peer->received > most_answers(peer))
		sim_fail(peer->sim,
			 "two servers answer each other: %u datagrams of ours for %u forged",
			 peer->received, peer->forged);
	memcpy(answer, peer->prefix, prefix_bytes);
	memcpy(answer + prefix_bytes, data, bytes);
	sim_send_datagram(peer->sim, &peer->own, &peer->to, answer, prefix_bytes + bytes);
}
