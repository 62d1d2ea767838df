/* SPDX-License-Identifier: MIT */
/*
 * sim_kernel.h - internals of the simulated kernel, shared by its ring and its network.
 */
#ifndef TESTS_LIB_SIM_KERNEL_H
#define TESTS_LIB_SIM_KERNEL_H

#include "lib/sim.h"
#include "lib/sqe.h"
#include "ring/addresses.h"
#include "ring/ring.h"
#include "ring/socket.h"

#define SIM_NEVER UINT64_MAX

/* The time at which a simulation begins, and from which its trace counts. */
#define SIM_START_NS 1000000000

/* Bytes in one direction, in a circular buffer. */
struct sim_bytes {
	uint8_t *bytes;
	size_t capacity, head, count;
};

struct sim_connection {
	struct sim *sim;
	struct sim_connection *next; /* in a backlog */
	struct address local, peer;
	struct sim_bytes in, out; /* as the server sees it */
	uint32_t sent;		  /* by the server */
	bool is_pipe;		  /* the client has one end */
	bool accepted;
	bool client_ended, server_ended;
	bool broken; /* reset from either side */
	uint64_t broken_ns;
	bool broken_by_fault;
	bool reset_reported; /* the server has had its ECONNRESET */
	bool client_gone, server_gone;
	bool served;		/* the server has tried to receive from it */
	uint64_t late_until_ns; /* until then the server need not receive from it */
	size_t waiting_bytes;	/* not received in the last turn */
	unsigned waiting_turns; /* turns since waiting_bytes changed */
	bool reset_on_close;
};

struct sim_datagram {
	struct sim_datagram *next;
	uint64_t due_ns;
	struct address from, to;
	size_t bytes;
	size_t segment_bytes; /* of a batch; 0: one datagram */
	size_t truesize;      /* counted against SO_RCVBUF */
	uint8_t data[];
};

enum sim_file_kind { SIM_FREE, SIM_LISTENER, SIM_STREAM, SIM_DATAGRAMS, SIM_PIPE, SIM_EVENT };

struct sim_file {
	enum sim_file_kind kind;
	struct address address;
	bool closed;			   /* an operation still holds it open */
	struct sim_connection *connection; /* of a stream or pipe; the backlog of a listener */
	struct sim_datagram *datagrams;	   /* arrived, oldest first */
	struct socket_buffers buffers;	   /* for them */
	size_t buffered_bytes;
	uint32_t drops; /* datagrams dropped at this socket */
	uint64_t event;
};

/* What a completion reports that was not taken yet. */
struct sim_unreported {
	struct sim_unreported *next;
	struct sim_received received;
	uint64_t user_data;
};

struct sim_buffer {
	uint8_t *data;
	unsigned bytes;
	uint16_t id;
};

struct sim_group {
	struct sim_buffer *buffers;
	bool *given; /* by number */
	unsigned entries, head, count;
};

struct sim_op {
	struct io_uring_sqe sqe;
	bool used;
	bool fresh;	 /* not tried yet */
	bool cancelled;	 /* ends with ECANCELED at the next try */
	bool running;	 /* but it may succeed before */
	bool last;	 /* its next result is the last, even of a multishot */
	bool woken;	 /* has waited, and then received */
	bool polled_out; /* the last shot of a poll was of a writable socket */
	bool in_thread;	 /* a worker of io-wq waits for it */
	bool event_lost; /* waits for an event that was lost: only a cancel ends it */
	uint64_t not_before_ns;
	const struct sim_datagram *received; /* what the next completion reports, for the trace */
	uint64_t digest;		     /* of the data of a send, when it was submitted */
};

/* How long the server may pause after ENOMEM or ENOBUFS. */
#define SIM_REST_NS 200000000

#define SIM_FILES_MAX 4096
#define SIM_OPS_MAX 16384
#define SIM_OVERFLOW_MAX 65536

struct ring {
	struct io_uring_sqe *sqes;
	unsigned sq_entries, sq_count;
	struct io_uring_cqe *cqes;
	unsigned cq_entries, cq_head, cq_count;
	struct io_uring_cqe *overflow;
	unsigned overflow_count;
	struct sim_group groups[RING_GROUPS_MAX];
	struct sim_op *ops;
	unsigned ops_end;  /* ops from here on are unused */
	unsigned ops_next; /* where a limited pass continues */
};

struct sim {
	struct sim_settings settings;
	sim_outside outside;
	void *context;
	sim_arrival arrival;
	struct sim_tap tap;
	struct sim_unreported *unreported; /* oldest first */
	uint64_t random[2];
	uint64_t now_ns;
	uint64_t spent_ns;   /* by work, and not passed yet */
	uint64_t outside_ns; /* when the clients act next */
	uint64_t fired[SIM_FAULTS];
	sim_results ended;
	uint64_t refused; /* see sim_refused() */
	uint64_t dropped; /* see sim_dropped() */
	unsigned workers; /* of io-wq that were made */
	unsigned longest_wait;
	struct ring *ring;
	struct sim_file files[SIM_FILES_MAX];
	unsigned files_open;
	unsigned halved;
	unsigned stalls; /* of the process */
	uint64_t resumed_ns;
	unsigned countdown; /* operations until the failure on purpose */
	bool failed;
	bool in_server;
	uint16_t port_next;
	struct sim_datagram *packets; /* in the network */
	unsigned fruitless;	      /* turns in a row without progress */
	bool progress;		      /* of this turn */
};

/* Whether this operation or allocation has to fail on purpose. */
bool sim_fails(struct sim *sim, int opcode);

/* The one simulation. */
extern struct sim *sim_current;

/* The file of a descriptor that the server uses; it must be open. */
struct sim_file *sim_file(struct sim *sim, int fd);

