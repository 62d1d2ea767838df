/* SPDX-License-Identifier: MIT */
/*
 * contract.h - what the contract tests share: a ring with a group of buffers, waiting for
 * completions, and connections. Only ring.h, socket.h and peer.h are behind it, so the same tests
 * run on three rings: one of each engine, and the simulated one. Whatever fails here fails the
 * test. It defines all that it declares: it is for exactly one file of a test.
 */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/peer.h"
#include "ring/buffers.h"
#include "ring/socket.h"

#define BUFFER_BYTES 4096
#define BUFFERS 8
#define SQ_ENTRIES 64
#define CQ_ENTRIES 256

/* How long a test waits for what must come, and for what must not. */
#define LIMIT_NS 10000000000
#define MOMENT_NS 10000000

/* user_data of the operations here; tests take small numbers. */
enum { CONTRACT_ACCEPT = 1000000, CONTRACT_CLOSE, CONTRACT_CANCEL };

/* Chosen at link time; without a meaning for a simulated ring. */
extern const enum ring_engine contract_engine;

/* The one under test, created for each test, and its buffers, of group 0. */
static struct ring *ring;
static struct buffers buffers;

/* A completion, as the CQE says it. */
struct completion {
	uint64_t user_data;
	int res;
	uint32_t flags;
};

/* Completions of others, met while waiting for one. */
static struct completion kept[8192];
static size_t kept_count;

/* How long the next ring spins. */
static uint64_t spin_ns;

static inline int begin(unsigned sq_entries, unsigned cq_entries)
{
	int error = ring_create(&ring, contract_engine, sq_entries, cq_entries, spin_ns);

	kept_count = 0;
	return error ? error : buffers_init(&buffers, ring, 0, BUFFER_BYTES, BUFFERS, BUFFERS);
}

static inline void end(void)
{
	buffers_destroy(&buffers);
	ring_destroy(ring);
}

/* Set-up and teardown of cmocka. */
static inline int contract_begin(void **state)
{
	(void)state;
	peers_begin();
	return begin(SQ_ENTRIES, CQ_ENTRIES);
}

static inline int contract_end(void **state)
{
	(void)state;
	end();
	peers_end();
	return 0;
}

/* Another ring and its buffers in place of that, with queues of other sizes. */
static inline void contract_begin_anew(unsigned sq_entries, unsigned cq_entries)
{
	end();
	assert_int_equal(begin(sq_entries, cq_entries), 0);
}

