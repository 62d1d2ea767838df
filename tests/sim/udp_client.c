/* SPDX-License-Identifier: MIT */
#include "sim/udp_client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* A datagram may be duplicated in the network, and so may the answer to each copy. */
#define ANSWERS_MAX 4

void udp_client_make(struct udp_client *client, struct sim *sim, unsigned number,
		     const struct address *to)
{
	*client = (struct udp_client){ .sim = sim, .number = number, .to = *to };
	client->own.bytes = sizeof(client->own.v4);
	client->own.v4.sin_family = AF_INET;
	client->own.v4.sin_addr.s_addr = htonl(0x0a000000 + number / 3);
	client->own.v4.sin_port = htons((uint16_t)(2000 + number % 3));
	address_format(&client->own, client->name);
	client->datagrams = 1 + sim_random(sim, UDP_CLIENT_DATAGRAMS_MAX);
	client->burst = sim_random(sim, 3) ? 0 : 2 + sim_random(sim, 30);
	/* At the times after which a client is forgotten, or a little before. */
	client->long_pause_ns = sim_random(sim, 2) ? 0 : 95000000ull << sim_random(sim, 10);
	client->next_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
}

/* The payload is made from the numbers of the client and the datagram; some are empty. */
static size_t write_payload(const struct udp_client *client, unsigned index, char text[static 2048])
{
	size_t bytes = (size_t)sprintf(text, "%02u:%02u:", client->number, index);
	size_t padding = index % 5 == 0 ? 1500 : index;

	if (client->burst > 0)
		padding = client->number % 2 ? 10 : 1000;
	else if (index % 7 == 3)
		return 0;
	memset(text + bytes, 'a' + (int)(index % 26), padding);
	return bytes + padding;
}

void udp_client_number_datagrams(struct udp_client *client)
{
	client->numbered = true;
	client->ssrc = sim_random(client->sim, UINT32_MAX);
	/* Half of them wrap soon. */
	client->next = (uint16_t)(sim_random(client->sim, 2) ? sim_random(client->sim, 65536)
							     : 65535 - sim_random(client->sim, 32));
}

/* Returns the number of this datagram, and chooses the next one: mostly that plus 1. */
static uint16_t next_number(struct udp_client *client)
{
	struct sim *sim = client->sim;

	switch (sim_random(sim, 34)) {
	case 0: /* lost */
		client->next = (uint16_t)(client->next + 1 + sim_random(sim, 5));
		break;
	case 1: /* many */
		client->next = (uint16_t)(client->next + sim_random(sim, 3100));
		break;
	case 2: /* duplicate or late */
		client->next = (uint16_t)(client->next - 1 - sim_random(sim, 5));
		break;
	case 3:
		client->next = (uint16_t)(client->next - sim_random(sim, 1200));
		break;
	case 4: /* restart */
		client->next = (uint16_t)sim_random(sim, 65536);
		break;
	case 5: /* swapped with the next one */
		client->next = (uint16_t)(client->next + 1);
		return (uint16_t)(client->next--);
	case 6: /* another SSRC at the same address */
		client->ssrc++;
		break;
	case 7: /* restart a little behind, with another clock */
		client->next = (uint16_t)(client->next - 1 - sim_random(sim, 20));
		client->clock_us += sim_random(sim, UINT32_MAX);
		break;
	case 8: /* sends the headers of some datagrams again, from the next one on */
		client->again_end = client->sent - 1;
		client->again = client->again_end -
				(unsigned)min_size(client->again_end, sim_random(sim, 20));
		break;
	}
	return client->next++;
}

/* Sets number and timestamp of the datagram being sent: new ones, or those of an earlier one. */
static void number_datagram(struct udp_client *client)
{
	const unsigned index = client->sent - 1;

	if (client->again < client->again_end) {
		client->numbers[index] = client->numbers[client->again];
		client->timestamps[index] = client->timestamps[client->again++];
		return;
	}
	client->numbers[index] = next_number(client);
	client->timestamps[index] = (uint32_t)(sim_now_ns(client->sim) / 1000) + client->clock_us;
}

static void put_number(uint8_t *to, uint32_t number, size_t bytes)
{
	while (bytes-- > 0) {
		to[bytes] = (uint8_t)number;
		number >>= 8;
	}
}

/* Writes an RTP header of any valid form; returns its size. */
static size_t write_header(struct udp_client *client, uint8_t to[static 64])
{
	struct sim *sim = client->sim;
	const uint32_t sources = sim_random(sim, 4) ? 0 : sim_random(sim, 4);
	const uint32_t words = sim_random(sim, 4) ? 0 : 1 + sim_random(sim, 3);
	size_t bytes = 12 + 4 * sources;

	memset(to, 0x55, 64);
	to[0] = (uint8_t)(128 + sources + (words ? 16 : 0));
	to[1] = (uint8_t)(sim_random(sim, 4) ? 96 : 224 + sim_random(sim, 32));
	number_datagram(client);
	put_number(to + 2, client->numbers[client->sent - 1], 2);
	put_number(to + 4, client->timestamps[client->sent - 1], 4);
	put_number(to + 8, client->ssrc, 4);
	if (words == 0)
		return bytes;
	/* The length of the extension, without its own header. */
	put_number(to + bytes + 2, words - 1, 2);
	return bytes + 4 * words;
}

