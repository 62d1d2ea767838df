/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "program/number.h"

static const char *const not_a_number[] = {
	[NUMBER_WHOLE] = "is not a whole number",
	[NUMBER_BYTES] = "is not a number of bytes",
	[NUMBER_SECONDS] = "is not a number of seconds",
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns the power of 1024 that a suffix stands for, or 0 if the suffix is invalid. */
static uint64_t suffix_unit(char suffix)
{
	switch (suffix) {
	case 'K':
	case 'k':
		return 1ULL << 10;
	case 'M':
	case 'm':
		return 1ULL << 20;
	case 'G':
	case 'g':
		return 1ULL << 30;
	default:
		return 0;
	}
}

/* Reads the decimals after the point as milliseconds; *end then points behind the last digit. */
static uint64_t decimals_ms(const char *text, const char **end)
{
	uint64_t ms = 0;

	for (uint64_t place = 100; place && is_digit(*text); place /= 10)
		ms += place * (uint64_t)(*text++ - '0');
	*end = text;
	return ms;
}

const char *number_parse(enum number_kind kind, const char *text, uint64_t min, uint64_t max,
			 uint64_t *value)
{
	uint64_t unit = kind == NUMBER_SECONDS ? 1000 : 1, more = 0, number;
	const char *end;

	if (!*text)
		return "is empty";
	if (*text == '-' && is_digit(text[1]))
		return "is negative";
	if (!is_digit(*text))
		return not_a_number[kind];

	errno = 0;
	number = strtoull(text, (char **)&end, 10);
	if (errno == ERANGE)
		return "is too large";
	if (kind == NUMBER_BYTES && suffix_unit(*end))
		unit = suffix_unit(*end++);
	else if (kind == NUMBER_SECONDS && *end == '.' && is_digit(end[1]))
		more = decimals_ms(end + 1, &end);
	if (*end)
		return kind == NUMBER_SECONDS && is_digit(*end) ? "has more than three decimals"
								: not_a_number[kind];

	if (__builtin_mul_overflow(number, unit, &number) ||
	    __builtin_add_overflow(number, more, &number) || number > max)
		return "is too large";
	if (number < min)
		return "is too small";
	*value = number;
	return NULL;
}
