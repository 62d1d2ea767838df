/* SPDX-License-Identifier: MIT */
/*
 * scripted_kernel.h - a kernel behind ring.h and socket.h that does what a test tells it, and
 * nothing else: an operation stays in flight until the test completes it, time stands still until
 * the test moves it, and calls fail as the test says. At the end it turns kind. It defines the
 * functions of both headers, so exactly one file of a test includes it.
 */
#ifndef UNIT_SCRIPTED_KERNEL_H
#define UNIT_SCRIPTED_KERNEL_H

#include "unit/fake_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/sqe.h"
#include "ring/addresses.h"
#include "ring/socket.h"

#define SCRIPTED_FILES_MAX 20000
#define SCRIPTED_STARTED_MAX 16384
#define SCRIPTED_COMPLETIONS_MAX 20000

/* The first port that is given for port 0. */
#define SCRIPTED_PORT 10000

static struct {
	struct io_uring_sqe started[SCRIPTED_STARTED_MAX]; /* in flight, the oldest first */
	unsigned started_count;
	struct io_uring_cqe completions[SCRIPTED_COMPLETIONS_MAX]; /* not taken yet */
	unsigned first, count;
	unsigned sqes_left; /* number of SQEs still given out */
	int wait_error;	    /* what waiting ends with */
	bool kind;	    /* waiting ends what is in flight, and cancels last */
	uint64_t now_ns;
	uint64_t first_wait_ns;		  /* how long the first wait was to be */
	bool is_waited;			  /* there was one */
	bool is_open[SCRIPTED_FILES_MAX]; /* by descriptor; none is used twice */
	struct address addresses[SCRIPTED_FILES_MAX];
	int files_count;
	int (*bind)(const struct address *address); /* 0, or the error; NULL: always 0 */
	struct {
		const char *host;
		unsigned bits, scope;
	} own[4];			     /* the machine's addresses; an empty one ends them */
	bool own_changed;		     /* for the next addresses_changed() */
	int own_error;			     /* of addresses_read() */
	int open_error;			     /* of addresses_open() */
	bool elsewhere;			     /* sockets are in another network namespace */
	unsigned own_checks, own_reads;	     /* calls of them */
	bool has_no_batches;		     /* of UDP_SEGMENT */
	uint32_t drops[SCRIPTED_FILES_MAX];  /* by descriptor */
	uint32_t backlog;		     /* of every listener */
	struct socket_buffers buffers;	     /* of UDP sockets */
	struct socket_buffers asked_buffers; /* for the last of them */
	int transport;	 /* what sockets are that were made elsewhere, or an error */
	int adopt_error; /* of taking them over */
	int resolve_error;
	int local_address_error;
	int event_error;
	unsigned peer_lookups;		 /* calls of socket_peer_address() */
	struct socket_delivery delivery; /* of all connections */
	int delivery_error;
	unsigned delivery_looks;
	unsigned shutdowns;			/* calls of socket_shutdown() */
	unsigned resets;			/* and of socket_reset_on_close() */
	bool is_reset[SCRIPTED_FILES_MAX];	/* by descriptor */
	uint8_t peer_hosts[SCRIPTED_FILES_MAX]; /* a peer is 127.0.0.1 plus this */
} kernel;

static inline void kernel_begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(fake_groups, 0, sizeof(fake_groups));
	kernel.sqes_left = UINT32_MAX;
	kernel.now_ns = 1000000;
}

static inline int kernel_open(void)
{
	assert_in_range(kernel.files_count, 0, SCRIPTED_FILES_MAX - 1);
	kernel.is_open[kernel.files_count] = true;
	return kernel.files_count++;
}

static inline void kernel_close(int fd)
{
	assert_in_range(fd, 0, kernel.files_count - 1);
	assert_true(kernel.is_open[fd]);
	kernel.is_open[fd] = false;
}

static inline unsigned count_open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < kernel.files_count; fd++)
		count += kernel.is_open[fd];
	return count;
}

/* ---- Operations ---- */

/* The oldest operation of a kind in flight, on a descriptor or on any (-1); NULL: none. */
static inline struct io_uring_sqe *find_started(uint8_t opcode, int fd)
{
	for (unsigned i = 0; i < kernel.started_count; i++)
		if (kernel.started[i].opcode == opcode && (fd < 0 || kernel.started[i].fd == fd))
			return &kernel.started[i];
	return NULL;
}