/* The lowest free descriptor, or -EMFILE. */
int sim_open(struct sim *sim, enum sim_file_kind kind);

void sim_close_file(struct sim *sim, int fd);

/* A pipe: the client has one end. Returns the descriptor of the other. */
int sim_open_pipe(struct sim *sim, struct sim_connection **client);

/* The loopback address of a family. */
struct address sim_loopback(sa_family_t family, uint16_t port);

/* A port that was not used before, or not for long. */
uint16_t sim_next_port(struct sim *sim);

/*
 * Whether close(2) now would break off a connection: neither side has half-closed, or the client
 * has not read everything. Not if a reset was asked for.
 */
bool sim_lacks_shutdown(const struct sim_file *file);

/* The server's side of a connection. Bytes, 0 for the end, or -errno; -EAGAIN: not now. */
int sim_stream_receive(struct sim_connection *connection, void *to, size_t bytes);
int sim_stream_send(struct sim_connection *connection, const struct iovec *pieces, size_t count,
		    size_t bytes);

/* What the client has read counts as acknowledged. 0, or -ECONNRESET. */
int sim_stream_delivery(struct sim_connection *connection, struct socket_delivery *delivery);

/* Whether a send would have to wait. */
bool sim_stream_is_full(const struct sim_connection *connection);

/* The server need not receive from it until then, or until a later time set before. */
void sim_excuse(struct sim_connection *connection, uint64_t until_ns);

/* Breaks a connection from inside the network. */
void sim_break(struct sim_connection *connection);

/* Breaks a connection that was not accepted yet, and closes the server's side. */
void sim_abort(struct sim_connection *connection);

/* Whether a socket receives what is sent to the address. */
bool sim_is_bound_to(const struct sim_file *file, const struct address *to);

/* Sends a datagram made of these pieces into the network. */
void sim_transmit(struct sim *sim, const struct address *from, const struct address *to,
		  const struct iovec *pieces, size_t count);

/* Removes the oldest datagram from the socket's queue. */
struct sim_datagram *sim_take_datagram(struct sim_file *file);

/* Delivers the datagrams that are due; returns when the next one is. */
uint64_t sim_deliver(struct sim *sim);

/* Frees the datagrams in the network. */
void sim_network_end(struct sim *sim);

/* ---- The ring ---- */

/* Carries out all SQEs of the submission queue. */
void sim_submit(struct sim *sim);

/* Moves CQEs that did not fit into the completion queue, as far as it has space. */
void sim_flush_overflow(struct ring *ring);

/* In each turn: fails the run if the server spins, starves a client, or misses a reset. */
void sim_check_turn(struct sim *sim);

/* ---- Time ---- */

/* Lets the time pass that was spent. */
void sim_pay(struct sim *sim);

/* Lets time pass while the clients act. */
void sim_pass_time(struct sim *sim, uint64_t end_ns);

/* Work of the kernel: see sim_spend(). A cancel by descriptor visits each operation that waits. */
void sim_spend_submission(struct sim *sim);
void sim_spend_completion(struct sim *sim);
void sim_spend_bytes(struct sim *sim, size_t bytes);
void sim_spend_visits(struct sim *sim, unsigned count);

/* ---- The trace ---- */

void sim_trace_turn(struct sim *sim, uint64_t wait_ns);
void sim_trace_submission(struct sim *sim, const struct io_uring_sqe *sqe);
void sim_trace_completion(struct sim *sim, const struct sim_op *op, int result, uint32_t flags);

/* What a client does with its connection, such as "half-closes". */
void sim_trace_connection(const struct sim_connection *connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- Completions and buffers, for the operations ---- */

/* Ends an operation; true. */
bool sim_finish(struct sim_op *op, int result);

/* Ends a receive with the first buffer of its group; true. */
bool sim_finish_with_buffer(struct sim_op *op, int result);

/*
 * Posts one result of a multishot, which ends with a full CQ, or by chance. Returns whether it has.
 */
bool sim_post_shot(struct sim_op *op, int result, uint32_t flags);

/* The next buffer of a group; NULL: it is empty. */
struct sim_buffer *sim_first_buffer(uint16_t group);

/* Takes it; returns the flags of the completion that brings it. */
uint32_t sim_take_buffer(uint16_t group);

/* ---- Operations: each try returns whether it has ended ---- */

bool sim_try(struct sim *sim, struct sim_op *op);
bool sim_try_send_datagram(struct sim *sim, struct sim_op *op);

/* The size of the datagrams of a send with GSO; 0: without. */
size_t sim_segment_bytes(struct sim *sim, const struct io_uring_sqe *sqe);

/* Ends the send of a datagram with EAGAIN: the socket is full; true. */
bool sim_refuse_datagram(struct sim *sim, struct sim_op *op);
bool sim_try_receive_datagrams(struct sim *sim, struct sim_op *op);

/* The server takes a completion: reports the datagrams it brings, if any, to the tap. */
void sim_report_received(struct sim *sim, const struct io_uring_cqe *cqe);

/* A digest of the data of a send, to notice changes while it is in flight; and its bytes. */
uint64_t sim_digest(const struct io_uring_sqe *sqe, size_t *bytes);

/* Carries a cancel out: its operations end later, or at once. */
bool sim_try_cancel(struct sim *sim, struct sim_op *cancel);

/* Ends a cancelled operation; true. */
bool sim_end_cancelled(struct sim *sim, struct sim_op *op);

/*
 * A cancel that fails on purpose. ENOENT: its operation has just ended by itself. EALREADY: it will
 * end soon.
 */
void sim_fail_cancel(struct sim *sim, struct sim_op *cancel, int error);

/* Closes files that were closed while an operation held them open, and no longer are (Linux). */
void sim_close_released(struct sim *sim);

#endif