/* Malforms a datagram with an RTP header; returns its size. */
static size_t spoil(struct sim *sim, uint8_t *datagram, size_t bytes)
{
	switch (sim_random(sim, 5)) {
	case 0:
		return 1 + sim_random(sim, 11); /* less than a header */
	case 1:
		datagram[1] = (uint8_t)(192 + sim_random(sim, 32)); /* RTCP */
		return bytes;
	case 2:
		datagram[0] |= 15; /* CSRCs that are not there */
		return 12 + sim_random(sim, 60);
	case 3:
		datagram[0] = 128 + 16;
		put_number(datagram + 14, 65535, 2);
		return bytes;
	default:
		datagram[0] |= 32; /* padding of a wrong size */
		datagram[bytes - 1] = 0;
		return bytes;
	}
}

static void send_datagram(struct udp_client *client)
{
	uint8_t datagram[2048 + 64 + 8];
	char text[2048];
	size_t head, bytes = write_payload(client, client->sent++, text);

	if (!client->numbered) {
		sim_send_datagram(client->sim, &client->own, &client->to, text, bytes);
		return;
	}
	head = write_header(client, datagram);
	memcpy(datagram + head, text, bytes);
	bytes += head;
	if (sim_random(client->sim, 16) == 0) {
		bytes = spoil(client->sim, datagram, bytes);
	} else if (sim_random(client->sim, 8) == 0) {
		const size_t padding = 1 + sim_random(client->sim, 8);

		memset(datagram + bytes, 0, padding);
		bytes += padding;
		datagram[bytes - 1] = (uint8_t)padding;
		datagram[0] |= 32;
	}
	sim_send_datagram(client->sim, &client->own, &client->to, datagram, bytes);
}

uint64_t udp_client_act(struct udp_client *client)
{
	if (sim_now_ns(client->sim) < client->next_ns)
		return client->next_ns;
	if (client->sent == client->datagrams) {
		client->done = true;
		return UINT64_MAX;
	}
	do {
		send_datagram(client);
	} while (client->burst > 0 && client->sent % client->burst > 0 &&
		 client->sent < client->datagrams);
	client->next_ns = sim_now_ns(client->sim) + 1 + sim_random(client->sim, 30000000);
	if (client->long_pause_ns && sim_random(client->sim, 8) == 0)
		client->next_ns += client->long_pause_ns + client->long_pause_ns / 4;
	/* Time for the last answer. */
	if (client->sent == client->datagrams)
		client->next_ns += 200000000;
	return client->next_ns;
}

void udp_client_receive(struct udp_client *client, const struct address *from, const void *data,
			size_t bytes)
{
	static const char prefix[] = "Received: ";
	char payload[2048];

	if (!address_equal(from, &client->to))
		sim_fail(client->sim,
			 "UDP client %s received an answer from another address than it sent to",
			 client->name);
	if (client->numbered) {
		CHECK(bytes >= 12);
		data = (const char *)data + 12;
		bytes -= 12;
	}
	if (bytes < strlen(prefix) || memcmp(data, prefix, strlen(prefix)) != 0)
		sim_fail(client->sim, "UDP client %s received an answer without the prefix",
			 client->name);
	data = (const char *)data + strlen(prefix);
	bytes -= strlen(prefix);
	for (unsigned i = 0; i < client->sent; i++) {
		if (write_payload(client, i, payload) != bytes || memcmp(payload, data, bytes) != 0)
			continue;
		/* Empty datagrams look alike. */
		if (++client->answers[i] > ANSWERS_MAX && bytes > 0 && !client->numbered)
			sim_fail(client->sim, "datagram %u of UDP client %s was answered %u times",
				 i, client->name, client->answers[i]);
		return;
	}
	sim_fail(client->sim, "UDP client %s received an answer to what it has not sent",
		 client->name);
}

void udp_client_check_all_answered(const struct udp_client *client)
{
	bool empty_answered = false, empty_sent = false;
	char payload[2048];

	/* Numbered datagrams need not all be answered: some are duplicates. */
	for (unsigned i = 0; i < client->sent && !client->numbered; i++) {
		bool empty = write_payload(client, i, payload) == 0;

		empty_sent |= empty;
		empty_answered |= empty && client->answers[i] > 0;
		if (!empty && client->answers[i] == 0)
			sim_fail(client->sim, "datagram %u of UDP client %s was not answered", i,
				 client->name);
	}
	if (empty_sent && !empty_answered)
		sim_fail(client->sim, "no empty datagram of UDP client %s was answered",
			 client->name);
}
