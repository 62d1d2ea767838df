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
	who->next_ns = sim_now_ns(sim) + sim_random(sim, 500000000);
}

/* The text is made from the numbers of the writer and of the letter; some letters are empty. */
static size_t write_letter(const struct correspondent *who, unsigned letter, char text[static 2048])
{
	size_t bytes = (size_t)sprintf(text, "%u:%u:", who->number, letter);
	size_t padding = letter % 5 == 0 ? 1500 : letter;

	if (letter % 7 == 3)
		return 0;
	memset(text + bytes, 'a' + (int)(letter % 26), padding);
	return bytes + padding;
}

uint64_t correspondent_act(struct correspondent *who)
{
	char text[2048];
	size_t bytes;

	if (sim_now_ns(who->sim) < who->next_ns)
		return who->next_ns;
	if (who->sent == who->letters) {
		who->done = true;
		return UINT64_MAX;
	}
	bytes = write_letter(who, who->sent++, text);
	sim_send_datagram(who->sim, &who->own, &who->to, text, bytes);
	who->next_ns = sim_now_ns(who->sim) + 1 + sim_random(who->sim, 30000000);
	/* The last answer is waited for. */
	if (who->sent == who->letters)
		who->next_ns += 100000000;
	return who->next_ns;
}

void correspondent_receive(struct correspondent *who, const struct address *from, const void *data,
			   size_t bytes)
{
	static const char prefix[] = "Received: ";
	char letter[2048];

	if (!address_equal(from, &who->to))
		sim_fail(who->sim, "an answer comes from another address than was asked");
	if (bytes < strlen(prefix) || memcmp(data, prefix, strlen(prefix)) != 0)
		sim_fail(who->sim, "an answer lacks its prefix");
	data = (const char *)data + strlen(prefix);
	bytes -= strlen(prefix);
	for (unsigned i = 0; i < who->sent; i++) {
		if (write_letter(who, i, letter) != bytes || memcmp(letter, data, bytes) != 0)
			continue;
		/* Empty letters look alike. */
		if (++who->answers[i] > ANSWERS_MAX && bytes > 0)
			sim_fail(who->sim, "letter %u was answered %u times", i, who->answers[i]);
		return;
	}
	sim_fail(who->sim, "correspondent %u got an answer to what it has not sent", who->number);
}

void correspondent_check_all_answered(const struct correspondent *who)
{
	bool empty_answered = false, empty_sent = false;
	char letter[2048];

	for (unsigned i = 0; i < who->sent; i++) {
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
