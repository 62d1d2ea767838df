/* SPDX-License-Identifier: MIT */
/*
 * server.h - the whole server: where TCP and UDP meet.
 *
 *	RUNNING --rollcall_stop()--> DRAINING --again, or too late--> ABORTING
 *	                                |                                |
 *	                                +----------- all gone -----------+--> rollcall_run() returns
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/owner.h"
#include "client/hub.h"
#include "client/trim.h"
#include "server/files.h"
#include "server/posts.h"
#include "tcp/listener.h"
#include "udp/udp.h"

/*
 * Stages of the drain. Grace: clients that have just connected may send their first message. Grace
 * and input, half of the drain time: clients that go on sending, or have begun a message, are
 * received from. Output, the other half: output alone, even for clients that never stop sending.
 */
enum drain_stage {
	DRAIN_GRACE,
	DRAIN_INPUT,
	DRAIN_OUTPUT,
};

enum server_state {
	SERVER_RUNNING,
	SERVER_DRAINING,
	SERVER_ABORTING,
};

struct rollcall_server {
	struct hub hub;
	struct trim trim;
	struct tcp tcp;
	struct udp udp;
	struct posts posts;
	struct files files;
	struct owner *owner;
	bool busy; /* in rollcall_run() or another function that runs callbacks */
	enum server_state state;
	uint8_t cookie_secret[SIPHASH_KEY_BYTES];
	enum drain_stage drain_stage;
	uint64_t drain_end_ns;
	struct timer drain_timer; /* ends the stage */
	bool udp_ended;		  /* all datagrams that had arrived are answered */
	bool unflushed;		  /* more is to be flushed: the next turn does not wait */
	uint64_t held_turns;	  /* turns for which due timeouts have waited for input */
};

/* Whether the caller may use the server. false: another thread, or a forked process. */
static inline bool server_is_callers(const struct rollcall_server *server)
{
	return __builtin_expect(owner_is_caller(server->owner), true);
}

/* Prepares the SQEs that are due. May end UDP clients. */
void server_flush(struct rollcall_server *server);

/*
 * One turn: waits, at most wait_max_ns, handles completions, and runs the timers that are due,
 * timeouts only if no input may still be waiting. Errors as of ring_submit_and_wait().
 */
int server_turn(struct rollcall_server *server, uint64_t wait_max_ns);

/* Initializes the timer of the drain. -ENOMEM */
int server_drain_init(struct rollcall_server *server);

/* In the drain: ends the UDP clients once all datagrams that had arrived are answered. */
void server_end_udp_clients(struct rollcall_server *server);

/* Aborts all clients, and accepts no more. */
void server_abort(struct rollcall_server *server);

/* Frees the services' timers that were not stopped. */
void server_destroy_timers(struct rollcall_server *server);

/* Whether clients are left, or operations whose completion the server has to wait for. */
bool server_is_busy(const struct rollcall_server *server);

#endif
