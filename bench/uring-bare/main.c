/* SPDX-License-Identifier: MIT */
/*
 * uring-bare - the smallest fast echo server over io_uring, for TCP: what rollcall could cost if it
 * kept no table, no counters and no limits. It loses no byte, but clients that do not read may hold
 * all buffers, and it ends when there are no files left.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <string.h>

#include "lib/endpoint.h"
#include "lib/fail.h"
#include "peers/peer.h"

#define SUBMISSIONS 4096
#define COMPLETIONS 32768
#define CONNECTIONS_MAX 32768
#define VECTORS_MAX 16 /* buffers in a send */

/*
 * Few buffers at first, and more when they run out while they hold little. When they hold much they
 * are fewer again: to wait for one in the caches is cheaper than to use another that is not.
 */
#define BUFFER_BYTES (64 << 10)
#define BUFFERS_AT_FIRST 64
#define BUFFERS_MAX 16384 /* a power of two */
#define POOL_BYTES (2 << 20)

enum operation { ACCEPT, RECEIVE, SEND, CLOSE };

/* The kernel picks one for what has come; it stays with the connection until that is sent. */
struct buffer {
	uint32_t bytes;
	uint16_t next; /* of the same connection */
};

struct connection {
	bool receiving, sending;
	bool ended; /* nothing more will come */
	bool listed;
	uint32_t queued; /* buffers */
	uint32_t sent;	 /* bytes of the first of them */
	uint16_t first, last;
	struct msghdr message;
	struct iovec vectors[VECTORS_MAX];
};

static struct io_uring ring;
static int listener;
static bool is_direct;

/* By file; and those that something has happened to, or that wait for a buffer. */
static struct connection connections[CONNECTIONS_MAX];
static uint32_t listed[CONNECTIONS_MAX];
static unsigned listed_count;

/* Pages that nobody has touched take no memory. */
static char memory[BUFFERS_MAX][BUFFER_BYTES];
static struct buffer buffers[BUFFERS_MAX];
static struct io_uring_buf entries[BUFFERS_MAX] __attribute__((aligned(4096)));
static struct io_uring_buf_ring *const pool = (struct io_uring_buf_ring *)entries;
static uint16_t numbers[BUFFERS_MAX]; /* from pool_count on those that are not in use */
static unsigned pool_count, pool_taken;
static size_t pool_bytes; /* that are still to be sent */
static bool pool_ran_dry; /* in this turn */

static void offer(uint16_t buffer)
{
	io_uring_buf_ring_add(pool, memory[buffer], BUFFER_BYTES, buffer, BUFFERS_MAX - 1, 0);
	io_uring_buf_ring_advance(pool, 1);
}

static void release(uint16_t buffer)
{
	pool_taken--;
	if (pool_bytes > POOL_BYTES && pool_count > BUFFERS_AT_FIRST)
		numbers[--pool_count] = buffer;
	else
		offer(buffer);
	pool_bytes -= buffers[buffer].bytes;
}

static void pool_grow(unsigned more)
{
	for (; more && pool_count < BUFFERS_MAX; more--)
		offer(numbers[pool_count++]);
}

static struct io_uring_sqe *get_sqe(void)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ring)))
		io_uring_submit(&ring);
	return sqe;
}

static void name(struct io_uring_sqe *sqe, enum operation operation, uint32_t file)
{
	sqe->user_data = (uint64_t)operation << 32 | file;
	if (is_direct && (operation == RECEIVE || operation == SEND))
		sqe->flags |= IOSQE_FIXED_FILE;
}

static void accept_start(void)
{
	struct io_uring_sqe *sqe = get_sqe();

	if (is_direct)
		io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
	else
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	name(sqe, ACCEPT, 0);
}

static void receive_start(struct connection *connection, uint32_t file)
{
	struct io_uring_sqe *sqe = get_sqe();

	io_uring_prep_recv_multishot(sqe, (int)file, NULL, 0, 0);
	name(sqe, RECEIVE, file);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	connection->receiving = true;
}

static void send_start(struct connection *connection, uint32_t file)
{
	struct iovec *vectors = connection->vectors;
	struct io_uring_sqe *sqe = get_sqe();
	uint32_t count = 0, skip = connection->sent;
	uint16_t buffer = connection->first;

	for (; count < connection->queued && count < VECTORS_MAX; count++, skip = 0) {
		vectors[count].iov_base = memory[buffer] + skip;
		vectors[count].iov_len = buffers[buffer].bytes - skip;
		buffer = buffers[buffer].next;
	}
	connection->message = (struct msghdr){ .msg_iov = vectors, .msg_iovlen = count };
	if (count == 1)
		io_uring_prep_send(sqe, (int)file, vectors->iov_base, vectors->iov_len,
				   MSG_NOSIGNAL);
	else
		io_uring_prep_sendmsg(sqe, (int)file, &connection->message, MSG_NOSIGNAL);
	name(sqe, SEND, file);
	connection->sending = true;
}

