/* SPDX-License-Identifier: MIT */
/*
 * kind.h - the kinds of crowds: what each client of one does, from "go" on.
 */
#ifndef CROWD_KIND_H
#define CROWD_KIND_H

#include <stdbool.h>
#include <stdint.h>

enum reads {
	READS_ALL,
	READS_SLOWLY, /* some bytes each TICK_MS */
	READS_NOTHING,
};

struct kind {
	const char *name;
	const char *help;
	const char *line;   /* what is sent, again and again; NULL: nothing */
	uint64_t bytes_max; /* a client sends at most; UINT64_MAX: no limit */
	enum reads reads;
	bool half_closes; /* after the last byte */
	bool closes;	  /* at once */
};

/* NULL: there is no such kind. */
const struct kind *kind_find(const char *name);

/* Prints a line of help for each. */
void kinds_print(void);

#endif
