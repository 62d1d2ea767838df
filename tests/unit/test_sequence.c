/* SPDX-License-Identifier: MIT */
/*
 * Sequence numbers: scenarios with verdicts and counters worked out by hand from the rules in
 * sequence.h; and streams over a network that loses, duplicates and reorders, whose truth is known.
 */
#include "lib/test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"
#include "udp/sequence.h"

static struct sequence sequence;

/* Verdicts as letters: new, reordered, restart, duplicate, late, jump. */
static const char letters[] = "nrRdlj";

/* Without times: none can be told from a copy by them. */
static char feed(uint16_t number)
{
	const struct sequence_datagram datagram = { .number = number, .clock_hz = 1000000 };

	return letters[sequence_update(&sequence, &datagram)];
}

/* ---- Scenarios ---- */

/*
 * Numbers to feed, "a-b" a run of them, and their verdicts, "x*" as many as it takes; then the
 * counters: received and expected as A.1 counts, unique loss.
 */
struct scenario {
	const char *name, *numbers, *verdicts;
	uint64_t received, expected, lost_unique;
};

static const struct scenario scenarios[] = {
	/* Probation: all is delivered, and counted from the second of two in sequence on. */
	{ "one", "7", "n", 0, 0, 0 },
	{ "two", "7 8", "nn", 1, 1, 0 },
	{ "three", "7 8 9", "nnn", 2, 2, 0 },
	{ "zero first", "0", "n", 0, 0, 0 },
	{ "zero twice", "0 0 1", "ndn", 1, 1, 0 },
	{ "never two in sequence", "0 2 4 6", "nnnn", 0, 0, 3 },
	{ "a gap, then two", "0 2 3", "nnn", 1, 1, 1 },
	{ "a duplicate on probation", "5 5 6", "ndn", 1, 1, 0 },
	{ "the first two swapped", "1 0 2 3", "nrnn", 1, 1, 0 },
	{ "confirmed from below", "10 5 6 7", "nrrr", 2, 5, 2 },
	{ "confirmed by a duplicate", "10 9 10 11", "nrdn", 2, 2, 0 },
	{ "confirmed far below", "2000 979 977 978 979", "nrrrd", 2, 1023, 1020 },
	{ "jumps on probation", "5 40000 5 40000 40001", "nnnnn", 1, 1, 0 },
	{ "probation in another cycle", "65535 0 1", "nnn", 2, 2, 0 },
	{ "far below on probation", "2000 976 977", "nnn", 1, 1, 0 },
	{ "just in the window on probation", "2000 977 978", "nrr", 1, 1023, 1021 },

	/* Loss, duplicates and order. */
	{ "a gap", "0-4 6 7", "nnnnnnn", 6, 7, 1 },
	{ "a gap filled", "0-4 6 7 5", "nnnnnnnr", 7, 7, 0 },
	{ "a gap filled twice", "0-4 6 7 5 5", "nnnnnnnrd", 8, 7, 0 },
	{ "a duplicate hides a loss", "0-4 6 6", "nnnnnnd", 6, 6, 1 },
	{ "the highest twice", "0 1 1", "nnd", 2, 1, 0 },
	{ "before the first", "100 101 99 98", "nnrr", 3, 1, 0 },
	{ "before the first, a gap", "100 101 90", "nnr", 2, 1, 9 },

	/* Round the end of 16 bits. */
	{ "wrap", "65533-65535 0-2", "nnnnnn", 5, 5, 0 },
	{ "wrap over a gap", "65533 65534 1 65535 0", "nnnrr", 4, 4, 0 },
	{ "a first number of 65535", "65535 0", "nn", 1, 1, 0 },
	{ "before a first number of 0", "0 65535 1 2 65535", "nrnnd", 2, 1, 0 },

	/* The edges of what is ahead. */
	{ "2,999 ahead", "0 1 3000 3001", "nnnn", 3, 3001, 2998 },
	{ "3,000 ahead", "0 1 3001 3002", "nnjR", 2, 2, 0 },
	{ "half ahead", "0 1 32768", "nnj", 1, 1, 0 },
	{ "half behind", "0 1 32769", "nnl", 1, 1, 0 },

	/* The edges of what is behind: 99, 100, 1,023 and 1,024. */
	{ "99 behind, seen", "0-200 101", "n*d", 201, 200, 0 },
	{ "1,023 behind, seen", "0-1500 477", "n*d", 1501, 1500, 0 },
	{ "1,024 behind, seen", "0-1500 476", "n*l", 1500, 1500, 0 },
	{ "1,023 behind, unseen", "0-99 101-1123 100", "n*r", 1123, 1123, 0 },
	{ "1,024 behind, unseen", "0-99 101-1124 100", "n*l", 1123, 1124, 1 },
	{ "unseen, in sequence, far behind", "0-99 300-500 101 102 103", "n*rrr", 303, 500, 197 },

	/* Restarts. */
	{ "a stray ahead", "0-9 20000 10 11", "nnnnnnnnnnjnn", 11, 11, 0 },
	{ "a stray below", "0-9 60000 10 11", "nnnnnnnnnnlnn", 11, 11, 0 },
	{ "restart ahead", "0-4 20000-20002", "nnnnnjRn", 6, 6, 0 },
	{ "restart below", "30000-30004 100-102", "nnnnnlRn", 6, 6, 0 },
	{ "the first of the restart again", "0-4 20000 20001 20000", "nnnnnjRr", 6, 5, 0 },
	{ "a jump not confirmed", "0-4 20000 20000 20002 20003", "nnnnnjjjR", 5, 5, 0 },
	{ "confirmed after late ones", "0-4 6 20000 5 20001", "nnnnnnjrR", 7, 7, 0 },
	{ "two strays with new ones between", "0-4 20000 5 20001 6", "nnnnnjnjn", 6, 6, 0 },
	{ "restart in the next cycle", "0-4 40000 40001 65535 0", "nnnnnlRjR", 6, 6, 0 },
	{ "restart to 65535", "5000 5001 65534 65535 0", "nnlRn", 3, 3, 0 },
	{ "a restart keeps what was lost", "0 1 3 20000 20001 20003", "nnnjRn", 4, 6, 2 },
	{ "restart over seen ones", "0-200 0-2", "n*dRn", 203, 202, 0 },
	{ "restart 100 behind", "0-200 100-102", "n*ddd", 203, 200, 0 },
	{ "restart 101 behind", "0-200 99 100 101", "n*dRn", 203, 202, 0 },
	{ "no restart 10 behind", "0-10 0-4", "n*ddddd", 15, 10, 0 },
	{ "a copy far behind", "0-200 0 201 1 202 2 203", "n*dndndn", 206, 203, 0 },

	/* Unseen again where the window has gone on, and not seen by what was there before it. */
	{ "2,048 ahead", "0-99 2147 2046 2048", "n*nrr", 102, 2147, 2045 },
	{ "1,024 ahead", "0-99 1123 100 1122", "n*nrr", 102, 1123, 1021 },
	{ "just as far as the window", "0-1023 2047 1024 1025 2046", "n*nrrr", 1027, 2047, 1020 },
	{ "1,023 ahead", "0-1023 2046 1023 1024 2045", "n*ndrr", 1027, 2046, 1020 },
};

