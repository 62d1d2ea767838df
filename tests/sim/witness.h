/* SPDX-License-Identifier: MIT */
/*
 * witness.h - a TCP client of the reply service that sends a line, or a burst of them, reads at
 * once, and measures how long the last answer takes. It does nothing for which the server may end
 * it.
 */
#ifndef TESTS_SIM_WITNESS_H
#define TESTS_SIM_WITNESS_H

#include "lib/sim.h"

struct witness {
	struct sim *sim;
	struct sim_connection *connection;
	struct address to;
	uint32_t host;	      /* its address, in host byte order */
	uint64_t next_ns;     /* when it sends the next burst */
	uint64_t sent_ns;     /* when it began to write it; 0: it waits for no answer */
	uint64_t waited_ns;   /* at most, for an answer */
	size_t line_bytes;    /* of each line of the burst, with its ending */
	size_t lines;	      /* of the burst */
	size_t written, read; /* bytes of the burst, and of its answers */
	unsigned bursts;
	bool done;
};

/* It connects from `host`, not before `start_ns`. */
void witness_make(struct witness *witness, struct sim *sim, const struct address *to, uint32_t host,
		  uint64_t start_ns);
void witness_free(struct witness *witness);

/*
 * Acts; returns when to act next, though an answer may come before. An answer that has not come
 * after `most_ns` of a process that was not stopped fails the run. `leaving`: it closes once it has
 * its last answer, and is done.
 */
uint64_t witness_act(struct witness *witness, uint64_t most_ns, bool leaving);

#endif
