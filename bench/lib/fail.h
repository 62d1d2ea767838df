/* SPDX-License-Identifier: MIT */
/*
 * fail.h - how the programs of the benchmark end when something is wrong: a line on standard error
 * that says what, and exit status 1 (or 64, EX_USAGE, for wrong options). What a measurement rests
 * on is checked, and nothing goes on after a fault.
 */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void fail_usage(const char *format, ...);

/* Ends the program if a system call has failed: says `what`, and errno. Returns the result. */
int must(int result, const char *what);

#endif