/* Appends the numbers of a text to a list. */
static size_t read_numbers(const char *text, uint16_t *numbers)
{
	size_t count = 0;
	char *end;

	while (*text) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last; first++)
			numbers[count++] = (uint16_t)first;
		text = *end ? end + 1 : end;
	}
	return count;
}

/* The verdict that `pattern` asks for, of which `left` numbers are still to come. */
static char next_verdict(const char **pattern, size_t left)
{
	char verdict = **pattern;

	if ((*pattern)[1] != '*')
		return *(*pattern)++;
	if (left <= strlen(*pattern + 2)) {
		*pattern += 2;
		return next_verdict(pattern, left);
	}
	return verdict;
}

static void run(const struct scenario *scenario)
{
	static uint16_t numbers[4000];
	size_t count = read_numbers(scenario->numbers, numbers);
	const char *pattern = scenario->verdicts;
	uint64_t counts[128] = { 0 };

	sequence = (struct sequence){ 0 };
	for (size_t i = 0; i < count; i++) {
		char verdict = feed(numbers[i]);

		assert_case(scenario->name, verdict, next_verdict(&pattern, count - i));
		counts[(int)verdict]++;
	}
	assert_case(scenario->name, sequence.received, scenario->received);
	assert_case(scenario->name, sequence_expected(&sequence), scenario->expected);
	assert_case(scenario->name, sequence_lost(&sequence),
		    (int64_t)scenario->expected - (int64_t)scenario->received);
	assert_case(scenario->name, sequence_lost_unique(&sequence), scenario->lost_unique);
	assert_case(scenario->name, sequence.delivered, counts['n'] + counts['r'] + counts['R']);
	assert_case(scenario->name, sequence.reordered, counts['r']);
	assert_case(scenario->name, sequence.restarts, counts['R']);
	assert_case(scenario->name, sequence.duplicates, counts['d']);
	assert_case(scenario->name, sequence.late, counts['l']);
	assert_case(scenario->name, sequence.jumps, counts['j']);
}

