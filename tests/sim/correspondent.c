/* SPDX-License-Identifier: MIT */
#include "sim/correspondent.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* A letter may be doubled on its way, and so may the answer to each. */
#define ANSWERS_MAX 4

void correspondent_make(struct correspondent *who, struct sim *sim, unsigned number,
			const struct address *to)
{
	*who = (struct correspondent){ .sim = sim, .number = number, .to = *to };
	who->own.bytes = sizeof(who->own.v4);
	who->own.v4.sin_family = AF_INET;
	who->own.v4.sin_addr.s_addr = htonl(0x0a000000 + number / 3);
	who->own.v4.sin_port = htons((uint16_t)(2000 + number % 3));
	who->letters = 1 + sim_random(sim, CORRESPONDENT_LETTERS_MAX);
	who->burst = sim_random(sim, 3) ? 0 : 2 + sim_random(sim, 30);
	/* At the times after which a client is forgotten, or a little before. */
	who->long_pause_ns = sim_random(sim, 2) ? 0 : 95000000ull << sim_random(sim, 10);
	who->next_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
}

/* The text is made from the numbers of the writer and of the letter; some letters are empty. */
static size_t write_letter(const struct correspondent *who, unsigned letter, char text[static 2048])
{
	size_t bytes = (size_t)sprintf(text, "%02u:%02u:", who->number, letter);
	size_t padding = letter % 5 == 0 ? 1500 : letter;

	if (who->burst > 0)
		padding = who->number % 2 ? 10 : 1000;
	else if (letter % 7 == 3)
		return 0;
	memset(text + bytes, 'a' + (int)(letter % 26), padding);
	return bytes + padding;
}

void correspondent_number(struct correspondent *who)
{
	who->numbered = true;
	who->ssrc = sim_random(who->sim, UINT32_MAX);
	/* Half of them go round soon. */
	who->next = (uint16_t)(sim_random(who->sim, 2) ? sim_random(who->sim, 65536)
						       : 65535 - sim_random(who->sim, 32));
}

/* The number of this letter; then what comes next, mostly the next one. */
static uint16_t next_number(struct correspondent *who)
{
	struct sim *sim = who->sim;

	switch (sim_random(sim, 34)) {
	case 0: /* lost */
		who->next = (uint16_t)(who->next + 1 + sim_random(sim, 5));
		break;
	case 1: /* many */
		who->next = (uint16_t)(who->next + sim_random(sim, 3100));
		break;
	case 2: /* come again, or late */
		who->next = (uint16_t)(who->next - 1 - sim_random(sim, 5));
		break;
	case 3:
		who->next = (uint16_t)(who->next - sim_random(sim, 1200));
		break;
	case 4: /* begins anew */
		who->next = (uint16_t)sim_random(sim, 65536);
		break;
	case 5: /* overtaken by the one after it: see there */
		who->next = (uint16_t)(who->next + 1);
		return (uint16_t)(who->next--);
	case 6: /* another one at the same address */
		who->ssrc++;
		break;
	case 7: /* begins anew a little behind, with another clock */
		who->next = (uint16_t)(who->next - 1 - sim_random(sim, 20));
		who->clock_us += sim_random(sim, UINT32_MAX);
		break;
	case 8: /* plays some letters' headers again, from the next one on */
		who->again_end = who->sent - 1;
		who->again =
			who->again_end - (unsigned)min_size(who->again_end, sim_random(sim, 20));
		break;
	}
	return who->next++;
}

/* The number and the timestamp of the letter that is being sent: new ones, or those of before. */
static void number_letter(struct correspondent *who)
{
	const unsigned letter = who->sent - 1;

	if (who->again < who->again_end) {
		who->numbers[letter] = who->numbers[who->again];
		who->timestamps[letter] = who->timestamps[who->again++];
		return;
	}
	who->numbers[letter] = next_number(who);
	who->timestamps[letter] = (uint32_t)(sim_now_ns(who->sim) / 1000) + who->clock_us;
}

static void put_number(uint8_t *to, uint32_t number, size_t bytes)
{
	while (bytes-- > 0) {
		to[bytes] = (uint8_t)number;
		number >>= 8;
	}
}

