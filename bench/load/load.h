/* SPDX-License-Identifier: MIT */
/*
 * load.h - clients of one kind that send messages, and what becomes of them.
 *
 * Each client has messages in flight: begun, and neither answered nor given up. run.c begins them,
 * in a closed loop when another is answered, in an open loop when their time has come, and collects
 * the results; a traffic sends them and checks the answers.
 */
#ifndef LOAD_LOAD_H
#define LOAD_LOAD_H

#include "load/histogram.h"
#include "load/settings.h"
#include "load/usage.h"

#define CLIENTS_MAX (1 << 24)
#define INFLIGHT_MAX (1 << 16)
#define MESSAGE_BYTES_MAX (64 << 10)

_Static_assert(MESSAGE_BYTES_MAX <= PATTERN_BYTES, "the text of a message is one piece");

/* What IPv4 takes in one datagram. */
#define UDP_BYTES_MAX 65507
#define UDP_HEADER_BYTES 12

struct client {
	int fd; /* -1: not connected */
	uint32_t index;
	uint32_t in_flight;
	bool waits_to_send;
	uint64_t begun;	   /* messages */
	uint64_t sent;	   /* TCP: bytes, UDP: messages */
	uint64_t received; /* TCP: bytes, UDP: messages up to the latest that was answered */
	uint64_t *due_ns;  /* when each of the latest messages was to be sent, or: */
};

/* In the place of a time. */
#define DUE_ANSWERED 0
#define DUE_LOST 1

/* What has come of the messages of a slice of time. */
struct slice {
	uint64_t begin_ns, end_ns;
	uint64_t begun, answered;
	uint64_t unsent;      /* open loop: their time had come, but there was no room */
	uint64_t lost;	      /* UDP: not answered in time */
	uint64_t late;	      /* UDP: answered after all */
	uint64_t duplicated;  /* UDP: answered again */
	uint64_t reordered;   /* UDP: answered after a later one */
	uint64_t connections; /* opened for a message each */
	struct histogram latency;
	struct histogram delay; /* open loop: how long after their time they were sent */
	struct usage load, server;
};

struct load {
	struct settings settings;
	const struct traffic *traffic;
	struct slice slice;
	struct client *clients;
	uint64_t due_mask; /* messages modulo this + 1 have a place in due_ns */
	uint64_t in_flight;
	uint64_t now_ns;
	uint64_t stop_ns;     /* nothing is begun from here on */
	uint64_t next_ns;     /* open loop: when the next message is due */
	uint64_t progress_ns; /* when the last answer came, or the first message was begun */
	uint64_t opened;      /* connections, ever */
	uint64_t seed;
	int epoll;
	int idle_epoll;
};

struct traffic {
	/* Makes a client able to send. */
	void (*open)(struct load *load, struct client *client);

	/* Sends what is begun, as far as the socket takes it. */
	void (*send)(struct load *load, struct client *client);

	/* Takes all that has come, checks it, and calls client_answered(). */
	void (*receive)(struct load *load, struct client *client, uint32_t events);

	/* Gives up what is in flight for too long. May be NULL. */
	void (*expire)(struct load *load, struct client *client);

	/* Fails if anything comes after the last answer. May be NULL. */
	void (*finish)(struct load *load, struct client *client);

	/* So many messages of a client are remembered for one in flight. */
	unsigned memory;
};

extern const struct traffic tcp_traffic, connect_traffic, udp_traffic;

uint64_t clock_ns(void);

/* Opens all clients. They live until the program ends. */
void load_open(struct load *load);

/* Begins messages for so long, waits until none is in flight, and leaves the results in slice. */
void load_run(struct load *load, uint64_t duration_ns);

/* Ends all clients, and makes sure that nobody got more than was answered. */
void load_finish(struct load *load);

/* For a traffic: a message is answered, or given up, and no longer in flight. */
void client_answered(struct load *load, struct client *client, uint64_t message);
void client_lost(struct load *load, struct client *client, uint64_t message);

/*
 * EPOLL_CTL_ADD or EPOLL_CTL_MOD. Edge-triggered, which is cheaper, and for writing only while the
 * client waits to send.
 */
void client_watch(struct load *load, struct client *client, int operation, bool waits_to_send);

/* A new socket, from an address of its own among the loopback addresses if the server is on one. */
int connection_socket(struct load *load, int type);

/* Connects the socket and waits for that; returns it. */
int connection_open(struct load *load, int type);

/* TCP clients that do nothing. */
void idle_open(struct load *load);
void idle_check(struct load *load);

/* Prints the slice as a line of JSON. */
void report_print(const struct load *load);

#endif
