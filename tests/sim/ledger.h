/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - what really became of each datagram, against what the server says of it.
 *
 * It sees what the server takes from its sockets, what it delivers to the service, which clients
 * come and go, and what leaves. Each datagram taken must have been delivered to its client, or
 * dropped for a reason that is there; the counters of each client and of the server must tell the
 * same; and each answer that leaves must be owed, to whom it goes, from the address that was asked,
 * with the header that comes next.
 */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "lib/sim.h"
#include "rollcall.h"
#include "sim/numbers.h"
#include "sim/verdict.h"

#define LEDGER_CLIENTS_MAX 4096
#define LEDGER_PARTS_MAX 64

struct ledger_key {
	struct address from, to;
	bool numbered;
	uint32_t ssrc;
};

struct ledger_client {
	rollcall_client id;
	struct ledger_key key;
	uint64_t last_ns;   /* when it was heard of last */
	uint64_t delivered; /* datagrams of it */
	bool active;	    /* it has sent after an answer, or three times */
	bool answered;
	struct numbers *numbers; /* NULL: it has none */

	/* Of its answers: how many were asked for, and what their headers have. */
	uint64_t asked;
	bool known;
	uint32_t ssrc;
	uint16_t number; /* of the first */

	/* Once it is gone: why, and what the server said of it then. */
	bool gone;
	int reason;
	uint64_t gone_ns;
	unsigned gone_taken, gone_next; /* while this was taken, before that part */
	struct rollcall_client_info info;
};

/* One of the datagrams that were taken together. */
struct ledger_part {
	bool open; /* it is for a client, if it has one */
	bool delivered;
	struct ledger_key key;
	struct header header;
	const uint8_t *payload;
	size_t bytes;
	struct ledger_client *owner; /* NULL: nobody is known there */
	bool has_space;		     /* there is a place for one more client of its source */
};

/* An answer that is owed. */
struct ledger_answer {
	struct ledger_answer *next;
	struct ledger_client *client; /* NULL: of ROLLCALL_NONE */
	struct ledger_key key;
	struct header header; /* of what is answered */
	uint64_t index;
	size_t bytes;
	uint8_t data[];
};

struct ledger {
	struct sim *sim;
	struct rollcall_server *server;
	struct rollcall_options options;
	bool stateless;
	bool closed;   /* nothing is compared any more */
	bool stopping; /* an endpoint that has taken all that had come receives nothing more */

	struct ledger_client clients[LEDGER_CLIENTS_MAX];
	unsigned count, gone;
	unsigned returned; /* new clients at addresses where others were before */

	/* What was taken last. */
	struct ledger_part parts[LEDGER_PARTS_MAX];
	unsigned parts_count, next; /* parts from here on are not resolved */
	unsigned taken;
	uint64_t taken_ns;
	struct ledger_client *due[LEDGER_PARTS_MAX]; /* to be checked when all are resolved */
	unsigned due_count;

	struct ledger_answer *owed, **owed_end;
	uint64_t asked, left, dropped;	/* dropped: not for lack of room in a socket */
	struct rollcall_stats expected; /* as far as it has to do with datagrams */
	uint64_t no_place;
	struct judge judge;
};

void ledger_begin(struct ledger *ledger, struct sim *sim, struct rollcall_server *server,
		  const struct rollcall_options *options, bool stateless);
void ledger_end(struct ledger *ledger);

/* As the taps of the simulation. */
void ledger_taken(struct ledger *ledger, const struct sim_taken *taken);
void ledger_left(struct ledger *ledger, const struct address *from, const struct address *to,
		 const void *data, size_t bytes);

/* The service gets a datagram, which it answers; and then it has been answered. */
void ledger_delivered(struct ledger *ledger, rollcall_client id, const void *data, size_t bytes);
void ledger_answered(struct ledger *ledger, rollcall_client id);

/* A client of datagrams is gone. */
void ledger_gone(struct ledger *ledger, rollcall_client id, int reason);

/* Nobody may have been idle for much longer than allowed, and is remembered. */
void ledger_check_idle(const struct ledger *ledger);

/* All that is known until now must agree with the server. From then on it is not compared. */
void ledger_close(struct ledger *ledger);

/* Everything has ended: what was asked for has left, or was counted as lost. */
void ledger_check_answers(const struct ledger *ledger);

/* ---- Inside: the checks ---- */

struct rollcall_client_info ledger_ask(const struct ledger *ledger, rollcall_client id);

/* The counters of a client that is gone, and why it went. */
void ledger_check_gone(const struct ledger *ledger, const struct ledger_client *client);

/* An answer may only have been dropped if a socket had no room, or slots or memory are taken. */
void ledger_check_drops(struct ledger *ledger);

/* There may not be more clients than allowed, in all or of this source. */
void ledger_check_limits(const struct ledger *ledger, const struct address *source);

/* Whether there is a place for one more client of a source, without another making room. */
bool ledger_has_room(const struct ledger *ledger, const struct address *source);

/* Those of the clients that are there, and of all. */
void ledger_check_counters(const struct ledger *ledger);

#endif
