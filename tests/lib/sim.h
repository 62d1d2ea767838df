/* SPDX-License-Identifier: MIT */
/*
 * sim.h - a simulated kernel behind ring.h and socket.h: ring, network and clock, from one seed.
 *
 * The server runs unchanged on it. It enters the simulation in ring_submit_and_wait(): there SQEs
 * are carried out, the clients act, time passes, and completions are posted; the work of the turn
 * before takes its time first. Nothing happens at other times, so a run is a function of its seed.
 * By chance, with probabilities that can be set, the simulated kernel does whatever a real one may
 * do. One simulation at a time, in one thread.
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
	SIM_NO_BUFFERS,	   /* a receive finds no buffer, even if the group has some */
	SIM_SHORT_RECEIVE, /* fewer bytes than have arrived */
	SIM_EAGAIN_BUFFER, /* MSG_DONTWAIT: EAGAIN comes with a buffer (before Linux 6.8) */
	SIM_EARLY_EAGAIN,  /* MSG_DONTWAIT: EAGAIN though there is more (32 rounds, Linux 6.8) */
	SIM_SHORT_SEND,	   /* fewer bytes than would fit */
	SIM_ACCEPT_EMFILE,
	SIM_ACCEPT_ENFILE,
	SIM_ACCEPT_ENOBUFS,
	SIM_ACCEPT_ENOMEM,
	SIM_ACCEPT_ECONNABORTED,
	SIM_ACK_LATE,	/* what the client has received is not acknowledged yet */
	SIM_SEND_EPIPE, /* the connection breaks during a send */
	SIM_SEND_ECONNRESET,
	SIM_SEND_ENOMEM,
	SIM_SEND_ENOBUFS,
	SIM_RECEIVE_ENOMEM,
	SIM_RECEIVE_ECONNRESET,	    /* the connection breaks during a receive */
	SIM_RESET_UNREPORTED_FIRST, /* a poll armed after data and a reset reports the data only */
	SIM_RESET_UNREPORTED_LATER, /* so does a wake-up handled after both */
	SIM_CANCEL_LATE,    /* a cancel finds the operation running: EALREADY, and it ends later */
	SIM_CANCEL_LOST,    /* the operation continues at the last moment, and may end: ENOENT */
	SIM_CANCEL_ENOBUFS, /* a cancelled receive ends with ENOBUFS (before Linux 6.5) */
	SIM_CQ_OVERFLOW,    /* the completion queue is full (not by chance: it is small) */
	SIM_ENTER_EINTR,
	SIM_ENTER_EBUSY,   /* nothing is submitted: take completions first */
	SIM_ENTER_EAGAIN,  /* nothing is submitted: out of memory */
	SIM_SQ_FULL,	   /* no SQE, though the queue was submitted */
	SIM_TIMEOUT_LATE,  /* a wait takes longer than asked */
	SIM_TIMEOUT_EARLY, /* or ends early, by the timer slack (prctl(2)) */
	SIM_TIMEOUT_EMPTY, /* or ends without the completions that have arrived meanwhile */
	SIM_STALL,	   /* the process is stopped for a while, the clients continue */
	SIM_UDP_LOSS,
	SIM_UDP_DUPLICATE,
	SIM_UDP_REORDER,
	SIM_UDP_KERNEL_DROP, /* dropped at the socket: out of memory */
	SIM_UDP_BUFFER_FULL, /* SO_RCVBUF is full (not by chance: it may be small) */
	SIM_UDP_GRO,	     /* datagrams of one sender arrive as a GRO batch */
	SIM_UDP_GSO_EINVAL,  /* a GSO batch fails: segments above the path MTU */
	SIM_UDP_GSO_EIO,     /* or: no checksum offload */
	SIM_UDP_TRUNCATE,    /* a datagram is marked as truncated */
	SIM_UDP_SEND_ERROR,
	SIM_UDP_SEND_FULL, /* SO_SNDBUF is full: EAGAIN */
	SIM_UDP_RECEIVE_ERROR,
	SIM_ADDRESSES_CHANGED, /* a notification, though they are as before */
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
	unsigned halvings;			 /* ring_create() fails this often with ENOMEM */
	int io_uring_error;    /* why the engine io_uring cannot be used; 0: it can */
	size_t socket_bytes;   /* of a connection's buffer in each direction */
	unsigned pass_pieces;  /* operations that one wait completes (Linux 6.13); 0: all */
	unsigned stall_ms_max; /* for which the process is stopped, at most */
	bool no_threads;       /* io-wq can make no worker: what needs one ends with ECANCELED */
	bool trace;
	bool tolerant; /* misuse by the server is no failure: it has Linux's result */
};

struct sim;

/* Called in each wait: the clients act. Returns when to call again at the latest, in ns. */
typedef uint64_t (*sim_outside)(void *context);

