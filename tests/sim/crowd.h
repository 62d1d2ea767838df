/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - kinds of crowds, and what their clients do.
 *
 * The clients of a crowd are TCP clients of the reply service that do one thing together. Each
 * checks every byte that it receives, and that its stream does not end in the middle of an answer.
 */
#ifndef TESTS_SIM_CROWD_H
#define TESTS_SIM_CROWD_H

#include "lib/sim.h"

enum crowd {
	CROWD_FLOODERS,	    /* send many tiny lines at once, and read all answers */
	CROWD_HOARDERS,	    /* send long lines that they never finish */
	CROWD_SLOW_READERS, /* ask for more than they read */
	CROWD_HALF_CLOSERS, /* close their side, and read late, or never */
	CROWD_SILENT,	    /* say something once, and never close: they expire together */
	CROWD_LEAVERS,	    /* leave at the same moment, and come back */
	CROWD_TALKERS,	    /* send a line now and then, whether the server answers or not */
	CROWD_SQUATTERS,    /* from two sources, take all places, and stay silent */
	CROWDS,
};

extern const char *const crowd_names[CROWDS];

/* What a client of a crowd does after it has sent everything. */
enum crowd_end { CROWD_STAYS, CROWD_HALF_CLOSES, CROWD_RESETS, CROWD_ABANDONS };

struct crowd_client {
	struct sim *sim;
	struct sim_connection *connection;
	struct address to;
	uint32_t host;		 /* its address, in host byte order */
	size_t line_bytes;	 /* of each line, with its ending */
	size_t lines;		 /* SIZE_MAX: one that never ends */
	size_t chunk_bytes;	 /* most that it sends at a time */
	size_t read_bytes;	 /* most that it reads at a time */
	uint32_t pause_ns;	 /* between two times */
	uint64_t reads_after_ns; /* from its connect on; UINT64_MAX: never */
	enum crowd_end end;
	uint64_t end_ns;  /* not before; of CROWD_STAYS: never */
	bool comes_back;  /* once */
	bool is_innocent; /* the server must answer everything */
	size_t sent, read;
	uint64_t connected_ns, next_ns;
	uint32_t wait_ns; /* longer than the pause, as long as it can do nothing */
	bool ended;	  /* has half-closed */
	bool done;
};

/* Makes a client of a crowd, which connects soon, or, if `at_once`, now. */
void crowd_client_make(struct crowd_client *client, struct sim *sim, enum crowd kind,
		       const struct address *to);

void crowd_client_free(struct crowd_client *client);

/*
 * Acts, if it is time; returns when to act next. `stopping`: the server was told to stop, and may
 * end the connection.
 */
uint64_t crowd_client_act(struct crowd_client *client, bool stopping);

#endif