/* The same, where there must be one. */
static inline struct io_uring_sqe *started(uint8_t opcode, int fd)
{
	struct io_uring_sqe *sqe = find_started(opcode, fd);

	assert_non_null(sqe);
	return sqe;
}

/* Completes an operation; with IORING_CQE_F_MORE it stays in flight. */
static inline void complete(struct io_uring_sqe *sqe, int result, uint32_t flags)
{
	struct io_uring_cqe *cqe = &kernel.completions[kernel.first + kernel.count];
	const long index = sqe - kernel.started;

	assert_in_range(kernel.first + kernel.count++, 0, SCRIPTED_COMPLETIONS_MAX - 1);
	cqe->user_data = sqe->user_data;
	cqe->res = result;
	cqe->flags = flags;
	if (flags & IORING_CQE_F_MORE)
		return;
	if (sqe->opcode == IORING_OP_CLOSE)
		kernel_close(sqe->fd);
	kernel.started_count--;
	memmove(sqe, sqe + 1, (kernel.started_count - (size_t)index) * sizeof(*sqe));
}

/* Ends all that is in flight; a cancel only when there is nothing else. */
static inline void complete_kindly(void)
{
	bool others = false;

	for (unsigned i = kernel.started_count; i-- > 0;) {
		struct io_uring_sqe *sqe = &kernel.started[i];

		if (sqe->opcode == IORING_OP_ASYNC_CANCEL)
			continue;
		others = true;
		complete(sqe, sqe->opcode == IORING_OP_CLOSE ? 0 : -ECANCELED, 0);
	}
	while (!others && kernel.started_count > 0)
		complete(&kernel.started[0], 0, 0);
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe = &kernel.started[kernel.started_count];

	(void)ring;
	if (kernel.sqes_left == 0)
		return NULL;
	kernel.sqes_left--;
	assert_in_range(kernel.started_count++, 0, SCRIPTED_STARTED_MAX - 1);
	sqe_hand_out(sqe);
	return sqe;
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	(void)ring;
	if (!kernel.is_waited)
		kernel.first_wait_ns = wait_ns;
	kernel.is_waited = true;
	if (kernel.kind)
		complete_kindly();
	if (!kernel.wait_error && wait_ns == 0 && kernel.count == 0)
		return -ETIME;
	return kernel.wait_error;
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	(void)ring;
	if (kernel.count == 0) {
		kernel.first = 0;
		return false;
	}
	kernel.count--;
	/* A struct io_uring_cqe ends in an array without a size. */
	memcpy(cqe, &kernel.completions[kernel.first++], sizeof(*cqe));
	return true;
}

uint64_t ring_clock_ns(struct ring *ring)
{
	(void)ring;
	return kernel.now_ns;
}

void ring_sleep(uint64_t ns)
{
	kernel.now_ns += ns;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	memset(to, 7, bytes);
}

/* ---- Sockets ---- */

static inline struct address make_address(const char *host, uint16_t port)
{
	struct address address = { 0 };

	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
		address.any.sa_family = AF_INET;
		address.bytes = sizeof(address.v4);
	} else {
		assert_int_equal(inet_pton(AF_INET6, host, &address.v6.sin6_addr), 1);
		address.any.sa_family = AF_INET6;
		address.bytes = sizeof(address.v6);
	}
	address_set_port(&address, port);
	return address;
}

/* The machine has this prefix only. */
static inline void set_own(const char *host, unsigned bits)
{
	memset(kernel.own, 0, sizeof(kernel.own));
	kernel.own[0].host = host;
	kernel.own[0].bits = bits;
}

int socket_resolve(struct ring *ring, const char *host, uint16_t port, struct address *addresses,
		   unsigned max)
{
	(void)ring;
	assert_in_range(max, 2, 100);
	if (strcmp(host, "twice") == 0) {
		addresses[0] = addresses[1] = make_address("127.0.0.1", port);
		return 2;
	}
	if (kernel.resolve_error)
		return kernel.resolve_error;
	if (strcmp(host, "localhost") != 0) {
		addresses[0] = make_address(host, port);
		return 1;
	}
	addresses[0] = make_address("127.0.0.1", port);
	addresses[1] = make_address("::1", port);
	return 2;
}