/* Ends a test that needs more of the kernel than is simulated. */
#define needs_the_kernel(reason)                                                                   \
	do {                                                                                       \
		if (peers_are_simulated) {                                                         \
			print_message("# %s: %s\n", __func__, reason);                             \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static inline struct io_uring_sqe *sqe_get(void)
{
	struct io_uring_sqe *sqe = ring_sqe(ring);

	assert_non_null(sqe);
	return sqe;
}

static inline void keep_completions(void)
{
	struct io_uring_cqe cqe;

	while (ring_take(ring, &cqe)) {
		assert_in_range(kept_count, 0, COUNT(kept) - 1);
		kept[kept_count++] = (struct completion){ cqe.user_data, cqe.res, cqe.flags };
	}
}

static inline bool take_kept(uint64_t user_data, struct completion *completion)
{
	for (size_t i = 0; i < kept_count; i++) {
		if (kept[i].user_data != user_data)
			continue;
		*completion = kept[i];
		memmove(&kept[i], &kept[i + 1], (--kept_count - i) * sizeof(kept[0]));
		return true;
	}
	return false;
}

/* Takes a turn at least, however slow the machine is, so that what is prepared is submitted. */
static inline bool wait_for(uint64_t user_data, struct completion *completion, uint64_t limit_ns)
{
	const uint64_t end_ns = ring_clock_ns(ring) + limit_ns;

	keep_completions();
	if (take_kept(user_data, completion))
		return true;
	do {
		assert_int_equal(ring_submit_and_wait(ring, limit_ns), 0);
		keep_completions();
		if (take_kept(user_data, completion))
			return true;
	} while (ring_clock_ns(ring) < end_ns);
	return false;
}

/* Waits, some seconds at most, for the next completion with this user_data; others are kept. */
static inline struct completion completion_of(uint64_t user_data)
{
	struct completion completion = { 0 };

	if (!wait_for(user_data, &completion, LIMIT_NS))
		fail_msg("no completion of %llu", (unsigned long long)user_data);
	return completion;
}

/* One that is there already, or comes within a moment. false: none. */
static inline bool completion_now(uint64_t user_data, struct completion *completion)
{
	return wait_for(user_data, completion, MOMENT_NS);
}

/* Submits what is prepared, and takes a turn of a moment. */
static inline void turn(void)
{
	assert_int_equal(ring_submit_and_wait(ring, MOMENT_NS / 10), 0);
	keep_completions();
}

/* The kernel's defaults. */
static const struct socket_buffers as_it_likes __attribute__((unused));

/* A listening socket on 127.0.0.1, and its address. */
static inline int listen_on_loopback(struct address *address)
{
	int fd;

	*address = (struct address){ .v4 = { .sin_family = AF_INET } };
	address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address->bytes = sizeof(address->v4);
	fd = socket_listen(ring, address, 0, &as_it_likes);
	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(socket_local_address(ring, fd, address), 0);
	return fd;
}

/* Accepts a client that has connected; the listening socket goes. */
static inline int accept_one(int listener)
{
	struct io_uring_sqe *sqe = sqe_get();
	int fd;

	io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	sqe->user_data = CONTRACT_ACCEPT;
	fd = completion_of(CONTRACT_ACCEPT).res;
	assert_in_range(fd, 0, INT32_MAX);
	socket_close(ring, listener);
	return fd;
}

/* A connection: returns the descriptor of this end, which close_fd() closes. */
static inline int connected(struct peer *peer)
{
	struct address address;
	int listener = listen_on_loopback(&address);

	assert_int_equal(peer_connect(peer, &address), 0);
	return accept_one(listener);
}

static inline void close_fd(int fd)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_close(sqe, fd);
	sqe->user_data = CONTRACT_CLOSE;
	assert_int_equal(completion_of(CONTRACT_CLOSE).res, 0);
}

/* Sends all, in as many turns as it takes. */
static inline void peer_send_all(struct peer *peer, const void *data, size_t bytes)
{
	const uint64_t end_ns = ring_clock_ns(ring) + LIMIT_NS;

	for (size_t done = 0; done < bytes;) {
		ssize_t sent = peer_send(peer, (const uint8_t *)data + done, bytes - done);

		if (sent >= 0)
			done += (size_t)sent;
		else if (sent == -EAGAIN && ring_clock_ns(ring) < end_ns)
			turn();
		else
			fail_msg("peer_send(): %zd", sent);
	}
}

/* Takes turns until the peer has something or its end: what peer_receive() says then. */
static inline ssize_t peer_await(struct peer *peer, void *to, size_t bytes)
{
	const uint64_t end_ns = ring_clock_ns(ring) + LIMIT_NS;

	for (;;) {
		ssize_t received = peer_receive(peer, to, bytes);

		if (received != -EAGAIN)
			return received;
		if (ring_clock_ns(ring) > end_ns)
			fail_msg("the peer receives nothing");
		turn();
	}
}

/* Receives `bytes` bytes, or all to the end; returns how many. */
static inline size_t peer_receive_all(struct peer *peer, void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t received = peer_await(peer, (uint8_t *)to + done, bytes - done);

		if (received <= 0)
			break;
		done += (size_t)received;
	}
	return done;
}

/* Starts a multishot receive from the group of buffers. */
static inline void start_receive(int fd, int flags, uint64_t user_data)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	sqe->user_data = user_data;
}

/* Copies the bytes of a completion, and gives the buffer back. */
static inline size_t take_bytes(const struct completion *completion, uint8_t *to)
{
	const size_t bytes = (size_t)completion->res;
	uint16_t id;

	assert_in_range(completion->res, 1, BUFFER_BYTES);
	id = buffers_take(&buffers, completion->flags);
	memcpy(to, buffers_data(&buffers, id), bytes);
	buffers_release(&buffers, id);
	return bytes;
}

/* Cancels by user_data, or all of a descriptor: the cancel's own result. */
static inline int cancel(uint64_t user_data)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_cancel64(sqe, user_data, 0);
	sqe->user_data = CONTRACT_CANCEL;
	return completion_of(CONTRACT_CANCEL).res;
}

static inline int cancel_fd(int fd)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
	sqe->user_data = CONTRACT_CANCEL;
	return completion_of(CONTRACT_CANCEL).res;
}

#define CONTRACT_TEST(test) cmocka_unit_test_setup_teardown(test, contract_begin, contract_end)

#endif
