/* SPDX-License-Identifier: MIT */
/*
 * number.h - numbers in options.
 */
#ifndef BENCH_NUMBER_H
#define BENCH_NUMBER_H

/*
 * The number that `text`, the value of --option, is; after it may stand K for 1,024. Ends the
 * program with a message that quotes it if it is not one of min to max, or not whole.
 */
double number_parse(const char *option, const char *text, double min, double max);
double number_parse_whole(const char *option, const char *text, double min, double max);

#endif
