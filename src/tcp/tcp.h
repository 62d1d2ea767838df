/* SPDX-License-Identifier: MIT */
/*
 * tcp.h - what all TCP clients of a server share.
 */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include "client/hub.h"
#include "client/idle.h"
#include "tcp/delivery.h"
#include "tcp/liveness.h"
#include "tcp/places.h"
#include "tcp/unfinished.h"

/* The iovecs of one send while it is in flight. */
#define GATHER_PIECES 64
#define GATHERS 4096
#define GATHER_NONE UINT16_MAX

_Static_assert(GATHERS < GATHER_NONE, "a gather's number fits into 16 bits");

struct gather {
	struct msghdr message;
	struct iovec pieces[GATHER_PIECES];
};

/* Time for a client to close its side after it has acknowledged our FIN. */
#define TCP_LINGER_MS 2000

/* Retry delay when the kernel lacks memory: no event reports that it has some again. */
#define TCP_RETRY_NS 50000000

/*
 * Received bytes are sent after the turn. Above 1 MiB a turn they have left the CPU cache by then,
 * and others wait long for the turn to end: so the buffer pool does not grow beyond this, and above
 * it shrinks. Waiting for a warm buffer is cheaper.
 */
#define TCP_TURN_BYTES_MAX ((size_t)1 << 20)

/*
 * The share of a client in a turn: a client that sends many short messages at once must not keep
 * the others waiting. What is left over is handled in the next turns, round-robin, for
 * TCP_LEFT_OVER_CLIENTS in each, so that a turn is short however many such clients there are. Such
 * a client's next input is received in small pieces, one at a time, until a piece fits into its
 * share.
 *
 * A client that sends long pieces is beyond its share too: while buffers are short, it gets one
 * after the others (tcp/wait.h).
 */
#define TCP_SHARE_MESSAGES 64
#define TCP_SHARE_BYTES 16384
#define TCP_LIMITED_BYTES 16384
#define TCP_LEFT_OVER_CLIENTS 16

struct listener;

/* What a client has taken of its share of a turn. */
struct tcp_share {
	uint64_t client, turn;
	unsigned messages;
};

struct tcp {
	struct hub *hub;
	struct listener *listeners[HUB_ADDRESSES_MAX];
	unsigned listener_count;
	struct places places;
	struct slab gathers;
	struct client_list no_buffer; /* clients that wait for a buffer only, within their share */
	struct client_list no_buffer_later; /* and beyond it */
	struct client_list no_memory; /* clients that wait for memory, and perhaps for a buffer */
	struct timer memory_timer;
	struct client_list left_over; /* clients whose held input waits for the next turn */
	struct tcp_share share;	      /* of the client handled last */
	struct idle idle;
	struct idle lingering;	  /* all output is acknowledged; the peer has to close its side */
	struct delivery delivery; /* the peer has to acknowledge output */
	struct liveness liveness;
	struct unfinished_list unfinished; /* messages */
	bool was_short;			   /* places or memory, in the last turn */
	struct timer shortage_timer;	   /* wakes the loop to look for memory again */
	struct timer place_timer;	   /* wakes the loop to look for a place again */
	uint64_t place_ending;		   /* the client last ended for its place */
	uint64_t place_looked_at;	   /* the client last looked at for its place */
	uint32_t shortage_used;		   /* blocks in use when it was set */
	uint64_t full_turn;		   /* the turn in which a message got no memory last */
	unsigned full_class;		   /* and from which class on (tcp/shortage.c) */

	/*
	 * Makes space for `bytes` more of the client's unfinished message or held input, at the
	 * cost of clients that hold more, or as much for longer. false: it is itself one that has
	 * to give way.
	 */
	bool (*make_space)(struct tcp *tcp, const struct client *client, size_t bytes);

	uint64_t closes;      /* sockets closed; each frees a descriptor and some memory */
	size_t turn_bytes;    /* received in this turn */
	size_t turn_receives; /* that brought them */
	bool grown_in_turn;   /* the buffer pool has grown in this turn */
};

#endif
