/* SPDX-License-Identifier: MIT */
#include "sim/torture.h"

#include <stdio.h>
#include <string.h>

#include "lib/describe.h"
#include "sim/results.h"

static struct sim_failure now;

const struct sim_failure *torture_now(void)
{
	return &now;
}

static const char *name_of(int opcode)
{
	return opcode == SIM_ALLOCATION ? "allocation" : describe_opcode(opcode);
}

const char *torture_format(const struct sim_failure *failure, char text[static TORTURE_BYTES])
{
	snprintf(text, TORTURE_BYTES, "%s,%u,%s", name_of(failure->opcode), failure->nth,
		 describe_error(failure->error));
	return text;
}

bool torture_parse(const char *text, struct sim_failure *failure)
{
	char name[16], error[24], rest;
	bool found = false;

	if (sscanf(text, "%15[a-z],%u,%23[A-Z0-9]%c", name, &failure->nth, error, &rest) != 3)
		return false;
	for (size_t i = 0; i < RESULTS_COUNT && !found; i++) {
		failure->opcode = results[i].opcode;
		found = strcmp(name, name_of(failure->opcode)) == 0;
	}
	failure->error = SIM_ERRORS - 1;
	while (failure->error > 0 && strcmp(error, describe_error(failure->error)) != 0)
		failure->error--;
	return found && failure->error > 0 && failure->nth > 0;
}

unsigned torture(struct run_totals *totals)
{
	unsigned all = 0;

	for (size_t kind = 0; kind < RESULTS_COUNT; kind++) {
		unsigned count = 0;

		for (int i = 0; i < RESULTS_ERRORS_MAX && results[kind].possible[i]; i++) {
			now = (struct sim_failure){ results[kind].opcode, 1,
						    results[kind].possible[i] };
			for (; run_with_failure(&now, false, totals); now.nth++)
				count++;
		}
		printf("  %-12s %6u failures\n", name_of(results[kind].opcode), count);
		/* Without a single failure of a kind the runs would prove nothing. */
		if (count == 0)
			return 0;
		all += count;
	}
	return all;
}