static void all_scenarios(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(scenarios); i++)
		run(&scenarios[i]);
}

/* What is delivered, by verdict. */
static void delivering(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		assert_int_equal(sequence_delivers((enum sequence_verdict)i),
				 strchr("nrR", letters[i]) != NULL);
}

/* Nothing is counted of a sender that has sent nothing. */
static void empty(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	assert_int_equal(sequence_expected(&sequence), 0);
	assert_int_equal(sequence_lost(&sequence), 0);
	assert_int_equal(sequence_lost_unique(&sequence), 0);
	assert_int_equal(sequence_jitter_us(&sequence), 0);
}

/* The extended number counts the cycles, also beyond 32 bits, and starts again at a restart. */
static void extended_number(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	for (uint32_t number = 65535; number < 65535 + 3 * 65536; number++) {
		assert_int_equal(feed((uint16_t)number), 'n');
		assert_int_equal(sequence_highest(&sequence), number);
	}
	assert_int_equal(sequence_expected(&sequence), 3 * 65536 - 1);
	feed(20000);
	feed(20001);
	assert_int_equal(sequence_highest(&sequence), 20001);

	/* Two below the end of the last cycle that 32 bits can count. */
	sequence.highest = SEQUENCE_MODULUS + (uint64_t)UINT32_MAX - 2;
	sequence.lowest = sequence.base = sequence.highest;
	feed(UINT16_MAX);
	assert_int_equal(sequence_highest(&sequence), UINT32_MAX);
	assert_int_equal(feed(0), 'n');
	assert_int_equal(sequence_highest(&sequence), 0);
	assert_int_equal(feed(UINT16_MAX), 'd');
	assert_int_equal(feed(UINT16_MAX - 1), 'r');
	assert_int_equal(sequence_lost_unique(&sequence) + sequence.delivered,
			 sequence.span_past + 4);
}

/* ---- A network whose truth is known ---- */

enum { SENT = 200000, COPIES = 2 };

struct packet {
	uint64_t when; /* it arrives */
	uint64_t number;
};

static int by_arrival(const void *a, const void *b)
{
	const struct packet *one = a, *other = b;

	if (one->when != other->when)
		return one->when < other->when ? -1 : 1;
	return one->number < other->number ? -1 : 1;
}

/* Sends SENT numbers from `first` on; of a thousand, some are lost, sent twice, and delayed by up
 * to `delay` datagrams. Returns how many arrive. */
static size_t send_all(uint64_t *seed, uint64_t first, unsigned lost, unsigned twice, unsigned late,
		       unsigned delay, struct packet *packets)
{
	size_t count = 0;

	for (uint64_t i = 0; i < SENT; i++) {
		/* First come two in sequence, so that it is known where counting begins. */
		unsigned copies = i > 1 && random_below(seed, 1000) < twice ? 2 : 1;

		for (; i > 1 && copies > 0 && random_below(seed, 1000) < lost; copies--)
			;
		for (; copies > 0; copies--) {
			bool slow = i > 1 && random_below(seed, 1000) < late;
			uint64_t when = 2 * i + (slow ? random_below(seed, 2 * delay) : 0);

			packets[count++] = (struct packet){ when, first + i };
		}
	}
	qsort(packets, count, sizeof(*packets), by_arrival);
	return count;
}

