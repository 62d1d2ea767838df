/* SPDX-License-Identifier: MIT */
/*
 * engine.c - takes the place of the engine io_uring (ring/uring.c) where instructions are counted:
 * completions come in batches of the same size on every machine, as none comes from a kernel. All
 * else of the server is the product's, with its real sockets; but no data goes through these.
 *
 * As in Linux, sends are carried out when they are submitted, and all other completions follow.
 */
#include "ring/engine.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/base.h"
#include "instructions/load.h"
#include "lib/sqe.h"
#include "ring/ring.h"

/* The time that a turn takes. */
#define TURN_NS 100000

/* The port of the first peer of an endpoint: no server's. */
#define PORT_FIRST 40000

static struct {
	unsigned sq_head, sq_tail, sq_flags, cq_head, cq_tail;
	struct io_uring_sqe receive;   /* of the endpoint; opcode 0: none */
	int first_fd;		       /* of the peers of a listener */
	uint16_t heads[ENGINE_GROUPS]; /* the buffer that each group fills next */
	uint64_t turns;
} engine;

int uring_create(struct ring *ring, unsigned sq_entries, unsigned cq_entries)
{
	ring->uring.sq = (struct io_uring_sq){
		.khead = &engine.sq_head,
		.ktail = &engine.sq_tail,
		.kflags = &engine.sq_flags,
		.sqes = calloc(sq_entries, sizeof(struct io_uring_sqe)),
		.ring_mask = sq_entries - 1,
		.ring_entries = sq_entries,
	};
	ring->uring.cq = (struct io_uring_cq){
		.khead = &engine.cq_head,
		.ktail = &engine.cq_tail,
		.cqes = calloc(cq_entries, sizeof(struct io_uring_cqe)),
		.ring_mask = cq_entries - 1,
		.ring_entries = cq_entries,
	};
	CHECK(ring->uring.sq.sqes && ring->uring.cq.cqes);
	return 0;
}

void uring_destroy(struct ring *ring)
{
	free(ring->uring.sq.sqes);
	free(ring->uring.cq.cqes);
}

int uring_buffers_register(struct ring *ring, uint16_t group)
{
	(void)ring;
	(void)group;
	return 0;
}

void uring_buffers_unregister(struct ring *ring, uint16_t group)
{
	(void)ring;
	(void)group;
}

/* In the place of libc's: time and random numbers are the same in each run too. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = 1 + (time_t)(engine.turns / (1000000000 / TURN_NS));
	now->tv_nsec = (long)(engine.turns % (1000000000 / TURN_NS) * TURN_NS);
	return 0;
}

ssize_t getrandom(void *to, size_t bytes, unsigned flags)
{
	(void)flags;
	memset(to, 0x5a, bytes);
	return (ssize_t)bytes;
}

static void post(struct ring *ring, uint64_t user_data, int result, uint32_t flags)
{
	const struct io_uring_cq *cq = &ring->uring.cq;
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = result, .flags = flags };

	CHECK(engine.cq_tail - engine.cq_head < cq->ring_entries);
	memcpy(&cq->cqes[engine.cq_tail++ & cq->ring_mask], &cqe, sizeof(cqe));
}

/* The next buffer of a group; NULL: none is free. */
static struct io_uring_buf *take_buffer(struct ring *ring, unsigned number)
{
	struct buffer_group *group = &ring->groups[number];

	if (engine.heads[number] == group->entries->tail)
		return NULL;
	return &group->entries->bufs[engine.heads[number]++ & (group->count - 1)];
}

/* Posts a completion of a multishot with this buffer; NULL: it ends for lack of one. */
static void post_received(struct ring *ring, uint64_t user_data, const struct io_uring_buf *buffer,
			  size_t bytes)
{
	if (!buffer) {
		post(ring, user_data, -ENOBUFS, 0);
		return;
	}
	CHECK(bytes <= buffer->len);
	post(ring, user_data, (int)bytes,
	     IORING_CQE_F_BUFFER | IORING_CQE_F_MORE |
		     (uint32_t)buffer->bid << IORING_CQE_BUFFER_SHIFT);
}

/* ---- TCP ---- */

static struct peer *peer_of(int fd)
{
	CHECK(fd >= engine.first_fd && fd < engine.first_fd + LOAD_PEERS);
	return &load.peers[fd - engine.first_fd];
}

/* Connects all peers, and accepts them. */
static void accept_all(struct ring *ring, const struct io_uring_sqe *sqe)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);

	CHECK(getsockname(sqe->fd, (struct sockaddr *)&address, &bytes) == 0);
	for (int i = 0; i < LOAD_PEERS; i++) {
		const int peer = socket(AF_INET, SOCK_STREAM, 0);

		CHECK(connect(peer, (const struct sockaddr *)&address, bytes) == 0);
	}
	for (int i = 0; i < LOAD_PEERS; i++) {
		const int fd = accept(sqe->fd, NULL, NULL);

		if (i == 0)
			engine.first_fd = fd;
		CHECK(fd >= 0 && fd == engine.first_fd + i);
		post(ring, sqe->user_data, fd, IORING_CQE_F_MORE);
	}
}

