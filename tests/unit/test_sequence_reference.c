/* SPDX-License-Identifier: MIT */
/*
 * Sequence numbers against two references: the state that RFC 3550 describes, and one that has no
 * window but remembers every number. Random numbers must get the same verdicts and counters.
 */
#include "lib/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/random.h"
#include "udp/sequence.h"

static struct sequence sequence;

#define CLOCK_HZ 1000000

/* Verdicts as letters: new, reordered, restart, duplicate, late, jump. */
static const char letters[] = "nrRdlj";

static enum sequence_verdict feed(uint16_t number, uint32_t timestamp, uint64_t arrival_us)
{
	const struct sequence_datagram datagram = { number, timestamp, CLOCK_HZ, arrival_us };

	return sequence_update(&sequence, &datagram);
}

/* ---- RFC 3550 ---- */

/*
 * The state of RFC 3550, section A.1, in its terms. Where numbers are never 100 or more behind, and
 * jumps are strays or restarts, both must agree on all but the probation's deliveries. Without
 * times all that were seen may be copies, which the standard does not know.
 */
struct standard {
	uint16_t max_seq;
	uint32_t cycles, base_seq, bad_seq, probation, received;
	int64_t lost_past; /* before the restarts */
};

static int64_t standard_lost(const struct standard *s)
{
	return (int64_t)(s->cycles + s->max_seq - s->base_seq + 1) - s->received;
}

static bool standard_valid(struct standard *s, uint16_t seq)
{
	bool fresh = s->probation > 0, valid = false, first = false;

	if (fresh) {
		s->probation = seq == (uint16_t)(s->max_seq + 1) ? s->probation - 1 : 1;
		s->max_seq = seq;
		valid = first = s->probation == 0;
	} else {
		uint16_t ahead = (uint16_t)(seq - s->max_seq);

		valid = ahead < 3000 || ahead > 65536 - 100;
		if (ahead < 3000) {
			s->cycles += seq < s->max_seq ? 65536 : 0;
			s->max_seq = seq;
		} else if (!valid) {
			valid = first = seq == s->bad_seq;
			s->bad_seq = (uint16_t)(seq + 1);
		}
	}
	if (first) {
		if (!fresh)
			s->lost_past += standard_lost(s);
		s->max_seq = seq;
		s->base_seq = seq;
		s->bad_seq = 65537;
		s->cycles = 0;
		s->received = 0;
	}
	s->received += valid;
	return valid;
}

static void against_the_standard(void **state)
{
	enum { STEPS = 1000000 };
	struct standard standard = { .probation = 2, .max_seq = UINT16_MAX };
	uint64_t seed = 7, counts[sizeof(letters)] = { 0 };
	uint16_t number = 0;

	(void)state;
	sequence = (struct sequence){ 0 };
	for (int step = 0; step < STEPS; step++) {
		unsigned what = (unsigned)random_below(&seed, 1000);
		uint16_t top = (uint16_t)sequence.highest;
		bool probation, valid;
		enum sequence_verdict verdict;

		number = (uint16_t)(number + 1);
		/* On probation no disorder, of which the standard remembers nothing. */
		if (sequence.state != SEQUENCE_VALID)
			number = (uint16_t)(top + random_below(&seed, 3));
		else if (what < 2)
			number = (uint16_t)(top + random_below(&seed, 3000));
		else if (what < 100)
			number = (uint16_t)(top - random_below(&seed, 100));
		else if (what < 200)
			number = (uint16_t)(top + random_below(&seed, 5));
		else if (what < 210)
			number = (uint16_t)(top + 3000 + random_below(&seed, 65536 - 3000 - 1024));
		probation = sequence.state != SEQUENCE_VALID;
		valid = standard_valid(&standard, number);
		verdict = feed(number, 0, 0);
		counts[verdict]++;
		assert_int_equal(sequence.state == SEQUENCE_VALID, standard.probation == 0);
		if (!probation)
			assert_int_equal(verdict < SEQUENCE_LATE, valid);
		if (standard.probation > 0)
			continue;
		assert_int_equal((uint16_t)sequence.highest, standard.max_seq);
		assert_int_equal(sequence_highest(&sequence), standard.cycles + standard.max_seq);
		assert_int_equal(sequence_lost(&sequence),
				 standard.lost_past + standard_lost(&standard));
	}
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		assert_in_range(counts[i], 1000, STEPS);
}

/* ---- All that was delivered ---- */

/*
 * One that remembers every number delivered since the last begin, in a list. Sequence numbers are
 * taken for what is nearest to the highest.
 */
struct memory {
	int64_t numbers[40000];
	uint32_t timestamps[40000];
	size_t count, clock_first; /* from there on the timestamps are of one clock */
	int64_t highest;
	uint32_t timestamp; /* of the highest, and when it arrived */
	uint64_t arrival_us;
	int awaited;
	bool valid;
	uint64_t lost; /* before the last begin */
};

/* How many numbers between those delivered never came. */
static uint64_t missing(const struct memory *memory)
{
	int64_t lowest = memory->highest;

	for (size_t i = 0; i < memory->count; i++)
		lowest = memory->numbers[i] < lowest ? memory->numbers[i] : lowest;
	return (uint64_t)(memory->highest - lowest + 1) - memory->count;
}

static void forget(struct memory *memory)
{
	memory->lost += missing(memory);
	memory->count = 0;
}

static bool remembers(const struct memory *memory, int64_t number)
{
	for (size_t i = memory->count; i-- > 0;)
		if (memory->numbers[i] == number)
			return true;
	return false;
}