/* Whatever the network does within the window, each number that arrives is delivered just once, and
 * all the counters are what the network did. */
static void over_a_network(unsigned lost, unsigned twice, unsigned late, unsigned delay)
{
	static struct packet packets[COPIES * SENT];
	static bool arrived[SENT];
	uint64_t seed = lost + twice + late + delay, first = random_below(&seed, 65536);
	size_t count = send_all(&seed, first, lost, twice, late, delay, packets);
	uint64_t distinct = 0, reordered = 0, highest = first;

	memset(arrived, 0, sizeof(arrived));
	sequence = (struct sequence){ 0 };
	for (size_t i = 0; i < count; i++) {
		uint64_t number = packets[i].number;
		char expected = arrived[number - first] ? 'd' : number < highest ? 'r' : 'n';

		assert_int_equal(feed((uint16_t)number), expected);
		distinct += !arrived[number - first];
		reordered += expected == 'r';
		arrived[number - first] = true;
		highest = number > highest ? number : highest;
	}
	assert_int_equal(sequence.delivered, distinct);
	assert_int_equal(sequence.duplicates, count - distinct);
	assert_int_equal(sequence.reordered, reordered);
	assert_int_equal(sequence.late + sequence.jumps + sequence.restarts, 0);
	assert_int_equal(sequence_lost_unique(&sequence), highest - first + 1 - distinct);
	assert_int_equal(sequence_highest(&sequence), highest);
	/* All but the first, which was on probation. */
	assert_int_equal(sequence_expected(&sequence), highest - first);
	assert_int_equal(sequence.received, count - 1);
	assert_int_equal(sequence_lost(&sequence), (int64_t)(highest - first) - (int64_t)count + 1);
}

static void networks(void **state)
{
	(void)state;
	over_a_network(0, 0, 0, 1);
	over_a_network(10, 0, 0, 1);
	over_a_network(0, 10, 0, 1);
	over_a_network(0, 0, 10, 5);
	over_a_network(200, 100, 100, 50);
	over_a_network(10, 0, 500, 1000);
	over_a_network(100, 0, 1000, 1020);
	over_a_network(0, 1000, 1000, 99);
}

/* ---- Copies, and senders that begin again ---- */

#define HZ 8000
#define PACE_US 20000

/* Number n of a sender of HZ ticks, one each PACE_US; timestamps from `base` on. */
static char feed_at(uint16_t number, uint32_t base, unsigned n, uint64_t arrival_us)
{
	const struct sequence_datagram datagram = {
		.number = number,
		.timestamp = base + n * (HZ / 1000 * (PACE_US / 1000)),
		.clock_hz = HZ,
		.arrival_us = arrival_us,
	};

	return letters[sequence_update(&sequence, &datagram)];
}

/* A run at its pace; returns when the next would arrive. */
static uint64_t feed_run(unsigned count, uint32_t base, uint64_t begin_us, const char *verdicts)
{
	for (unsigned n = 0; n < count; n++) {
		const char expected = verdicts[n < strlen(verdicts) ? n : strlen(verdicts) - 1];

		assert_int_equal(feed_at((uint16_t)n, base, n, begin_us + n * PACE_US), expected);
	}
	return begin_us + count * PACE_US;
}

/*
 * A sender that begins again fewer than 100 behind costs one datagram: with a clock of any other
 * time, with one that has run on, or with the same timestamps after more than a second.
 */
