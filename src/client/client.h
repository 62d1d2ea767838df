/* SPDX-License-Identifier: MIT */
/*
 * client.h - what the server keeps of one client: a slot of the connection table.
 *
 * It is small, as a million clients may be idle: 128 bytes, and no buffers. Anything else that a
 * client needs for a while (queued output, an unfinished message) is allocated separately.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "client/queue.h"
#include "rollcall.h"

struct datagram;
struct rtp_stream;
struct tcp_input;
struct udp_peer;

/*
 * The life of a client:
 *
 *	  connected         input has ended and all answers are queued, or rollcall_close()
 *	FREE ---> OPEN ------------------------------------------------------> FINISHING
 *	  ^         |                                                              |
 *	  |         | error, abort            the peer has closed its side         | queue is empty
 *	  |         v                         and acknowledged all output          v
 *	  +----- CLOSING <---------------------------------------------------- LINGERING
 *	disconnected            or makes no progress for too long
 *
 * OPEN: messages are received and sent. FINISHING: no more messages are received; what is queued is
 * sent. LINGERING: our side is shut down; the peer has to acknowledge all output and to close its
 * side, and what it still sends is discarded. CLOSING: operations in flight are cancelled; when all
 * have completed, the socket is closed and the slot becomes free. UDP clients go from OPEN to
 * CLOSING.
 */
enum client_state {
	CLIENT_FREE,
	CLIENT_OPEN,
	CLIENT_FINISHING,
	CLIENT_LINGERING,
	CLIENT_CLOSING,
};

/*
 * The receive of a TCP client:
 *
 *	  start			 cancel
 *	NONE ---------> WAITING --------> CANCELLING
 *	 | ^ ^		 |    |			|
 *	 | | +-----------+----|-----------------+  last completion
 *	 | |		      | last completion: no buffer
 *	 | |		      v
 *	 | +-------------- NO_BUFFER
 *	 | | a buffer is free ^
 *	 | |		      | last completion: no buffer
 *	 | +---------------- LAST
 *	 |  last completion   ^
 *	 +--------------------+
 *	  start, in the drain
 *
 * WAITING: a multishot receive, which waits for data until it is cancelled. LAST: a receive of what
 * has arrived, which ends when that is taken. NO_BUFFER: none is in flight until a buffer is free.
 * NO_BUFFER_LATER is the same for a client beyond its share (tcp/tcp.h).
 */
enum receive_state {
	RECEIVE_NONE,
	RECEIVE_NO_BUFFER,
	RECEIVE_NO_BUFFER_LATER,
	RECEIVE_WAITING,
	RECEIVE_CANCELLING,
	RECEIVE_LAST,
};

/*
 * Other operations in flight, at most one of each kind. For a UDP client only a GSO batch counts,
 * as a send; its other datagrams are counted in udp.sends.
 */
enum {
	IN_FLIGHT_SEND = 1 << 0, /* or a poll, until the socket takes output */
	IN_FLIGHT_CANCEL = 1 << 1,
	IN_FLIGHT_CLOSE = 1 << 2,
	IN_FLIGHT_ALL = (1 << 3) - 1,
};

enum {
	CLIENT_TO_FLUSH = 1 << 0,    /* queued for the flush at the end of the turn */
	CLIENT_PAUSED = 1 << 1,	     /* output above the soft limit: receiving is suspended */
	CLIENT_LAST_INPUT = 1 << 2,  /* only data that has already arrived is received */
	CLIENT_INPUT_ENDED = 1 << 3, /* nothing more will be received */
	CLIENT_PEER_ENDED = 1 << 4,  /* the peer has closed its side */
	CLIENT_GOT_INPUT = 1 << 5,   /* the receive in flight, or the last, returned data */
	CLIENT_SLOW = 1 << 6, /* a send was partial: polled first, and what is queued is copied */
	CLIENT_DRAINED_DUE = 1 << 7,  /* drained() is due when the queue has drained */
	CLIENT_POLLING = 1 << 8,      /* IN_FLIGHT_SEND is a poll, which is not being cancelled */
	CLIENT_LEFT_OVER = 1 << 9,    /* its held input waits for the next turn */
	CLIENT_LIMITED = 1 << 10,     /* its input exceeded a turn's share: receives are small */
	CLIENT_NO_MEMORY = 1 << 11,   /* both its receive and its send wait for memory */
	CLIENT_ACTIVE = 1 << 12,      /* UDP: has shown that it receives answers */
	CLIENT_ALONE = 1 << 13,	      /* UDP: its datagrams are not sent in GSO batches */
	CLIENT_ANSWERED = 1 << 14,    /* UDP: an answer was sent since its last round */
	CLIENT_CHALLENGED = 1 << 15,  /* UDP: only a cookie makes it active */
	CLIENT_UNACKED = 1 << 14,     /* TCP: watched until the peer has acknowledged all output */
	CLIENT_UNCHECKED = 1 << 12,   /* TCP: its receive is not yet checked (tcp/liveness.h) */
	CLIENT_SECOND = 1 << 13,      /* TCP: if in a list of liveness.h, it is lists[1] */
	CLIENT_RESET_FOUND = 1 << 15, /* TCP: reset, but its receive has not reported it */
};

