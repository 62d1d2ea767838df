/* SPDX-License-Identifier: MIT */
/*
 * client.h - what the server keeps of one client: a slot of the connection table.
 *
 * It is kept small, because a million of them may be idle: 128 bytes, and no buffers. Everything
 * else that a client may need for a while (queued output, an unfinished message) hangs off it.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/queue.h"
#include "rollcall.h"

struct datagram;
struct stream;
struct tcp_input;
struct udp_peer;

/*
 * The life of a client:
 *
 *	  connected         input has ended and all answers are queued, or rollcall_close()
 *	FREE ---> OPEN ------------------------------------------------------> FINISHING
 *	  ^         |                                                              |
 *	  |         | error, abort            the peer has ended its side          | queue is empty
 *	  |         v                         and acknowledged all output          v
 *	  +----- CLOSING <---------------------------------------------------- LINGERING
 *	disconnected            or makes no progress for too long
 *
 * OPEN: messages are received and sent. FINISHING: no more are received; what is queued is sent.
 * LINGERING: our side is shut down; the peer has to acknowledge what it was sent and to end its
 * side, and what it still sends is discarded. CLOSING: operations in flight are cancelled; when
 * none is left, the socket is closed, and the slot becomes free. UDP clients go from OPEN to
 * CLOSING.
 */
enum client_state {
	CLIENT_FREE,
	CLIENT_OPEN,
	CLIENT_FINISHING,
	CLIENT_LINGERING,
	CLIENT_CLOSING,
};

/* Operations in flight, at most one of each kind. Of a UDP client only a GSO batch, as a send;
 * other datagrams are just counted. */
enum {
	IN_FLIGHT_RECEIVE = 1 << 0,
	IN_FLIGHT_SEND = 1 << 1,
	IN_FLIGHT_CANCEL = 1 << 2,
	IN_FLIGHT_CLOSE = 1 << 3,
	IN_FLIGHT_ALL = (1 << 4) - 1,
};

enum {
	CLIENT_TO_FLUSH = 1 << 0,    /* it is among those to flush at the end of the turn */
	CLIENT_PAUSED = 1 << 1,	     /* its queue is long: it is not received from */
	CLIENT_PARKED = 1 << 2,	     /* its receive waits for a buffer */
	CLIENT_LAST_INPUT = 1 << 3,  /* only what has arrived already is received */
	CLIENT_INPUT_ENDED = 1 << 4, /* nothing more will be received */
	CLIENT_PEER_ENDED = 1 << 5,  /* because the peer has ended its side */
	CLIENT_SLOW = 1 << 6,	     /* a send did not take all: what is queued is its own copy */
	CLIENT_WANTS_ROOM = 1 << 7,  /* the service is to be told when the queue has drained */
	CLIENT_CANCELLED = 1 << 8,   /* a cancel of what is in flight has been asked for */
	CLIENT_MULTISHOT = 1 << 9,   /* the receive in flight goes on until it is cancelled */
	CLIENT_GOT_INPUT = 1 << 10,  /* the receive in flight, or the last one, has brought some */
	CLIENT_STARVED = 1 << 11,    /* both its receive and its send wait for memory */
	CLIENT_ACTIVE = 1 << 12,     /* UDP: it has sent after an answer, or three times */
	CLIENT_ALONE = 1 << 13,	     /* UDP: its datagrams are not sent in GSO batches */
	CLIENT_UNACKED = 1 << 14,    /* TCP: watched until the peer has acknowledged all output */
	CLIENT_UNCHECKED = 1 << 12,  /* TCP: its receive was not checked (tcp/liveness.h) */
	CLIENT_SECOND = 1 << 13,     /* TCP: which list of liveness it is in, if in one */
	CLIENT_LOST = 1 << 15,	     /* TCP: reset, but its receive has not reported it */
};

/* Where a client came from: a listener or an endpoint, and the service behind it. */
struct source {
	const struct rollcall_service *service;
	void *context;
	size_t message_bytes_max;
	uint16_t index; /* of the listener or the endpoint */
};

/* The lists that a client can be in at the same time, each with links of its own. */
enum client_list_kind {
	LIST_IDLE, /* by the time of its last activity, or watched for acknowledgements */
	LIST_WAIT, /* free, or waiting: for a buffer, for memory, or to be checked */
	LIST_KINDS,
};

#define LISTS_ALL ((1u << LIST_KINDS) - 1)

struct client_link {
	uint32_t previous, next; /* slots */
};

struct client {
	uint64_t id;
	enum client_state state : 4;
	enum rollcall_transport transport : 4;
	uint8_t in_flight : 4; /* which operations */
	uint8_t listed : 4;    /* in which lists, a bit each */
	uint16_t flags;
	uint16_t gather; /* TCP: of the send in flight, or GATHER_NONE */
	int16_t reason;	 /* why it is closing */
	const struct source *source;
	int fd; /* TCP */
	uint32_t
		acked; /* TCP: bytes that the peer had acknowledged at the last look, modulo 2^32 */
	union {
		struct {
			struct queue queue;
			struct tcp_input *input; /* NULL: nothing is held back */
		} tcp;
		struct {
			struct udp_peer *peer;
			struct stream *stream;	 /* of one that numbers its datagrams */
			struct datagram *queued; /* the last of those not in flight yet */
			uint32_t sends;		 /* of them, and in flight */
		} udp;
	};
	uint32_t active_ms; /* when there was activity last, for the list that it is in */
	uint32_t sending;   /* TCP: bytes of the send in flight, or of the last one */
	struct client_link links[LIST_KINDS];
	void *data; /* the service's own */
	uint64_t messages_received;
	uint64_t bytes_received;
	uint64_t messages_sent;
	uint64_t bytes_sent;
};

static inline bool client_has(const struct client *client, unsigned flags)
{
	return client->flags & flags;
}

static inline void client_set(struct client *client, unsigned flags)
{
	client->flags |= (uint16_t)flags;
}

static inline void client_clear(struct client *client, unsigned flags)
{
	client->flags &= (uint16_t)~flags;
}

/* Memory for an idle client is part of the promise. */
_Static_assert(sizeof(struct client) <= 128, "a client takes two cache lines");

#endif