static void begins_again(void **state)
{
	static const struct {
		const char *name;
		uint32_t base;
		uint64_t pause_us;
	} cases[] = {
		{ "earlier", 5000 - 1000000u, 0 },	{ "later", 5000 + 1000000, 0 },
		{ "half round", 5000 + (1u << 31), 0 }, { "runs on", 5000 + 100 * 160, 0 },
		{ "the same, later", 5000, 1100000 },	{ "much later", 5000, 100000000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned count = 3; count < 100; count += 16) {
			uint64_t at_us = 77;

			sequence = (struct sequence){ 0 };
			at_us = feed_run(count, 5000, at_us, "n") + cases[i].pause_us;
			at_us = feed_run(count, cases[i].base, at_us, "dRn") + 2000000;
			assert_case(cases[i].name, sequence_jitter_us(&sequence), 0);
			/* Its first number is known no more. */
			feed_run(count, cases[i].base, at_us, "rdRn");
			assert_case(cases[i].name, sequence.restarts, 2);
			assert_case(cases[i].name, sequence.duplicates, 2);
			assert_case(cases[i].name, sequence_lost_unique(&sequence), 0);
		}
}

/* Sends a train at its pace, whose copies come `late` numbers later. */
static void feed_train_twice(unsigned count, unsigned late)
{
	for (unsigned n = 0; n < count + late; n++) {
		if (n < count)
			assert_int_equal(feed_at((uint16_t)n, 5000, n, n * PACE_US), 'n');
		if (n >= late)
			assert_int_equal(feed_at((uint16_t)(n - late), 5000, n - late, n * PACE_US),
					 'd');
	}
}

/* The network sends all of a train twice, up to a second apart: copies, and nothing else. */
static void copied_trains(void **state)
{
	(void)state;
	for (unsigned count = 2; count < 500; count += 31)
		for (unsigned late = 0; late <= SEQUENCE_COPY_US / PACE_US; late++) {
			sequence = (struct sequence){ 0 };
			feed_train_twice(count, late);
			assert_int_equal(sequence.restarts, 0);
			assert_int_equal(feed_at((uint16_t)count, 5000, count, 1000 * PACE_US),
					 'n');
			assert_int_equal(sequence_lost_unique(&sequence), 0);
		}
}

/* A burst of one timestamp, all of which comes again at once. */
static void copied_burst(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	for (unsigned i = 0; i < 160; i++)
		assert_int_equal(feed_at((uint16_t)(i % 80), 5000, 0, i), i < 80 ? 'n' : 'd');
	assert_int_equal(sequence.restarts, 0);
}

/*
 * A clock that jumps at a new number is another one, and timestamps of the one before tell nothing
 * then, wherever they are; so a train that is sent twice after it is still copies.
 */
static void clock_jumps(void **state)
{
	static const uint32_t bases[] = { 0, 1300000000, 2300000000, 4200000000, 100 };
	uint64_t at_us = 0;

	(void)state;
	sequence = (struct sequence){ 0 };
	for (size_t i = 0; i < COUNT(bases); i++)
		for (unsigned n = 0; n < 60; n++, at_us += PACE_US) {
			const uint16_t number = (uint16_t)(30 * i + n % 30);

			assert_int_equal(feed_at(number, bases[i], n % 30, at_us),
					 n < 30 ? 'n' : 'd');
		}
	assert_int_equal(sequence.restarts, 0);
}

/* Video shows frames in another order than it sends them: their timestamps go back and forth. */
static void other_order_of_frames(void **state)
{
	static const unsigned shown[] = { 0, 4, 2, 1, 3, 8, 6, 5, 7 };

	(void)state;
	sequence = (struct sequence){ 0 };
	for (unsigned copied = 0; copied <= 1; copied++)
		for (uint16_t i = 0; i < COUNT(shown); i++)
			assert_int_equal(feed_at(i, 0, shown[i], (i + copied * 9) * PACE_US),
					 copied ? 'd' : 'n');
	assert_int_equal(sequence.restarts, 0);
}

/* One that is no copy is not yet a restart, nor are two that do not follow each other. */
static void not_twice(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	feed_run(20, 5000, 0, "n");
	assert_int_equal(feed_at(3, 900000, 0, 20 * PACE_US), 'd');
	assert_int_equal(feed_at(20, 5000, 20, 20 * PACE_US), 'n');
	assert_int_equal(feed_at(4, 900000, 1, 21 * PACE_US), 'd');
	assert_int_equal(feed_at(6, 900000, 2, 21 * PACE_US), 'd');
	/* What is no copy says nothing of the way. */
	assert_int_equal(sequence_jitter_us(&sequence), 0);
	/* What follows is a copy: no restart either. */
	assert_int_equal(feed_at(7, 5000, 7, 21 * PACE_US), 'd');
	assert_int_equal(feed_at(21, 5000, 21, 21 * PACE_US), 'n');
	assert_int_equal(sequence.restarts, 0);
	assert_int_equal(sequence.duplicates, 4);
}

/* ---- Jitter ---- */

/* Feeds the next number, with its transit time. */
static void arrive(uint16_t number, uint64_t sent_us, uint64_t transit_us)
{
	const struct sequence_datagram datagram = {
		.number = number,
		.timestamp = (uint32_t)sent_us,
		.clock_hz = 1000000,
		.arrival_us = sent_us + transit_us,
	};

	sequence_update(&sequence, &datagram);
}

/*
 * By hand: J is kept times 16, so that a first difference d makes it d, and each one after adds
 * d - (J + 8) / 16: 160; 160 - 10 = 150; 150 + 320 - 9 = 461; 461 - 29 = 432.
 */
static void jitter_by_hand(void **state)
{
	static const uint32_t transits[] = { 1000, 840, 840, 1160, 1160 };
	static const uint64_t scaled[] = { 0, 160, 150, 461, 432 };

	(void)state;
	sequence = (struct sequence){ 0 };
	for (uint16_t i = 0; i < COUNT(transits); i++) {
		arrive(i, 20000u * i, transits[i]);
		assert_int_equal(sequence.jitter_us, scaled[i]);
		assert_int_equal(sequence_jitter_us(&sequence), scaled[i] / 16);
	}
}

/* Against RFC 3550's formula in floating point, over both clocks' ends and times of any range. */
static void jitter_formula(void **state)
{
	(void)state;
	for (uint64_t spread = 1; spread <= 1u << 30; spread *= 8) {
		uint64_t seed = spread;
		double jitter = 0, before = 0;

		sequence = (struct sequence){ 0 };
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t transit = (uint32_t)random_below(&seed, spread);

			arrive((uint16_t)i, 4290000000u + (20000 + (1ull << 32)) * i, transit + 77);
			if (i > 0)
				jitter += (fabs(transit - before) - jitter) / 16;
			before = transit;
			/* Rounded by at most half a sixteenth each time, of which 15/16 stay. */
			assert_true(fabs((double)sequence.jitter_us / 16 - jitter) <= 0.5);
		}
	}
}