int socket_bind_udp(struct ring *ring, const struct address *address,
		    const struct socket_buffers *buffers)
{
	int error = kernel.bind ? kernel.bind(address) : 0;
	int fd = error ? error : kernel_open();

	(void)ring;
	if (fd < 0)
		return fd;
	if (buffers)
		kernel.asked_buffers = *buffers;
	kernel.addresses[fd] = *address;
	if (address_port(address) == 0)
		address_set_port(&kernel.addresses[fd], (uint16_t)(SCRIPTED_PORT + fd));
	return fd;
}

int socket_listen(struct ring *ring, const struct address *address, uint64_t keepalive_ms,
		  const struct socket_buffers *buffers)
{
	(void)buffers;
	(void)keepalive_ms;
	return socket_bind_udp(ring, address, NULL);
}

uint32_t socket_backlog(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	return kernel.backlog;
}

int socket_transport(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	return kernel.transport;
}

int socket_adopt_tcp(struct ring *ring, int fd, uint64_t keepalive_ms,
		     const struct socket_buffers *buffers)
{
	(void)buffers;
	(void)ring;
	(void)keepalive_ms;
	assert_true(kernel.is_open[fd]);
	assert_int_equal(kernel.transport, ROLLCALL_TCP);
	return kernel.adopt_error;
}

int socket_adopt_udp(struct ring *ring, int fd, const struct socket_buffers *buffers)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	assert_int_equal(kernel.transport, ROLLCALL_UDP);
	kernel.asked_buffers = *buffers;
	return kernel.adopt_error;
}

void socket_buffer_sizes(struct ring *ring, int fd, struct socket_buffers *buffers)
{
	(void)ring;
	(void)fd;
	*buffers = kernel.buffers;
}

uint32_t socket_drops(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	return kernel.drops[fd];
}

bool socket_sends_batches(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	return !kernel.has_no_batches;
}

int addresses_open(struct ring *ring)
{
	(void)ring;
	return kernel.open_error ? kernel.open_error : kernel_open();
}

bool addresses_changed(struct ring *ring, int monitor)
{
	const bool changed = kernel.own_changed;

	(void)ring;
	assert_true(kernel.is_open[monitor]);
	kernel.own_checks++;
	kernel.own_changed = false;
	return changed;
}

int addresses_read(struct ring *ring, int monitor, struct ranges *to)
{
	int error = kernel.own_error;

	(void)ring;
	assert_true(kernel.is_open[monitor]);
	kernel.own_reads++;
	for (unsigned i = 0; kernel.own[i].host && !error; i++) {
		struct address address = make_address(kernel.own[i].host, 0);

		if (address.any.sa_family == AF_INET6)
			address.v6.sin6_scope_id = kernel.own[i].scope;
		error = ranges_add(to, &address, kernel.own[i].bits);
	}
	return error;
}

bool addresses_are_of(struct ring *ring, int monitor, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[monitor] && kernel.is_open[fd]);
	return !kernel.elsewhere;
}

int socket_local_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	*address = kernel.addresses[fd];
	return kernel.local_address_error;
}

int socket_peer_address(struct ring *ring, int fd, struct address *address)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	kernel.peer_lookups++;
	if (kernel.is_reset[fd])
		return -ENOTCONN;
	*address = make_address("127.0.0.1", 9);
	address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + kernel.peer_hosts[fd]);
	return 0;
}

int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	kernel.delivery_looks++;
	*delivery = kernel.delivery;
	return kernel.delivery_error;
}

void socket_shutdown(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	kernel.shutdowns++;
}

void socket_reset_on_close(struct ring *ring, int fd)
{
	(void)ring;
	assert_true(kernel.is_open[fd]);
	kernel.resets++;
}

void socket_close(struct ring *ring, int fd)
{
	(void)ring;
	kernel_close(fd);
}

int socket_event(struct ring *ring)
{
	(void)ring;
	return kernel.event_error ? kernel.event_error : kernel_open();
}

void socket_event_raise(int fd)
{
	assert_true(kernel.is_open[fd]);
}

uint64_t socket_limit_raise(void)
{
	return SCRIPTED_FILES_MAX;
}

#endif
