/* SPDX-License-Identifier: MIT */
/*
 * sim_packet.c - datagrams in the simulated network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* Delay of a datagram, and the most that is added when it is reordered. */
#define DATAGRAM_NS_MAX 200000
#define DATAGRAM_LATE_NS_MAX 20000000

/*
 * What a datagram without data counts against SO_RCVBUF; each byte of data counts twice. Linux
 * counts less (2,304 bytes for 1,000).
 */
#define DATAGRAM_TRUESIZE 1280

static struct sim_datagram *make(const struct address *from, const struct address *to,
				 const struct iovec *pieces, size_t count)
{
	struct sim_datagram *datagram;
	size_t bytes = 0, at = 0;

	for (size_t i = 0; i < count; i++)
		bytes += pieces[i].iov_len;
	datagram = malloc(sizeof(*datagram) + bytes);
	CHECK(datagram);
	*datagram = (struct sim_datagram){ .from = *from, .to = *to, .bytes = bytes };
	datagram->truesize = DATAGRAM_TRUESIZE + 2 * bytes;
	for (size_t i = 0; i < count; at += pieces[i++].iov_len)
		memcpy(datagram->data + at, pieces[i].iov_base, pieces[i].iov_len);
	return datagram;
}

static void send_off(struct sim *sim, struct sim_datagram *datagram)
{
	struct sim_datagram **place = &sim->packets;

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
	send_off(sim, make(from, to, pieces, count));
	if (sim_chance(sim, SIM_UDP_DUPLICATE))
		send_off(sim, make(from, to, pieces, count));
}

void sim_send_datagram(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes)
{
	const struct iovec piece = { (void *)data, bytes };

	sim_transmit(sim, from, to, &piece, 1);
}

void sim_send_segments(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes, size_t segment_bytes)
{
	const struct iovec piece = { (void *)data, bytes };
	struct sim_datagram *datagram = make(from, to, &piece, 1);

	datagram->segment_bytes = bytes > segment_bytes ? segment_bytes : 0;
	send_off(sim, datagram);
}

void sim_on_datagram(struct sim *sim, sim_arrival arrival)
{
	sim->arrival = arrival;
}

void sim_set_tap(struct sim *sim, const struct sim_tap *tap)
{
	sim->tap = *tap;
}

/* Whether the socket takes one more; the first always fits. */
static bool has_space(struct sim *sim, const struct sim_file *file,
		      const struct sim_datagram *datagram)
{
	if (sim_chance(sim, SIM_UDP_KERNEL_DROP))
		return false;
	/* Linux doubles the requested size (socket(7), SO_RCVBUF). */
	if (!file->datagrams ||
	    file->buffered_bytes + datagram->truesize <= 2 * file->buffers.receive_bytes)
		return true;
	sim->fired[SIM_UDP_BUFFER_FULL]++;
	sim_trace(sim, "datagram dropped: SO_RCVBUF full");
	return false;
}

static void queue_at(struct sim *sim, struct sim_file *file, struct sim_datagram *datagram)
{
	struct sim_datagram **last = &file->datagrams;

	if (!has_space(sim, file, datagram)) {
		file->drops++;
		sim->dropped++;
		free(datagram);
		return;
	}
	while (*last)
		last = &(*last)->next;
	*last = datagram;
	datagram->next = NULL;
	file->buffered_bytes += datagram->truesize;
}

struct sim_datagram *sim_take_datagram(struct sim_file *file)
{
	struct sim_datagram *first = file->datagrams;

	file->datagrams = first->next;
	file->buffered_bytes -= first->truesize;
	return first;
}

static void arrive(struct sim *sim, struct sim_datagram *datagram)
{
	for (int fd = 0; fd < SIM_FILES_MAX; fd++) {
		if (sim->files[fd].kind != SIM_DATAGRAMS ||
		    !sim_is_bound_to(&sim->files[fd], &datagram->to))
			continue;
		queue_at(sim, &sim->files[fd], datagram);
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
	while (sim->unreported) {
		struct sim_unreported *first = sim->unreported;

		sim->unreported = first->next;
		free(first);
	}
	while (sim->packets) {
		struct sim_datagram *first = sim->packets;

		sim->packets = first->next;
		free(first);
	}
}

uint64_t sim_waiting_since_ns(const struct sim *sim, const struct address *from,
			      const struct address *to)
{
	uint64_t since_ns = SIM_NEVER;

	for (int fd = 0; fd < SIM_FILES_MAX; fd++) {
		const struct sim_datagram *one =
			sim->files[fd].kind == SIM_DATAGRAMS ? sim->files[fd].datagrams : NULL;

		for (; one; one = one->next)
			if (address_equal(&one->from, from) && address_equal(&one->to, to) &&
			    one->due_ns < since_ns)
				since_ns = one->due_ns;
	}
	return since_ns;
}