static void close_start(uint32_t file)
{
	struct io_uring_sqe *sqe = get_sqe();

	if (is_direct)
		io_uring_prep_close_direct(sqe, file);
	else
		io_uring_prep_close(sqe, (int)file);
	name(sqe, CLOSE, file);
}

static void accepted(const struct io_uring_cqe *cqe)
{
	if (cqe->res >= CONNECTIONS_MAX || (cqe->res < 0 && cqe->res != -ECONNABORTED))
		fail("no more connections: %s", strerror(cqe->res < 0 ? -cqe->res : ENFILE));
	if (cqe->res >= 0) {
		connections[cqe->res] = (struct connection){ 0 };
		receive_start(&connections[cqe->res], (uint32_t)cqe->res);
	}
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accept_start();
}

static void received(struct connection *connection, const struct io_uring_cqe *cqe)
{
	uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

	connection->receiving = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->res > 0) {
		pool_taken++;
		pool_bytes += (uint32_t)cqe->res;
		buffers[buffer].bytes = (uint32_t)cqe->res;
		if (connection->queued++)
			buffers[connection->last].next = buffer;
		else
			connection->first = buffer;
		connection->last = buffer;
	} else if (cqe->res == -ENOBUFS) {
		pool_ran_dry = true;
	} else {
		connection->ended = true;
	}
}

/* A connection that is broken takes all; what another has not taken goes with its next send. */
static void sent(struct connection *connection, int result)
{
	size_t bytes = result < 0 ? SIZE_MAX : connection->sent + (size_t)result;
	uint16_t buffer;

	connection->sending = false;
	connection->ended |= result < 0;
	while (connection->queued && bytes >= buffers[buffer = connection->first].bytes) {
		bytes -= buffers[buffer].bytes;
		connection->first = buffers[buffer].next;
		connection->queued--;
		release(buffer);
	}
	connection->sent = connection->queued ? (uint32_t)bytes : 0;
}

static void dispatch(const struct io_uring_cqe *cqe)
{
	enum operation operation = (enum operation)(cqe->user_data >> 32);
	uint32_t file = (uint32_t)cqe->user_data;

	if (operation == ACCEPT)
		accepted(cqe);
	else if (operation == RECEIVE)
		received(&connections[file], cqe);
	else if (operation == SEND)
		sent(&connections[file], cqe->res);
	if ((operation == RECEIVE || operation == SEND) && !connections[file].listed) {
		connections[file].listed = true;
		listed[listed_count++] = file;
	}
}

/* What follows for a connection from all that has happened. false: it waits for a buffer. */
static bool go_on(struct connection *connection, uint32_t file)
{
	if (connection->queued && !connection->sending)
		send_start(connection, file);
	if (!connection->receiving && !connection->ended) {
		if (pool_taken == pool_count)
			return false;
		receive_start(connection, file);
	}
	if (!connection->receiving && !connection->sending)
		close_start(file);
	return true;
}

static void go_on_with_all(void)
{
	unsigned waiting = 0;

	if (pool_ran_dry && pool_bytes < POOL_BYTES)
		pool_grow(pool_count);
	pool_ran_dry = false;
	for (unsigned i = 0; i < listed_count; i++) {
		struct connection *connection = &connections[listed[i]];

		connection->listed = !go_on(connection, listed[i]);
		if (connection->listed)
			listed[waiting++] = listed[i];
	}
	listed_count = waiting;
}

static void check(int result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, strerror(-result));
}

static void serve(void)
{
	struct io_uring_cqe *cqe;

	for (;;) {
		int result = io_uring_submit_and_wait(&ring, 1);
		unsigned head, count = 0;

		if (result != -EINTR && result != -EBUSY)
			check(result, "io_uring_enter");
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			dispatch(cqe);
			count++;
		}
		io_uring_cq_advance(&ring, count);
		go_on_with_all();
	}
}

static void open_ring(void)
{
	unsigned long files = files_limit_raise();
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN |
						   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
					  .cq_entries = COMPLETIONS };
	struct io_uring_buf_reg registration = { .ring_addr = (uintptr_t)pool,
						 .ring_entries = BUFFERS_MAX };

	check(io_uring_queue_init_params(SUBMISSIONS, &ring, &params), "io_uring_setup");
	check(io_uring_register_ring_fd(&ring), "io_uring_register_ring_fd");
	files = files < CONNECTIONS_MAX ? files : CONNECTIONS_MAX;
	is_direct = io_uring_register_files_sparse(&ring, (unsigned)files) == 0;
	check(io_uring_register_buf_ring(&ring, &registration, 0), "io_uring_register_buf_ring");
	for (unsigned i = 0; i < BUFFERS_MAX; i++)
		numbers[i] = (uint16_t)i;
	pool_grow(BUFFERS_AT_FIRST);
}

int main(int argc, char **argv)
{
	listener = peer_listen(argc, argv);
	socket_set(listener, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	/* The ring itself waits: on a file that does not block it would not. */
	must(fcntl(listener, F_SETFL, 0), "fcntl");
	open_ring();
	accept_start();
	serve();
}
