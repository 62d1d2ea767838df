/* SPDX-License-Identifier: MIT */
/*
 * engine.h - epoll-rollcall: the functions of rollcall.h that the program's services need, over
 * epoll. What is left when it is compared with rollcall is the difference of the engines.
 *
 * Like for like, because it is the same code, linked as it is: the services, the table of clients
 * and their IDs, framing, unfinished messages, output queues with their limits, counters, the
 * states of a connection, idle timeouts; of UDP the clients, their limits and sources, numbered
 * datagrams, and answers that leave together; sockets, options and addresses.
 *
 * Its own, and as a good epoll server has it: edge-triggered; a receive of up to 64 KiB, the
 * service called in place, one send of all answers from where they lie, and that again some times
 * if there is more. Only what a socket does not take is copied. Datagrams go by recvmmsg() and
 * sendmmsg(), with GRO and GSO.
 *
 * Left out: rollcall_stop() and the drain; timers, files and other threads for services; the
 * console; and when there are no files left for new clients, only one that goes makes room.
 *
 * The code that is shared says what it wants done by way of ring/ring.h, and is told what was done
 * by completions. So ring/ring.h has an implementation here, in which nothing waits: struct ring is
 * an epoll, and its submission queue just a list of datagrams to send (udp.c). No liburing is
 * linked.
 */
#ifndef EPOLL_ROLLCALL_ENGINE_H
#define EPOLL_ROLLCALL_ENGINE_H

#include "ring/op.h"
#include "server/server.h"

/* So many datagrams are received and sent with one system call. */
#define ENGINE_BATCH 64

/* What comes from one TCP client at a time. */
#define ENGINE_TCP_BYTES (64 << 10)

/* The largest datagram, and before it its address and control data (udp/arrival.h). */
#define ENGINE_UDP_BYTES ((64 << 10) + 256)

struct ring {
	int epoll;
	unsigned capacity, count; /* of sqes; a capacity of 0: the queue is full */
	struct io_uring_sqe sqes[ENGINE_BATCH];
};

/* EPOLL_CTL_ADD or EPOLL_CTL_MOD; what epoll_wait() gives back is `data`, made by op_pack(). */
int engine_watch(struct rollcall_server *server, int operation, int fd, uint32_t events,
		 uint64_t data);

/* A completion: the result of a receive, and the buffer that it has filled. */
static inline void engine_received(struct io_uring_cqe *completion, ssize_t result, unsigned buffer)
{
	completion->res = (int)result;
	completion->flags = IORING_CQE_F_MORE;
	if (result > 0)
		completion->flags |= IORING_CQE_F_BUFFER | buffer << IORING_CQE_BUFFER_SHIFT;
}

/* Watches a listener or an endpoint. */
int tcp_start(struct rollcall_server *server, struct listener *listener);
int udp_start(struct rollcall_server *server, struct endpoint *endpoint);

/* Events. */
void tcp_accept(struct rollcall_server *server, struct listener *listener);
void tcp_ready(struct rollcall_server *server, struct client *client, uint32_t events);
void udp_ready(struct rollcall_server *server, struct endpoint *endpoint);

/* Does what has become necessary: sends, closes, or asks for more. */
void tcp_flush(struct rollcall_server *server, struct client *client);
void udp_flush(struct rollcall_server *server, struct client *client);

/* Sends to those without a place in the table, and then what is queued in the ring. */
void udp_flush_unlisted(struct rollcall_server *server);
void udp_send_queued(struct rollcall_server *server);

#endif