/* Another clock begins with a number that is higher; a late one of another clock tells nothing. */
static void remember(struct memory *memory, int64_t number, uint32_t timestamp, bool of_clock)
{
	const bool is_highest = memory->count == 0 || number > memory->highest;

	if (is_highest && (!of_clock || memory->count == 0))
		memory->clock_first = memory->count;
	memory->timestamps[memory->count] = of_clock || is_highest ? timestamp : memory->timestamp;
	memory->numbers[memory->count++] = number;
	if (is_highest)
		memory->highest = number;
}

/* Whether it was under way for at most a second more or less than the highest. */
static bool is_of_clock(const struct memory *memory, uint32_t timestamp, uint64_t arrival_us)
{
	const int32_t longer = (int32_t)((uint32_t)(arrival_us - memory->arrival_us) -
					 (timestamp - memory->timestamp));

	return longer <= 1000000 && longer >= -1000000;
}

/* Whether the timestamp is later than all of its clock. */
static bool is_later(const struct memory *memory, uint32_t timestamp)
{
	for (size_t i = memory->count; i-- > memory->clock_first;)
		if ((int32_t)(timestamp - memory->timestamps[i]) <= 0)
			return false;
	return true;
}

static char memory_verdict(struct memory *memory, uint16_t number, uint32_t timestamp,
			   uint64_t arrival_us)
{
	bool of_clock = is_of_clock(memory, timestamp, arrival_us);
	bool copy = of_clock && !is_later(memory, timestamp);
	int16_t ahead = (int16_t)(number - (uint16_t)memory->highest);
	int64_t extended = memory->highest + ahead;
	bool near = memory->count > 0 && ahead > -1024 && ahead < 3000;
	bool seen = near && remembers(memory, extended);
	bool sequential = memory->awaited == number;
	char verdict = !near ? ahead < 0 ? 'l' : 'j' : seen ? 'd' : ahead < 0 ? 'r' : 'n';

	if (near && !seen)
		remember(memory, extended, timestamp, of_clock);
	if (!memory->valid) {
		memory->awaited = (number + 1) % 65536;
		memory->valid = sequential;
		if (near)
			return verdict;
		if (memory->count > 0)
			forget(memory);
		remember(memory, number, timestamp, of_clock);
		return 'n';
	}
	if (verdict == 'n')
		memory->awaited = -1;
	if ((near && !seen) || (seen && ahead > -100 && copy))
		return verdict;
	memory->awaited = (number + 1) % 65536;
	if (!sequential)
		return verdict;
	memory->awaited = -1;
	forget(memory);
	remember(memory, number, timestamp, of_clock);
	return 'R';
}

/* The verdict; and the times of the highest number. */
static char memory_take(struct memory *memory, uint16_t number, uint32_t timestamp,
			uint64_t arrival_us)
{
	const char verdict = memory_verdict(memory, number, timestamp, arrival_us);

	if (strchr("nR", verdict)) {
		memory->timestamp = timestamp;
		memory->arrival_us = arrival_us;
	}
	return verdict;
}

/* The timestamp of a number: of a clock on time, which some times goes back, or on, for good. */
static uint32_t timestamp_of(uint64_t *seed, const struct memory *memory, uint16_t number,
			     uint64_t now_us, uint32_t *offset)
{
	const int64_t extended = memory->highest + (int16_t)(number - (uint16_t)memory->highest);

	if (random_below(seed, 500) == 0)
		*offset += (uint32_t)random_below(seed, 4000000) - 2000000;
	if (random_below(seed, 8))
		for (size_t i = memory->count; i-- > 0 && i + 2000 > memory->count;)
			if (memory->numbers[i] == extended)
				return memory->timestamps[i];
	return (uint32_t)now_us + *offset;
}

/* Numbers without any rule: runs, steps of every size and direction, and again the same. */
static uint16_t next_number(uint64_t *seed, uint16_t number)
{
	static const unsigned steps[] = { 1, 2, 5, 64, 128, 1100, 1100, 3100, 32770, 65536 };
	const unsigned what = (unsigned)random_below(seed, 8 * COUNT(steps));
	const uint16_t by = (uint16_t)random_below(seed, steps[what % COUNT(steps)]);
	const uint16_t from = (uint16_t)(what % 4 ? number : sequence.highest);

	if (what >= 3 * COUNT(steps))
		return (uint16_t)(number + 1);
	return (uint16_t)(what % 8 < 3 ? from + by : from - by);
}

static void without_rules(uint64_t seed, uint64_t counts[static sizeof(letters)])
{
	static struct memory memory;
	uint16_t number = (uint16_t)random_next(&seed);
	uint64_t now_us = random_below(&seed, 1ull << 40);
	uint32_t offset = 0, timestamp;

	memory = (struct memory){ .awaited = -1 };
	sequence = (struct sequence){ 0 };
	for (size_t step = 0; step < COUNT(memory.numbers); step++) {
		enum sequence_verdict verdict;

		number = next_number(&seed, number);
		now_us += random_below(&seed, random_below(&seed, 100) ? 20000 : 3000000);
		timestamp = timestamp_of(&seed, &memory, number, now_us, &offset);
		verdict = feed(number, timestamp, now_us);
		assert_int_equal(letters[verdict], memory_take(&memory, number, timestamp, now_us));
		assert_int_equal((uint16_t)sequence.highest, (uint16_t)memory.highest);
		counts[verdict]++;
	}
	assert_int_equal(sequence_lost_unique(&sequence), memory.lost + missing(&memory));
}

static void against_memory(void **state)
{
	uint64_t counts[sizeof(letters)] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		without_rules(seed, counts);
	for (size_t i = 0; i < sizeof(letters) - 1; i++)
		assert_in_range(counts[i], 1000, 400000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_standard),
		cmocka_unit_test(against_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