/* Makes a header of any form that is allowed; returns its size. */
static size_t write_header(struct correspondent *who, uint8_t to[static 64])
{
	struct sim *sim = who->sim;
	const uint32_t sources = sim_random(sim, 4) ? 0 : sim_random(sim, 4);
	const uint32_t words = sim_random(sim, 4) ? 0 : 1 + sim_random(sim, 3);
	size_t bytes = 12 + 4 * sources;

	memset(to, 0x55, 64);
	to[0] = (uint8_t)(128 + sources + (words ? 16 : 0));
	to[1] = (uint8_t)(sim_random(sim, 4) ? 96 : 224 + sim_random(sim, 32));
	number_letter(who);
	put_number(to + 2, who->numbers[who->sent - 1], 2);
	put_number(to + 4, who->timestamps[who->sent - 1], 4);
	put_number(to + 8, who->ssrc, 4);
	if (words == 0)
		return bytes;
	/* So many words follow, less the one that tells. */
	put_number(to + bytes + 2, words - 1, 2);
	return bytes + 4 * words;
}

/* Breaks a datagram that has a header; returns its size. */
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

static void send_letter(struct correspondent *who)
{
	uint8_t datagram[2048 + 64 + 8];
	char text[2048];
	size_t head, bytes = write_letter(who, who->sent++, text);

	if (!who->numbered) {
		sim_send_datagram(who->sim, &who->own, &who->to, text, bytes);
		return;
	}
	head = write_header(who, datagram);
	memcpy(datagram + head, text, bytes);
	bytes += head;
	if (sim_random(who->sim, 16) == 0) {
		bytes = spoil(who->sim, datagram, bytes);
	} else if (sim_random(who->sim, 8) == 0) {
		const size_t padding = 1 + sim_random(who->sim, 8);

		memset(datagram + bytes, 0, padding);
		bytes += padding;
		datagram[bytes - 1] = (uint8_t)padding;
		datagram[0] |= 32;
	}
	sim_send_datagram(who->sim, &who->own, &who->to, datagram, bytes);
}

uint64_t correspondent_act(struct correspondent *who)
{
	if (sim_now_ns(who->sim) < who->next_ns)
		return who->next_ns;
	if (who->sent == who->letters) {
		who->done = true;
		return UINT64_MAX;
	}
	do {
		send_letter(who);
	} while (who->burst > 0 && who->sent % who->burst > 0 && who->sent < who->letters);
	who->next_ns = sim_now_ns(who->sim) + 1 + sim_random(who->sim, 30000000);
	if (who->long_pause_ns && sim_random(who->sim, 8) == 0)
		who->next_ns += who->long_pause_ns + who->long_pause_ns / 4;
	/* The last answer is waited for. */
	if (who->sent == who->letters)
		who->next_ns += 200000000;
	return who->next_ns;
}

void correspondent_receive(struct correspondent *who, const struct address *from, const void *data,
			   size_t bytes)
{
	static const char prefix[] = "Received: ";
	char letter[2048];

	if (!address_equal(from, &who->to))
		sim_fail(who->sim, "an answer comes from another address than was asked");
	if (who->numbered) {
		CHECK(bytes >= 12);
		data = (const char *)data + 12;
		bytes -= 12;
	}
	if (bytes < strlen(prefix) || memcmp(data, prefix, strlen(prefix)) != 0)
		sim_fail(who->sim, "an answer lacks its prefix");
	data = (const char *)data + strlen(prefix);
	bytes -= strlen(prefix);
	for (unsigned i = 0; i < who->sent; i++) {
		if (write_letter(who, i, letter) != bytes || memcmp(letter, data, bytes) != 0)
			continue;
		/* Empty letters look alike. */
		if (++who->answers[i] > ANSWERS_MAX && bytes > 0 && !who->numbered)
			sim_fail(who->sim, "letter %u was answered %u times", i, who->answers[i]);
		return;
	}
	sim_fail(who->sim, "correspondent %u got an answer to what it has not sent", who->number);
}

void correspondent_check_all_answered(const struct correspondent *who)
{
	bool empty_answered = false, empty_sent = false;
	char letter[2048];

	/* Of numbered letters not all are to be answered. */
	for (unsigned i = 0; i < who->sent && !who->numbered; i++) {
		bool empty = write_letter(who, i, letter) == 0;

		empty_sent |= empty;
		empty_answered |= empty && who->answers[i] > 0;
		if (!empty && who->answers[i] == 0)
			sim_fail(who->sim, "letter %u of correspondent %u was not answered", i,
				 who->number);
	}
	if (empty_sent && !empty_answered)
		sim_fail(who->sim, "no empty letter of correspondent %u was answered", who->number);
}
