/* SPDX-License-Identifier: MIT */
/*
 * sim.h - a simulated kernel behind ring.h and socket.h: ring, network and clock, from one seed.
 *
 * The server runs unchanged on it. It enters the simulation in ring_submit_and_wait(): there SQEs
 * are carried out, the people outside (the world) act, time passes, and completions are posted.
 * Nothing else moves, so a run is a function of its seed. By chance, with probabilities that can be
 * set, the simulated kernel does whatever a real one may do. One simulation at a time; everything
 * in one thread.
 */
#ifndef TESTS_LIB_SIM_H
#define TESTS_LIB_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

/* What can go wrong, or at least differently. Each is counted when it happens. */
enum sim_fault {
	SIM_LATE,	   /* an operation is not tried for a while */
	SIM_MULTISHOT_END, /* a multishot ends with a good result */
	SIM_NO_BUFFERS,	   /* a receive finds no buffer, though there may be some */
	SIM_SHORT_RECEIVE, /* fewer bytes than have arrived */
	SIM_EAGAIN_BUFFER, /* MSG_DONTWAIT: EAGAIN comes with a buffer (before Linux 6.8) */
	SIM_EARLY_EAGAIN,  /* MSG_DONTWAIT: EAGAIN though there is more (32 rounds, Linux 6.8) */
	SIM_SHORT_SEND,	   /* fewer bytes than would fit */
	SIM_ACCEPT_EMFILE,
	SIM_ACCEPT_ENFILE,
	SIM_ACCEPT_ENOBUFS,
	SIM_ACCEPT_ENOMEM,
	SIM_ACCEPT_ECONNABORTED,
	SIM_ACK_LATE,	/* what the client has taken is not acknowledged yet */
	SIM_SEND_EPIPE, /* the connection breaks while it is sent on */
	SIM_SEND_ECONNRESET,
	SIM_SEND_ENOMEM,
	SIM_SEND_ENOBUFS,
	SIM_RECEIVE_ENOMEM,
	SIM_RECEIVE_ECONNRESET, /* the connection breaks while it is received from */
	SIM_RESET_UNTOLD_FIRST, /* a poll that is armed after data and a reset tells of the data */
	SIM_RESET_UNTOLD_LATER, /* so does a wake-up that is handled after both */
	SIM_CANCEL_LATE,    /* a cancel finds the operation running: EALREADY, and it ends later */
	SIM_CANCEL_LOST,    /* the operation goes on in the last moment, and may be done: ENOENT */
	SIM_CANCEL_ENOBUFS, /* a cancelled receive ends with ENOBUFS (before Linux 6.5) */
	SIM_CQ_OVERFLOW,    /* the completion queue was full (not by chance: it is made small) */
	SIM_ENTER_EINTR,
	SIM_ENTER_EBUSY,   /* nothing is submitted, completions have to be taken first */
	SIM_ENTER_EAGAIN,  /* nothing is submitted, memory is short */
	SIM_SQ_FULL,	   /* no SQE, though the queue was submitted */
	SIM_TIMEOUT_LATE,  /* a wait takes longer than asked */
	SIM_TIMEOUT_EARLY, /* or ends before, by the slack of timers (prctl(2)) */
	SIM_TIMEOUT_EMPTY, /* or ends without what has come in the meantime */
	SIM_STALL,	   /* the process is stopped for a while, the people outside go on */
	SIM_UDP_LOSS,
	SIM_UDP_DUPLICATE,
	SIM_UDP_REORDER,
	SIM_UDP_KERNEL_DROP,	   /* dropped at the socket, for lack of memory */
	SIM_UDP_BUFFER_FULL,	   /* or of room there (not by chance: it may be made small) */
	SIM_UDP_TOGETHER,	   /* datagrams of one sender come together */
	SIM_UDP_TOO_LONG_TOGETHER, /* they cannot be sent together: EINVAL, too long for the way */
	SIM_UDP_NEVER_TOGETHER,	   /* or EIO, since it never can be */
	SIM_UDP_TRUNCATE,	   /* a datagram is marked as cut */
	SIM_UDP_SEND_ERROR,
	SIM_UDP_SEND_FULL, /* no room in the socket: EAGAIN */
	SIM_UDP_RECEIVE_ERROR,
	SIM_ADDRESSES_CHANGED, /* a notice of it, though they are as they were */
	SIM_FAULTS,
};

extern const char *const sim_fault_names[SIM_FAULTS];

/* One operation or allocation that fails, on purpose and once. */
struct sim_failure {
	int opcode;   /* IORING_OP_*, or SIM_ALLOCATION */
	unsigned nth; /* of its kind, counted from 1; 0: none fails */
	int error;    /* the errno value that it ends with */
};

#define SIM_ALLOCATION (-1)

