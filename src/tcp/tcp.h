/* SPDX-License-Identifier: MIT */
/*
 * tcp.h - what all TCP clients of a server share.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "client/core.h"
#include "client/idle.h"
#include "tcp/delivery.h"
#include "tcp/liveness.h"

/* The pieces of one send, for as long as it is in flight. */
#define GATHER_PIECES 64
#define GATHERS 4096
#define GATHER_NONE UINT16_MAX

_Static_assert(GATHERS < GATHER_NONE, "a gather's number fits into 16 bits");

struct gather {
	struct msghdr message;
	struct iovec pieces[GATHER_PIECES];
};

/* How long a client may take to end its side after it has acknowledged the end of ours. */
#define TCP_LINGER_MS 2000

/* How long to wait for the kernel's memory before trying again: nothing announces it. */
#define TCP_RETRY_NS 50000000

/*
 * What is received in a turn is sent after it: of so much little is left in the processor's
 * caches by then. So the pool of buffers does not grow for it, and gets smaller again: to wait for
 * a buffer that was just in use is cheaper.
 */
#define TCP_TURN_BYTES_MAX ((size_t)1 << 20)

struct tcp {
	struct core *core;
	struct slab gathers;
	struct client_list parked;  /* wait for a buffer, and not for memory */
	struct client_list starved; /* wait for memory, and perhaps for a buffer */
	struct timer starved_timer;
	struct idle idle;
	struct idle lingering;	  /* all is acknowledged, the peer has to end its side */
	struct delivery delivery; /* the peer has to acknowledge output */
	struct liveness liveness;
	uint64_t closes;    /* each gives back a descriptor and some memory */
	uint64_t turn;	    /* in which something was received last */
	size_t turn_bytes;  /* received in it */
	bool grown_in_turn; /* the pool of buffers */
};

/* -ENOMEM */
int tcp_init(struct tcp *tcp, struct core *core);
void tcp_destroy(struct tcp *tcp);

#endif
