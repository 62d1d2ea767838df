/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fail.h"
#include "lib/number.h"

double number_parse(const char *option, const char *text, double min, double max)
{
	char *end;
	double number = strtod(text, &end);

	if (end > text && strcmp(end, "K") == 0) {
		number *= 1024;
		end++;
	}
	if (end == text || *end)
		fail_usage("--%s '%s' is not a number", option, text);
	if (!(number >= min && number <= max))
		fail_usage("--%s '%s' is not allowed: %g to %.10g", option, text, min, max);
	return number;
}

double number_parse_whole(const char *option, const char *text, double min, double max)
{
	double number = number_parse(option, text, min, max);

	if (number != floor(number))
		fail_usage("--%s '%s' is not a whole number", option, text);
	return number;
}
