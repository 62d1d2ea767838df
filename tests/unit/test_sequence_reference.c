/* SPDX-License-Identifier: MIT */
/*
 * Sequence numbers against two references: the state that RFC 3550 describes, and one that has no
 * window but remembers every number. Random numbers must get the same verdicts and counters.
 */
#include "lib/test.h"

#include <stdbool.h>
#include <string.h>

#include "lib/random.h"
#include "udp/sequence.h"

static struct sequence sequence;

/* Verdicts as letters: new, reordered, restart, duplicate, late, jump. */
static const char letters[] = "nrRdlj";

static char feed(uint16_t number)
{
	return letters[sequence_update(&sequence, number, 0, 0)];
}

/* ---- RFC 3550 ---- */

/*
 * The state of RFC 3550, section A.1, in its terms. Where numbers are never 100 or more behind, and
 * jumps are strays or restarts, both must agree on all but the probation's deliveries.
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
		verdict = sequence_update(&sequence, number, 0, 0);
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
	size_t count;
	int64_t highest;
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

static void remember(struct memory *memory, int64_t number)
{
	memory->numbers[memory->count++] = number;
	if (memory->count == 1 || number > memory->highest)
		memory->highest = number;
}

static char memory_verdict(struct memory *memory, uint16_t number)
{
	int16_t ahead = (int16_t)(number - (uint16_t)memory->highest);
	int64_t extended = memory->highest + ahead;
	bool near = memory->count > 0 && ahead > -1024 && ahead < 3000;
	bool seen = near && remembers(memory, extended);
	bool sequential = memory->awaited == number;
	char verdict = !near ? ahead < 0 ? 'l' : 'j' : seen ? 'd' : ahead < 0 ? 'r' : 'n';

	if (near && !seen)
		remember(memory, extended);
	if (!memory->valid) {
		memory->awaited = (number + 1) % 65536;
		memory->valid = sequential;
		if (near)
			return verdict;
		if (memory->count > 0)
			forget(memory);
		remember(memory, number);
		return 'n';
	}
	if (verdict == 'n')
		memory->awaited = -1;
	if ((near && !seen) || (seen && ahead > -100))
		return verdict;
	memory->awaited = (number + 1) % 65536;
	if (!sequential)
		return verdict;
	memory->awaited = -1;
	forget(memory);
	remember(memory, number);
	return 'R';
}

/* Numbers without any rule: runs, steps of every size and direction, and again the same. */
static void without_rules(uint64_t seed, uint64_t counts[static sizeof(letters)])
{
	static const unsigned steps[] = { 1, 2, 5, 64, 128, 1100, 1100, 3100, 32770, 65536 };
	static struct memory memory;
	uint16_t number = (uint16_t)random_next(&seed);

	memory = (struct memory){ .awaited = -1 };
	sequence = (struct sequence){ 0 };
	for (size_t step = 0; step < COUNT(memory.numbers); step++) {
		unsigned what = (unsigned)random_below(&seed, 8 * COUNT(steps));
		uint16_t by = (uint16_t)random_below(&seed, steps[what % COUNT(steps)]);
		uint16_t from = (uint16_t)(what % 4 ? number : sequence.highest);
		char verdict;

		number = (uint16_t)(what < 3 * COUNT(steps) && what % 8 < 3 ? from + by
				    : what < 3 * COUNT(steps)		    ? from - by
									    : number + 1);
		verdict = feed(number);
		assert_int_equal(verdict, memory_verdict(&memory, number));
		assert_int_equal((uint16_t)sequence.highest, (uint16_t)memory.highest);
		counts[strchr(letters, verdict) - letters]++;
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