/* Begins a simulation; ring_create() finds it. */
struct sim *sim_begin(const struct sim_settings *settings, sim_outside outside, void *context);

/* Ends it; checks that the ring was destroyed and all descriptors were closed. */
void sim_end(struct sim *sim);

uint64_t sim_now_ns(const struct sim *sim);

/*
 * The server's work takes time: what its services do must be added here. Submissions, completions,
 * bytes and cancels are added by the simulation. The clients act meanwhile.
 */
#define SIM_MESSAGE_NS 2000
void sim_spend(struct sim *sim, uint64_t ns);

/* When the process continued after its last stop, or will continue; 0: never stopped. */
uint64_t sim_resumed_ns(const struct sim *sim);

/* When the oldest datagram queued at a socket, from an address to another, arrived; or never. */
uint64_t sim_waiting_since_ns(const struct sim *sim, const struct address *from,
			      const struct address *to);
const uint64_t *sim_fired(const struct sim *sim);

/* How often operations of an opcode ended with an errno value; 0: success. */
#define SIM_OPCODES 64
#define SIM_ERRORS 256
typedef uint64_t sim_results[SIM_OPCODES][SIM_ERRORS];
const sim_results *sim_ended(const struct sim *sim);

/* The most turns for which bytes of a TCP client waited that had read all its answers. */
unsigned sim_longest_wait(const struct sim *sim);

/* A random number below `limit`, from the seed. */
uint32_t sim_random(struct sim *sim, uint32_t limit);

/* Whether a fault happens now; counts it if so. */
bool sim_chance(struct sim *sim, enum sim_fault fault);

/* Datagrams of the server that a full socket refused. */
uint64_t sim_refused(const struct sim *sim);

/* Datagrams dropped at the server's sockets; a batch of sim_send_segments() counts once. */
uint64_t sim_dropped(const struct sim *sim);

/* Whether the failure in the settings has happened. */
bool sim_has_failed(const struct sim *sim);

/* The server runs between these: only its allocations are counted and fail. */
void sim_enter_server(struct sim *sim);
void sim_leave_server(struct sim *sim);

/* One line of the trace. */
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the message with seed and time, and aborts. */
void sim_fail(struct sim *sim, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* ---- TCP as clients see it ---- */

struct sim_connection;

/* Connects to a listening address; NULL: no listener, or its backlog is full. */
struct sim_connection *sim_connect(struct sim *sim, const struct address *to);

/* The same over IPv4, from this address in host byte order; over IPv6 from the loopback address. */
struct sim_connection *sim_connect_from(struct sim *sim, uint32_t host, const struct address *to);

/* The client's address. */
void sim_client_address(const struct sim_connection *connection, struct address *address);

/* Writes; returns the number of bytes written, which may be less, or -EPIPE: broken. */
int sim_write(struct sim_connection *connection, const void *data, size_t bytes);

/* Reads; 0: end of stream; -EAGAIN: nothing now; -ECONNRESET. */
int sim_read(struct sim_connection *connection, void *data, size_t bytes);

/* Half-closes. */
void sim_shutdown(struct sim_connection *connection);

/* Resets the connection. */
void sim_reset(struct sim_connection *connection);

/* Whether the server has closed or reset it. */
bool sim_is_over(const struct sim_connection *connection);

/* Whether the server has accepted it. */
bool sim_is_accepted(const struct sim_connection *connection);

/* Whether the simulated kernel broke the connection by a fault. */
bool sim_was_broken(const struct sim_connection *connection);

/* Closes it; with unread bytes or without a half-close before, the server sees a reset. */
void sim_release(struct sim_connection *connection);

/* ---- UDP ---- */

/* Sends a datagram, which may be lost, duplicated or reordered. */
void sim_send_datagram(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes);

/* Called for each datagram of the server that arrives. */
typedef void (*sim_arrival)(void *context, const struct address *from, const struct address *to,
			    const void *data, size_t bytes);
void sim_on_datagram(struct sim *sim, sim_arrival arrival);

/* Sends a GSO batch, which arrives as a GRO batch. */
void sim_send_segments(struct sim *sim, const struct address *from, const struct address *to,
		       const void *data, size_t bytes, size_t segment_bytes);

/* What a completion reports: a datagram, or a GRO batch. */
struct sim_received {
	struct address from, to;
	const uint8_t *data; /* in the server's buffer */
	size_t bytes;
	size_t segment_bytes; /* of each but the last; 0: one datagram */
	bool truncated;
};

/*
 * Observes the datagrams between the server and its sockets: those that it receives, just before it
 * takes the completion, and each one that it sends, even if the network loses it.
 */
struct sim_tap {
	void (*received)(void *context, const struct sim_received *received);
	void (*sent)(void *context, const struct address *from, const struct address *to,
		     const void *data, size_t bytes);
};
void sim_set_tap(struct sim *sim, const struct sim_tap *tap);

#endif
