/* SPDX-License-Identifier: MIT */
/*
 * sim_packet.c - datagrams on their way through the simulated network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* A datagram takes up to so long on its way, and longer when it is overtaken. */
#define DATAGRAM_NS_MAX 200000
#define DATAGRAM_LATE_NS_MAX 20000000

static void send_once(struct sim *sim, const struct address *from, const struct address *to,
		      const struct iovec *pieces, size_t count)
{
	struct sim_datagram *datagram, **place = &sim->packets;
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		bytes += pieces[i].iov_len;
	datagram = malloc(sizeof(*datagram) + bytes);
	CHECK(datagram);
	*datagram = (struct sim_datagram){ .from = *from, .to = *to, .bytes = bytes };
	for (size_t i = 0; i < count; at += pieces[i++].iov_len)
		memcpy(datagram->data + at, pieces[i].iov_base, pieces[i].iov_len);
	datagram->due_ns = sim->now_ns + DATAGRAM_NS_MAX;
	if (sim_chance(sim, SIM_UDP_REORDER))
		datagram->due_ns += sim_random(sim, DATAGRAM_LATE_NS_MAX);
	while (*place && (*place)->due_ns <= datagram->due_ns)
		place = &(*place)->next;
	datagram->next = *place;
	*place = datagram;
}

void sim_transmit(struct sim *sim, const struct address *from, const struct address *to,
		  const struct iovec *pieces, size_t count)
{
	if (sim_chance(sim, SIM_UDP_LOSS))
		return;
	send_once(sim, from, to, pieces, count);
	if (sim_chance(sim, SIM_UDP_DUPLICATE))
		send_once(sim, from, to, pieces, count);
}

void sim_send_datagram(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes)
{
	const struct iovec piece = { (void *)data, bytes };

	sim_transmit(sim, from, to, &piece, 1);
}

void sim_on_datagram(struct sim *sim, sim_arrival arrival)
{
	sim->arrival = arrival;
}

static void arrive(struct sim *sim, struct sim_datagram *datagram)
{
	for (int fd = 0; fd < SIM_FILES_MAX; fd++) {
		struct sim_datagram **last = &sim->files[fd].datagrams;

		if (sim->files[fd].kind != SIM_DATAGRAMS ||
		    !sim_is_bound_to(&sim->files[fd], &datagram->to))
			continue;
		if (sim_chance(sim, SIM_UDP_KERNEL_DROP)) {
			sim->files[fd].drops++;
			free(datagram);
			return;
		}
		while (*last)
			last = &(*last)->next;
		datagram->next = NULL;
		*last = datagram;
		return;
	}
	sim->arrival(sim->context, &datagram->from, &datagram->to, datagram->data, datagram->bytes);
	free(datagram);
}

uint64_t sim_deliver(struct sim *sim)
{
	while (sim->packets && sim->packets->due_ns <= sim->now_ns) {
		struct sim_datagram *first = sim->packets;

		sim->packets = first->next;
		arrive(sim, first);
	}
	return sim->packets ? sim->packets->due_ns : SIM_NEVER;
}

void sim_network_end(struct sim *sim)
{
	while (sim->packets) {
		struct sim_datagram *first = sim->packets;

		sim->packets = first->next;
		free(first);
	}
}