struct sim_settings {
	uint64_t seed;
	struct sim_failure failure;
	uint32_t chance[SIM_FAULTS];		 /* of 65,536 */
	unsigned sq_entries_max, cq_entries_max; /* smaller than asked for */
	unsigned descriptors_max;		 /* open at a time */
	unsigned halvings;			 /* so often the ring is too large for the memory */
	size_t socket_bytes;			 /* what a connection holds in each direction */
	unsigned pass_pieces; /* operations that one wait goes on with (Linux 6.13); 0: all */
	bool trace;
	bool tolerant; /* of what the server must never do: it is done as Linux does it */
};

struct sim;

/* Called once in each wait: the people outside act. Returns when to call at the latest, in ns. */
typedef uint64_t (*sim_world)(void *context);

/* Begins a simulation; ring_create() finds it. */
struct sim *sim_begin(const struct sim_settings *settings, sim_world world, void *context);

/* Ends it; checks that everything was given back. */
void sim_end(struct sim *sim);

uint64_t sim_now_ns(const struct sim *sim);

/* When the process went on after its last stall; 0: it had none. */
uint64_t sim_resumed_ns(const struct sim *sim);

/* When the oldest datagram arrived that waits at a socket, from an address to another; or never. */
uint64_t sim_waiting_since_ns(const struct sim *sim, const struct address *from,
			      const struct address *to);
const uint64_t *sim_fired(const struct sim *sim);

/* How often operations of a kind ended with an errno value; those that did not fail: with 0. */
#define SIM_OPCODES 64
#define SIM_ERRORS 256
typedef uint64_t sim_results[SIM_OPCODES][SIM_ERRORS];
const sim_results *sim_ended(const struct sim *sim);

/*
 * The most turns that anybody had to wait who could go on: with bytes sent and not received, and
 * none to read.
 */
unsigned sim_longest_wait(const struct sim *sim);

/* A random number below `limit`, from the seed. */
uint32_t sim_random(struct sim *sim, uint32_t limit);

/* Whether a fault happens now; counts it if so. */
bool sim_chance(struct sim *sim, enum sim_fault fault);

/* Datagrams of the server for which a socket had no room. */
uint64_t sim_refused(const struct sim *sim);

/* Datagrams to the server for which a socket had no room; those that leave together count once. */
uint64_t sim_dropped(const struct sim *sim);

/* Whether the failure of the settings has happened. */
bool sim_has_failed(const struct sim *sim);

/* Between these the server runs: only its allocations are counted and fail. */
void sim_enter_server(struct sim *sim);
void sim_leave_server(struct sim *sim);

/* One line of the trace. */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the process: what should never happen has happened. */
void sim_fail(struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* ---- TCP as the people outside see it ---- */

struct sim_connection;

/* Connects to a listening address; NULL: nobody listens, or the backlog is full. */
struct sim_connection *sim_connect(struct sim *sim, const struct address *to);

/* Writes; returns how many bytes there was room for, or -EPIPE: the connection is broken. */
int sim_write(struct sim_connection *connection, const void *data, size_t bytes);

/* Reads; 0: the server has ended its side; -EAGAIN: nothing now; -ECONNRESET. */
int sim_read(struct sim_connection *connection, void *data, size_t bytes);

/* Ends our side. */
void sim_shutdown(struct sim_connection *connection);

/* Breaks the connection. */
void sim_reset(struct sim_connection *connection);

/* Whether nothing more can come from the server. */
bool sim_is_over(const struct sim_connection *connection);

/* Whether the server has accepted it. */
bool sim_is_accepted(const struct sim_connection *connection);

/* Whether the simulated kernel broke the connection by a fault. */
bool sim_was_broken(const struct sim_connection *connection);

/* Lets go of it; it is reset if it has not ended in order. */
void sim_release(struct sim_connection *connection);

/* ---- UDP ---- */

/* Sends a datagram, which may get lost, doubled, or overtaken. */
void sim_send_datagram(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes);

/* Called for each datagram that the server sent and that arrives. */
typedef void (*sim_arrival)(void *context, const struct address *from, const struct address *to,
			    const void *data, size_t bytes);
void sim_on_datagram(struct sim *sim, sim_arrival arrival);

/* The same for datagrams that leave together, and come together. */
void sim_send_segments(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes, size_t segment_bytes);

/* What the server finds in a completion: a datagram, or several of one sender. */
struct sim_taken {
	struct address from, to;
	const uint8_t *data; /* in the server's buffer */
	size_t bytes;
	size_t segment_bytes; /* of each but the last; 0: it is one */
	bool cut;
};

/*
 * Who sees what passes between the server and its sockets: what it takes, just before it does, and
 * each datagram that leaves, whatever becomes of it.
 */
struct sim_tap {
	void (*taken)(void *context, const struct sim_taken *taken);
	void (*left)(void *context, const struct address *from, const struct address *to,
		     const void *data, size_t bytes);
};
void sim_tap(struct sim *sim, const struct sim_tap *tap);

#endif