/* The origin of a client: a listener or an endpoint, and its service. */
struct origin {
	struct rollcall_service service; /* message_bytes_max is set */
	void *context;
	uint16_t index; /* of the listener or the endpoint */
};

/* The kinds of lists. A client can be in one list of each kind at the same time. */
enum client_list_kind {
	LIST_IDLE, /* by last activity, or watched for acknowledgements (tcp/delivery.h) */
	LIST_WAIT, /* free, or waiting: for a buffer, for memory, or for a check */
	LIST_KINDS,
};

#define LISTS_ALL ((1u << LIST_KINDS) - 1)

struct client_link {
	uint32_t previous, next; /* slots */
};

struct client {
	uint64_t id;
	enum client_state state : 3;
	uint8_t beyond_share : 1; /* TCP: its last piece was longer than its share */
	enum rollcall_transport transport : 3;
	uint8_t fin_polled : 1; /* TCP: a poll has reported the peer's FIN */
	enum receive_state receive : 3;
	uint8_t in_flight : 3; /* which other operations */
	uint8_t lists : 2;     /* which lists it is in, a bit each */
	uint16_t flags;
	uint16_t gather; /* TCP: the struct gather of the send in flight, or GATHER_NONE */
	int16_t reason;	 /* why it is closing */
	const struct origin *origin;
	int fd;		/* TCP */
	uint32_t acked; /* TCP: bytes acknowledged at the last check, modulo 2^32 */
	union {
		struct {
			struct queue queue;
			struct tcp_input *input; /* NULL: no input is held */
		} tcp;
		struct {
			struct udp_peer *peer;
			struct rtp_stream *stream; /* NULL: no RTP headers */
			struct datagram *queued;   /* the newest that is not in flight yet */
			uint32_t round_ms;	   /* when its last round ended (udp/session.h) */
			uint16_t sends;		   /* datagrams queued and in flight */
			uint8_t rounds;
		} udp;
	};
	uint32_t active_ms; /* time of the last activity, for the list of LIST_IDLE */
	uint32_t sending;   /* TCP: bytes of the send in flight, or of the last one */
	struct client_link links[LIST_KINDS];
	void *data; /* the service's own */
	uint64_t messages_received;
	uint64_t bytes_received;
	uint64_t messages_sent;
	uint64_t bytes_sent;
};

/* A time of the ring's clock as active_ms has it: in milliseconds, modulo 2^32. */
static inline uint32_t client_ms(uint64_t ns)
{
	return (uint32_t)(ns / 1000000);
}

/* Whether a receive is in flight. */
static inline bool client_is_receiving(const struct client *client)
{
	return client->receive >= RECEIVE_WAITING;
}

static inline bool client_lacks_buffer(const struct client *client)
{
	return client->receive == RECEIVE_NO_BUFFER || client->receive == RECEIVE_NO_BUFFER_LATER;
}

/* Whether it has at least one of the flags. */
static inline bool client_has_any(const struct client *client, unsigned flags)
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

/* The memory use of an idle client is documented, so it must not grow. */
_Static_assert(sizeof(struct client) <= 128, "a client takes two cache lines");

#endif