/* The largest difference of all, ever again, neither overflows nor is passed. */
static void jitter_largest(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	for (uint16_t i = 0; i < 1000; i++) {
		arrive(i, 0, (uint64_t)i << 31);
		assert_in_range(sequence_jitter_us(&sequence), 0, 1u << 31);
	}
	assert_in_range(sequence_jitter_us(&sequence), (1u << 31) - 1, 1u << 31);
}

/* Late ones and strays are not measured; another clock after a restart is not jitter. */
static void jitter_restart(void **state)
{
	(void)state;
	sequence = (struct sequence){ 0 };
	arrive(0, 0, 500);
	arrive(1, 100, 516);
	assert_int_equal(sequence_jitter_us(&sequence), 1);
	arrive(20000, 0, 900000);
	assert_int_equal(sequence.jitter_us, 16);
	arrive(20001, 0, 800000);
	assert_int_equal(sequence.restarts, 1);
	assert_int_equal(sequence.jitter_us, 16);
	arrive(20002, 0, 800032);
	assert_int_equal(sequence.jitter_us, 16 + 32 - 1);
	/* A jump on probation is a restart too. */
	sequence = (struct sequence){ 0 };
	arrive(0, 0, 500);
	arrive(20000, 0, 900000);
	assert_int_equal(sequence.jitter_us, 0);
	arrive(20000, 0, 900016);
	assert_int_equal(sequence.jitter_us, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_scenarios),
		cmocka_unit_test(delivering),
		cmocka_unit_test(empty),
		cmocka_unit_test(extended_number),
		cmocka_unit_test(networks),
		cmocka_unit_test(begins_again),
		cmocka_unit_test(copied_trains),
		cmocka_unit_test(copied_burst),
		cmocka_unit_test(other_order_of_frames),
		cmocka_unit_test(not_twice),
		cmocka_unit_test(clock_jumps),
		cmocka_unit_test(jitter_by_hand),
		cmocka_unit_test(jitter_formula),
		cmocka_unit_test(jitter_largest),
		cmocka_unit_test(jitter_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