static void ask_by_tcp(struct ring *ring, struct peer *peer)
{
	const struct io_uring_buf *buffer = take_buffer(ring, 0);

	if (buffer)
		memcpy((void *)(uintptr_t)buffer->addr, load.question, load.question_bytes);
	post_received(ring, peer->receive, buffer, load.question_bytes);
	peer->asks = !buffer;
	peer->receive = buffer ? peer->receive : 0;
}

/* ---- UDP ---- */

/* A datagram, or a GRO batch, as a multishot recvmsg lays it out. Returns its bytes. */
static size_t lay_out_datagram(uint8_t *to, unsigned peer)
{
	const struct msghdr *layout = (const struct msghdr *)(uintptr_t)engine.receive.addr;
	const int segment_bytes = (int)load.scenario->message_bytes;
	const bool is_batch = load.scenario->messages > 1;
	const struct io_uring_recvmsg_out out = {
		.namelen = sizeof(struct sockaddr_in),
		.controllen = is_batch ? CMSG_SPACE(sizeof(segment_bytes)) : 0,
		.payloadlen = (uint32_t)load.question_bytes,
	};
	const struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(PORT_FIRST + peer)),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	const struct cmsghdr header = {
		.cmsg_len = CMSG_LEN(sizeof(segment_bytes)),
		.cmsg_level = SOL_UDP,
		.cmsg_type = UDP_GRO,
	};
	uint8_t *name = to + sizeof(out), *control = name + layout->msg_namelen;
	uint8_t *payload = control + layout->msg_controllen;

	memcpy(to, &out, sizeof(out));
	memcpy(name, &from, sizeof(from));
	memcpy(control, &header, sizeof(header));
	memcpy(CMSG_DATA((struct cmsghdr *)(void *)control), &segment_bytes, sizeof(segment_bytes));
	memcpy(payload, load.question, load.question_bytes);
	return (size_t)(payload - to) + load.question_bytes;
}

static void ask_by_udp(struct ring *ring, unsigned peer)
{
	const struct io_uring_buf *buffer = take_buffer(ring, 1);
	size_t bytes = 0;

	if (buffer)
		bytes = lay_out_datagram((uint8_t *)(uintptr_t)buffer->addr, peer);
	post_received(ring, engine.receive.user_data, buffer, bytes);
	load.peers[peer].asks = !buffer;
	engine.receive.opcode = buffer ? engine.receive.opcode : 0;
}

static struct peer *peer_at(const struct sockaddr_in *address)
{
	const unsigned peer = ntohs(address->sin_port) - PORT_FIRST;

	CHECK(peer < LOAD_PEERS);
	return &load.peers[peer];
}

/* ---- A turn ---- */

static void carry_out(struct ring *ring, const struct io_uring_sqe *sqe)
{
	struct iovec one;
	struct msghdr message;
	struct peer *peer;

	switch (sqe->opcode) {
	case IORING_OP_ACCEPT:
		accept_all(ring, sqe);
		break;
	case IORING_OP_RECV:
		CHECK(sqe->ioprio & IORING_RECV_MULTISHOT);
		peer_of(sqe->fd)->receive = sqe->user_data;
		break;
	case IORING_OP_RECVMSG:
		engine.receive = *sqe;
		break;
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		message = sqe_message(sqe, &one);
		peer = message.msg_name ? peer_at(message.msg_name) : peer_of(sqe->fd);
		post(ring, sqe->user_data, load_take(peer, message.msg_iov, message.msg_iovlen), 0);
		break;
	default: /* the eventfd of rollcall_post(), which no one writes to */
		CHECK(sqe->opcode == IORING_OP_POLL_ADD || sqe->opcode == IORING_OP_READ);
	}
}

static void ask(struct ring *ring)
{
	for (unsigned i = 0; i < LOAD_PEERS; i++) {
		struct peer *peer = &load.peers[i];

		if (peer->asks && peer->receive)
			ask_by_tcp(ring, peer);
		else if (peer->asks && engine.receive.opcode)
			ask_by_udp(ring, i);
	}
}

/* Ends rollcall_run() with -ECANCELED when all messages are answered. What it does is not counted.
 */
__attribute__((noinline)) int uring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	struct io_uring_sq *sq = &ring->uring.sq;
	const unsigned before = engine.cq_tail;

	engine.turns++;
	for (; sq->sqe_head != sq->sqe_tail; sq->sqe_head++)
		carry_out(ring, &sq->sqes[sq->sqe_head & sq->ring_mask]);
	engine.sq_head = sq->sqe_head;
	if (load.messages >= load.limit)
		return -ECANCELED;
	ask(ring);
	CHECK(engine.cq_tail != before || wait_ns == 0);
	return 0;
}
