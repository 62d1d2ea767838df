/* SPDX-License-Identifier: MIT */
/*
 * core.h - what the transports share: the ring, the table, memory, time, and the settings.
 *
 * One thread only. Handlers of completions change the state of clients and mark them with
 * core_flush_later(); at the end of the turn each marked client is flushed: only then are its SQEs
 * filled in. So each kind of operation starts in one place, and a full submission queue just means
 * that the flush goes on in the next turn.
 */
#ifndef CLIENT_CORE_H
#define CLIENT_CORE_H

#include "base/log.h"
#include "base/timers.h"
#include "client/table.h"
#include "ring/buffers.h"
#include "ring/socket.h"

/* A message to send comes in at most so many parts. */
#define CORE_PARTS_MAX 16

struct message {
	const struct iovec *parts;
	unsigned count;
	size_t bytes; /* of all parts */
};

/* The buffers for TCP that there are at first. */
#define CORE_TCP_BUFFERS 16

/*
 * The grace of a TCP client in the drain: that long after it has connected its first message is
 * waited for, but at most for a quarter of the drain's time. A round trip and the time that a
 * program needs to make a request fit into it.
 */
#define CORE_GRACE_MS 1000

/* The buffer groups, which are also the numbers of the queues' pools. */
enum { BUFFERS_TCP, BUFFERS_UDP };

struct core {
	struct ring *ring;
	struct rollcall_server *server; /* for callbacks */
	uint64_t now_ns;		/* read once a turn */

	struct table table;
	struct buffers buffers[QUEUE_POOLS];
	struct queue_memory memory;
	size_t input_bytes; /* held by unfinished messages */
	struct timers timers;

	/*
	 * Slots of the clients to flush, a ring of the table's capacity: each is in it at most
	 * once.
	 */
	uint32_t *flush;
	uint32_t flush_head, flush_count;

	bool draining;	       /* each client ends when what has arrived from it is answered */
	uint64_t grace_end_ns; /* of the drain: until then new clients may send a first message */
	bool refusing;	       /* no client is taken any more */
	struct rollcall_options options;
	struct log log;
	struct rollcall_stats stats;
};

/* Makes the table and the memory of the queues, for the options, which must be set. -ENOMEM. */
int core_init(struct core *core);
void core_destroy(struct core *core);

/*
 * Makes the ring and the buffers: all that counts against RLIMIT_MEMLOCK, in sizes that are halved
 * so many times, up to CORE_HALVINGS_MAX. -ENOMEM, or as ring_create().
 */
int core_open_ring(struct core *core, unsigned halvings);

/* Whether there is address space for buffers of full size: then locked memory is short. */
bool core_has_buffer_space(void);

void core_close_ring(struct core *core);

#define CORE_HALVINGS_MAX 7

/* Marks a client for the end of the turn. */
void core_flush_later(struct core *core, struct client *client);

/* Takes the next marked client; NULL: there is none. */
struct client *core_flush_next(struct core *core);

/* What queues and unfinished messages hold now. */
size_t core_memory_bytes(const struct core *core);

/*
 * Whether only a quarter of the memory of queues is left: then each client may queue one block at
 * most, so that those which take their answers still get them.
 */
bool core_is_memory_scarce(const struct core *core);

/* Tell the service of a client, if it wants to know. */
void core_connected(struct core *core, struct client *client);
void core_received(struct core *core, struct client *client, const void *data, size_t bytes);
void core_received_unlisted(struct core *core, const struct source *source, const void *data,
			    size_t bytes);
void core_oversized(struct core *core, struct client *client);
void core_drained(struct core *core, struct client *client);

/* Tells the service that a client is gone, and frees its slot. */
void core_disconnected(struct core *core, struct client *client);

/* Counts a message that was accepted for sending; client is NULL if nobody is remembered. */
void core_count_sent(struct core *core, struct client *client, size_t bytes);

#endif
