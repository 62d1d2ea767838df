/* SPDX-License-Identifier: MIT */
/*
 * trim.h - gives back memory that a crowd of clients has left unused.
 *
 * What was touched once would stay resident: the blocks of queues, the receive buffers, and what
 * malloc(3) keeps of unfinished messages. It is given back in small steps, some time after it was
 * last used, but for what a server of ordinary load needs again and again.
 */
#ifndef CLIENT_TRIM_H
#define CLIENT_TRIM_H

#include "client/hub.h"

/* Kept: blocks, and buffers of each pool. */
#define TRIM_BLOCKS_KEPT 1024
#define TRIM_BUFFERS_KEPT 64

/* Unfinished messages in bytes that must have ended before malloc(3) is asked to give back. */
#define TRIM_INPUT_BYTES ((size_t)16 << 20)

/* Time until the first step, and between two; blocks and buffers of one step. */
#define TRIM_WAIT_MS 500
#define TRIM_STEP_MS 10
#define TRIM_STEP 1024

struct trim {
	struct hub *hub;
	struct timer timer;	     /* of the next step */
	size_t input_peak_bytes;     /* most that unfinished messages held since the last trim */
	uint64_t taken[QUEUE_POOLS]; /* of each pool, when the timer was set */
	bool is_quiet;		     /* in this turn */
};

/* -ENOMEM */
int trim_init(struct trim *trim, struct hub *hub);

/*
 * Called once per turn. `is_quiet`: the kernel has filled no buffer that is not handled yet, as
 * ring_submit_and_wait() has said with -ETIME.
 */
void trim_check(struct trim *trim, bool is_quiet);

#endif
