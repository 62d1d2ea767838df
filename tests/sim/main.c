/* SPDX-License-Identifier: MIT */
/*
 * rollcall-sim: runs the server on a simulated kernel, seed by seed.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/report.h"
#include "sim/torture.h"

/* From this many seeds on, everything that can happen must have happened. */
#define SEEDS_FOR_ALL 500

static uint64_t seed_now;
static const char *program;

/* A failed check aborts: says how to replay the run. */
static void on_abort(int signal_number)
{
	const struct sim_failure *failure = torture_now();
	char line[256], text[TORTURE_BYTES];
	int bytes;

	(void)signal_number;
	if (failure->nth)
		bytes = snprintf(line, sizeof(line),
				 "failed; to replay it:  %s --fail %s --trace\n", program,
				 torture_format(failure, text));
	else
		bytes = snprintf(line, sizeof(line),
				 "failed; to replay it:  %s --seed %" PRIu64 " --trace\n", program,
				 seed_now);
	if (write(STDERR_FILENO, line, (size_t)bytes) < 0)
		_exit(3);
	_exit(1);
}

static void print_usage(FILE *to)
{
	fprintf(to,
		"Usage: %s [--seeds FIRST-LAST | --seed N [--trace]]\n"
		"       %s --torture | --fail OPERATION,NTH,ERROR [--trace]\n",
		program, program);
}

static void print_help(void)
{
	print_usage(stdout);
	printf("Runs the server on a simulated kernel. The seed decides everything that\n"
	       "happens: the same seed of the same build is the same run.\n"
	       "\n"
	       "  --seeds FIRST-LAST  run these seeds (default 1-1000), report what happened\n"
	       "  --seed N            run this seed only\n"
	       "  --torture           each operation and allocation fails once, with each\n"
	       "                      error that it can have\n"
	       "  --fail OPERATION,NTH,ERROR\n"
	       "                      one of these failures, such as recv,3,ECONNRESET\n"
	       "  --trace             print every event\n"
	       "  -h, --help          print this text\n"
	       "\n"
	       "A failed run prints the seed, the simulated time, what is wrong, and the\n"
	       "command that replays it with a trace. The trace has one event a line, after\n"
	       "the simulated time:\n"
	       "\n"
	       "  a crowd of talkers  at the start: what most clients of the run do\n"
	       "  turn                the server submits its operations and waits\n"
	       "  submit: accept on listener 0 (fd 4)\n"
	       "                      the kernel takes an operation\n"
	       "  client 3 received 161 bytes, more to come\n"
	       "                      a completion, likewise of listeners, endpoints (UDP\n"
	       "                      sockets) and datagram slots\n"
	       "  callback:           the server calls the service\n"
	       "  network:            a TCP client connects, writes, reads, half-closes,\n"
	       "                      closes or resets\n"
	       "  fault:              the simulated kernel does by chance what a real one may\n"
	       "                      do\n"
	       "\n"
	       "Read it from the end: search upwards for the client or the descriptor that\n"
	       "the message names, and for the faults before. \"listener 2 accepted\n"
	       "127.0.0.1:40000 as fd 12\" and \"receive of client 0 (fd 12)\" tell the address,\n"
	       "the descriptor and the ID of a client.\n");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_seeds(uint64_t first, uint64_t last, bool trace)
{
	static struct run_totals totals;
	const uint64_t seeds = last - first + 1;
	double start = seconds(), told = start, took;

	for (seed_now = first; seed_now <= last; seed_now++) {
		run_seed(seed_now, trace, &totals);
		if (seconds() - told < 1 || !isatty(STDOUT_FILENO))
			continue;
		told = seconds();
		printf("seed %" PRIu64 ", %.0f seeds/s\r", seed_now,
		       (double)(seed_now - first) / (told - start));
		fflush(stdout);
	}
	/* A trace is the same text each time. */
	if (trace)
		return 0;
	took = seconds() - start;
	printf("%" PRIu64 " seeds in %.1f s (%.0f seeds/s), %.0f simulated seconds\n", seeds, took,
	       (double)seeds / took, (double)totals.simulated_ns / 1e9);
	if (report_print(&totals) || seeds < SEEDS_FOR_ALL)
		return 0;
	fprintf(stderr, "something never happened: the runs do not show what they should\n");
	return 1;
}

static bool parse_seeds(const char *text, uint64_t *first, uint64_t *last)
{
	char rest;
	int found = sscanf(text, "%" SCNu64 "-%" SCNu64 "%c", first, last, &rest);

	if (found == 1 && !strchr(text, '-'))
		*last = *first;
	return found == 2 || (found == 1 && *last == *first);
}

static int run_torture(void)
{
	static struct run_totals totals;
	double start = seconds();
	unsigned count;

	printf("one failure in each run:\n");
	count = torture(&totals);
	printf("%u failures in %.1f s\n", count, seconds() - start);
	return count ? 0 : 1;
}

static int run_failure(const struct sim_failure *failure, bool trace)
{
	static struct run_totals totals;
	bool failed = run_with_failure(failure, trace, &totals);

	printf("%s\n",
	       failed ? "the failure has happened" : "the run has ended before the failure");
	return 0;
}

static int refuse(const char *what, const char *text)
{
	fprintf(stderr, "%s: bad %s '%s'\n", program, what, text);
	print_usage(stderr);
	return 64;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seeds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 's' },
		{ "trace", no_argument, NULL, 't' },
		{ "torture", no_argument, NULL, 'T' },
		{ "fail", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct sim_failure failure = { 0 };
	uint64_t first = 1, last = 1000;
	bool trace = false, tortured = false;
	int option;

	program = argv[0];
	signal(SIGABRT, on_abort);
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			print_help();
			return 0;
		}
		if (option == 's' && (!parse_seeds(optarg, &first, &last) || first > last))
			return refuse("seeds, FIRST-LAST or N,", optarg);
		if (option == 'f' && !torture_parse(optarg, &failure))
			return refuse("failure, OPERATION,NTH,ERROR,", optarg);
		if (option == '?') {
			print_usage(stderr);
			return 64;
		}
		trace |= option == 't';
		tortured |= option == 'T';
	}
	/* So that nothing is lost when the server aborts. */
	if (trace)
		setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (failure.nth)
		return run_failure(&failure, trace);
	return tortured ? run_torture() : run_seeds(first, last, trace);
}
