/* SPDX-License-Identifier: MIT */
/*
 * hub.h - what the transports share: the ring, the table, memory, time, and the settings.
 *
 * One thread only. Completion handlers change the state of clients and mark them with
 * hub_flush_later(). At the end of the turn each marked client is flushed, and only then are its
 * SQEs prepared. So each kind of operation is started in one place, and when the submission queue
 * is full, the flush continues in the next turn.
 */
#ifndef CLIENT_HUB_H
#define CLIENT_HUB_H

#include "base/log.h"
#include "base/timers.h"
#include "client/table.h"
#include "ring/buffers.h"
#include "ring/socket.h"

/* Maximum number of listeners and endpoints together. */
#define HUB_ADDRESSES_MAX 64

/* Maximum number of parts of a message to send. */
#define HUB_PARTS_MAX 16

struct message {
	const struct iovec *parts;
	unsigned count;
	size_t bytes; /* of all parts */
};

/* TCP buffers at the start. */
#define HUB_TCP_BUFFERS 16

/*
 * Grace period of a TCP client in the drain, from its connect: its first message is awaited for
 * this time, but for a quarter of the drain time at most. Covers a round trip and the time in which
 * a program prepares its request.
 */
#define HUB_GRACE_MS 1000

/*
 * A turn that begins at least this much later than planned follows a stall: the process was
 * stopped, or a callback was slow. Timers that are late because input is handled first are not
 * one.
 */
#define HUB_STALL_MS 250

/* Timeouts of TCP clients are at most this while places or memory are short. */
#define HUB_SHORT_TIMEOUT_MS 5000

/*
 * The SQEs and CQEs of the ring, and the entries of two buffer rings; the kernel's requests of the
 * clients are counted with them.
 */
#define HUB_RING_BYTES ((uint64_t)1 << 20)

/* Buffer groups; also the indices of the pools in struct queue_memory. */
enum { BUFFERS_TCP, BUFFERS_UDP };

struct hub {
	struct ring *ring;
	struct rollcall_server *server; /* passed to callbacks */
	uint64_t now_ns;		/* ring_clock_ns(), read once per turn */
	uint64_t turns;			/* of the loop */
	uint64_t stalled_ns;		/* sum of all stalls (HUB_STALL_MS) */
	uint64_t stall_end_ns;		/* when the last one ended */

	struct table table;
	struct buffers buffers[QUEUE_POOLS];
	struct queue_memory memory;
	struct timers timers;	/* run in the turn in which they are due */
	struct timers timeouts; /* of silent clients: run once all waiting input is handled */

	/*
	 * Slots of the clients to flush: a ring buffer of the table's capacity. A client is in it
	 * at most once.
	 */
	uint32_t *flush;
	uint32_t flush_head, flush_count;

	bool draining;	       /* clients end when the input that has arrived is answered */
	uint64_t grace_end_ns; /* of the drain: until then first messages are awaited */
	bool refusing;	       /* no new clients are accepted */
	struct rollcall_options options; /* `engine` is the one in use */
	int engine_refusal;		 /* why it is epoll, if it was to be chosen; 0 */
	struct log log;
	struct rollcall_stats stats;
};

/* Creates the table and the queues' memory. The options must be set. -ENOMEM. */
int hub_init(struct hub *hub);
void hub_destroy(struct hub *hub);

/*
 * Creates the ring and the buffers: everything that counts against RLIMIT_MEMLOCK. All sizes are
 * divided by 2^halvings, up to HUB_HALVINGS_MAX. -ENOMEM, or as ring_create().
 */
int hub_open_ring(struct hub *hub, unsigned halvings);

/*
 * Whether there is address space for buffers of full size. If so, an -ENOMEM of hub_open_ring() is
 * due to RLIMIT_MEMLOCK.
 */
bool hub_has_buffer_space(void);

void hub_close_ring(struct hub *hub);

#define HUB_HALVINGS_MAX 7

/* For hub_flush_later(): the client is not marked yet. */
void hub_mark(struct hub *hub, struct client *client);

/* Marks a client to be flushed at the end of the turn. */
static inline void hub_flush_later(struct hub *hub, struct client *client)
{
	if (!client_has_any(client, CLIENT_TO_FLUSH))
		hub_mark(hub, client);
}

/* Takes the next marked client; NULL: no more. */
struct client *hub_flush_next(struct hub *hub);

/* Bytes now held by queues and unfinished messages. */
size_t hub_memory_bytes(const struct hub *hub);

/*
 * Whether less than a quarter of the queues' memory is left. Each client may then queue at most one
 * block, so that clients that do read are still served.
 */
static inline bool hub_is_memory_scarce(const struct hub *hub)
{
	const uint32_t limit = hub->memory.blocks.limit;

	return queue_memory_used(&hub->memory) > limit - limit / 4;
}

/*
 * Whether memory is scarce, or less than an eighth of the places for TCP clients is free. Then
 * clients that do not get on have to give way to others.
 */
bool hub_is_short(const struct hub *hub);

/* A timeout as it applies now: shorter while places or memory are short. 0: none, unchanged. */
uint64_t hub_timeout_ms(const struct hub *hub, uint64_t timeout_ms);

/*
 * Call the service's callbacks of these names, if it has them. hub_received() also counts;
 * hub_received_unlisted() does both for a datagram of ROLLCALL_NONE.
 */
void hub_connected(struct hub *hub, struct client *client);
static inline void hub_received(struct hub *hub, struct client *client, const void *data,
				size_t bytes)
{
	const struct origin *origin = client->origin;

	client->messages_received++;
	client->bytes_received += bytes;
	hub->stats.messages_received++;
	hub->stats.bytes_received += bytes;
	if (origin->service.received)
		origin->service.received(hub->server, client->id, data, bytes, origin->context);
}

void hub_received_unlisted(struct hub *hub, const struct origin *origin, const void *data,
			   size_t bytes);
void hub_oversized(struct hub *hub, struct client *client);
void hub_drained(struct hub *hub, struct client *client);

/* Calls disconnected(), and frees the client's slot. */
void hub_disconnected(struct hub *hub, struct client *client);

/* Counts a message accepted for sending; client is NULL for an answer to ROLLCALL_NONE. */
static inline void hub_count_sent(struct hub *hub, struct client *client, size_t bytes)
{
	if (client) {
		client->messages_sent++;
		client->bytes_sent += bytes;
	}
	hub->stats.messages_sent++;
	hub->stats.bytes_sent += bytes;
}

#endif
