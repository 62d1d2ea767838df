/* SPDX-License-Identifier: MIT */
/*
 * udp_oracle.h - follows every datagram, and checks what the server does and counts.
 *
 * It sees the datagrams that the server receives, those that it delivers to the service, which
 * clients connect and disconnect, and the answers that it sends. Each datagram received must be
 * delivered to its client, or dropped for a valid reason. The counters of each client and of the
 * server must agree with that. Each answer sent must be an expected one, to the address that the
 * request came from, from the address that it went to, with the next sequence number.
 */
#ifndef TESTS_SIM_UDP_ORACLE_H
#define TESTS_SIM_UDP_ORACLE_H

#include "lib/sim.h"
#include "rollcall.h"
#include "sim/sequence_model.h"
#include "sim/drop_rules.h"

#define UDP_ORACLE_CLIENTS_MAX 4096
#define UDP_ORACLE_BATCH_MAX 64

struct udp_oracle_key {
	struct address from, to;
	bool numbered;
	uint32_t ssrc;
};

struct udp_oracle_client {
	rollcall_client id;
	struct udp_oracle_key key;
	uint64_t last_ns;   /* when its last datagram was received */
	uint64_t delivered; /* datagrams */
	uint64_t sent;	    /* answers, as the server counts them */
	bool answered;	    /* since its last round */
	uint64_t round_ms;  /* when its last round ended: a second apart, each after an answer */
	unsigned rounds;
	bool active;
	struct sequence_model *sequence; /* NULL: not numbered */

	/* Of its answers: how many are expected, and what their headers must contain. */
	uint64_t answers;
	bool known;
	uint32_t ssrc;
	uint16_t number; /* of the first */

	/* After disconnected(): why, and its statistics at that time. */
	bool gone;
	int reason;
	uint64_t gone_ns;
	unsigned gone_batch, gone_next; /* in this batch, before that datagram */
	struct rollcall_client_info info;
};

/* One datagram of a GRO batch. */
struct udp_oracle_datagram {
	bool open; /* no rule drops it: it is delivered, or has no client */
	bool delivered;
	struct udp_oracle_key key;
	struct rtp_header header;
	const uint8_t *payload;
	size_t bytes;
	struct udp_oracle_client *owner; /* NULL: no client yet */
	bool has_space;			 /* the client table has space for one more of its source */
};

/* An expected answer. */
struct udp_oracle_answer {
	struct udp_oracle_answer *next;
	struct udp_oracle_client *client; /* NULL: of ROLLCALL_NONE */
	struct udp_oracle_key key;
	struct rtp_header header; /* of the request */
	uint64_t index;
	size_t bytes;
	uint8_t data[];
};

struct udp_oracle {
	struct sim *sim;
	struct rollcall_server *server;
	struct rollcall_options options;
	bool stateless;
	bool closed;   /* comparing has ended */
	bool stopping; /* an endpoint with an empty socket receives nothing more */

	struct udp_oracle_client clients[UDP_ORACLE_CLIENTS_MAX];
	unsigned count, gone;
	unsigned returned;   /* new clients at addresses of earlier ones */
	uint64_t changed_ns; /* when a client was last added or has disconnected */
	uint64_t short_ns;   /* when places were last seen to be short */

	/* The batch received last. */
	struct udp_oracle_datagram batch[UDP_ORACLE_BATCH_MAX];
	unsigned batch_count, next; /* datagrams from here on: not known yet whether delivered */
	unsigned batches;
	uint64_t batch_ns;
	struct udp_oracle_client
		*unchecked[UDP_ORACLE_BATCH_MAX]; /* disconnected, to be checked after the batch */
	unsigned unchecked_count;

	struct udp_oracle_answer *pending, **pending_end;
	uint64_t answers_expected, answers_sent,
		answers_dropped;	/* dropped: for another reason than a full socket */
	struct rollcall_stats expected; /* of the UDP counters */
	uint64_t dropped_full;
	struct drop_rules rules;
};

void udp_oracle_begin(struct udp_oracle *oracle, struct sim *sim, struct rollcall_server *server,
		      const struct rollcall_options *options, bool stateless);
void udp_oracle_end(struct udp_oracle *oracle);

/* For struct sim_tap. */
void udp_oracle_received(struct udp_oracle *oracle, const struct sim_received *received);
void udp_oracle_sent(struct udp_oracle *oracle, const struct address *from,
		     const struct address *to, const void *data, size_t bytes);

/* Before and after the service's received() for a datagram, which it answers. */
void udp_oracle_delivered(struct udp_oracle *oracle, rollcall_client id, const void *data,
			  size_t bytes);
void udp_oracle_answered(struct udp_oracle *oracle, rollcall_client id);

/* In disconnected() of a UDP client. */
void udp_oracle_disconnected(struct udp_oracle *oracle, rollcall_client id, int reason);

/* No client may be much beyond its idle timeout. */
void udp_oracle_check_idle(const struct udp_oracle *oracle);

/* Compares all counters; afterwards nothing is compared any more. */
void udp_oracle_close(struct udp_oracle *oracle);

/* After the run: each expected answer was sent, or counted as dropped. */
void udp_oracle_check_answers(const struct udp_oracle *oracle);

/* ---- Internal ---- */

bool udp_oracle_is_same(const struct udp_oracle_key *a, const struct udp_oracle_key *b);

/* A datagram is delivered, and so must be answered. client: NULL for ROLLCALL_NONE. */
void udp_oracle_expect(struct udp_oracle *oracle, struct udp_oracle_client *client,
		       const struct udp_oracle_datagram *datagram);

/* ---- Internal: udp_oracle_check.c ---- */

struct rollcall_client_info udp_oracle_client_info(const struct udp_oracle *oracle,
						   rollcall_client id);

/* The counters of a disconnected client, and the reason. */
void udp_oracle_check_gone(const struct udp_oracle *oracle, const struct udp_oracle_client *client);

/* An answer may only be dropped if a socket was full, or send slots or memory are used up. */
void udp_oracle_check_drops(struct udp_oracle *oracle);

/* Makes a client active that has shown enough, while a quarter of the places is left. */
void udp_oracle_activate(const struct udp_oracle *oracle, struct udp_oracle_client *client);

/* A client was added, or is about to be gone. */
void udp_oracle_note_change(struct udp_oracle *oracle);

/* The clients must be within the limits, in all and of this source. */
void udp_oracle_check_limits(const struct udp_oracle *oracle, const struct address *source);

/* Whether one more client of a source can be added without an eviction. */
bool udp_oracle_has_space(const struct udp_oracle *oracle, const struct address *source);

/* The counters of connected clients, and of the server. */
void udp_oracle_check_counters(const struct udp_oracle *oracle);

#endif
