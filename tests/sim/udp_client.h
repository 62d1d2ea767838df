/* SPDX-License-Identifier: MIT */
/*
 * udp_client.h - a simulated UDP client, which sends datagrams to `reply` and checks the answers.
 */
#ifndef TESTS_SIM_UDP_CLIENT_H
#define TESTS_SIM_UDP_CLIENT_H

#include "lib/sim.h"

#define UDP_CLIENT_DATAGRAMS_MAX 64

struct udp_client {
	struct sim *sim;
	struct address own, to;
	char name[ADDRESS_TEXT_BYTES]; /* its own address, for messages */
	unsigned number;
	unsigned datagrams, sent;
	unsigned burst;		/* datagrams at a time, all of one size; 0: one, of any size */
	uint64_t long_pause_ns; /* now and then; 0: never */
	bool numbered;
	uint32_t ssrc;
	uint16_t next;				    /* sequence number of the next datagram */
	uint32_t clock_us;			    /* offset of its timestamps */
	uint16_t numbers[UDP_CLIENT_DATAGRAMS_MAX]; /* of each datagram sent */
	uint32_t timestamps[UDP_CLIENT_DATAGRAMS_MAX];
	unsigned again, again_end; /* the headers of these datagrams are sent again */
	unsigned answers[UDP_CLIENT_DATAGRAMS_MAX];
	uint64_t next_ns;
	bool done;
};

void udp_client_make(struct udp_client *client, struct sim *sim, unsigned number,
		     const struct address *to);

/*
 * Its datagrams get RTP headers, some malformed. Sequence numbers are lost, duplicated, reordered,
 * restart with the same or other timestamps, and wrap.
 */
void udp_client_number_datagrams(struct udp_client *client);

/* Acts, if it is time; returns when to act next. */
uint64_t udp_client_act(struct udp_client *client);

/* Each datagram must have been answered; for runs in which none can get lost. */
void udp_client_check_all_answered(const struct udp_client *client);

/* Receives a datagram sent to its address. */
void udp_client_receive(struct udp_client *client, const struct address *from, const void *data,
			size_t bytes);

#endif
