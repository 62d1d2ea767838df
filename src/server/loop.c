/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the loop: one turn, and the switch that passes each completion to its layer.
 */
#include <errno.h>

#include "ring/op.h"
#include "server/server.h"
#include "tcp/connection.h"
#include "tcp/receive.h"
#include "tcp/shortage.h"
#include "tcp/wait.h"
#include "udp/incoming.h"

static struct client *client_of(struct rollcall_server *server, uint64_t id)
{
	struct client *client = table_find(&server->hub.table, id);

	/* A slot is freed only when nothing is in flight for it. */
	CHECK(client);
	return client;
}

static void dispatch(struct rollcall_server *server, const struct io_uring_cqe *cqe)
{
	const uint64_t id = op_id(cqe->user_data);
	struct tcp *tcp = &server->tcp;

	switch (op_kind(cqe->user_data)) {
	case OP_TCP_RECEIVE:
		connection_on_receive(tcp, client_of(server, id), cqe);
		break;
	case OP_TCP_SEND:
		connection_on_sent(tcp, client_of(server, id), cqe);
		break;
	case OP_TCP_POLL:
		connection_on_poll(tcp, client_of(server, id), cqe);
		break;
	case OP_TCP_CANCEL:
		connection_on_cancel(tcp, client_of(server, id));
		break;
	case OP_TCP_CLOSE:
		connection_on_close(tcp, client_of(server, id));
		break;
	case OP_TCP_ACCEPT:
		listener_on_accept(server->tcp.listeners[id], cqe);
		break;
	case OP_TCP_ACCEPT_CANCEL:
		listener_on_cancel(server->tcp.listeners[id]);
		break;
	case OP_UDP_RECEIVE:
		incoming_on_receive(&server->udp, server->udp.endpoints[id], cqe);
		break;
	case OP_UDP_CANCEL:
		endpoint_on_cancel(server->udp.endpoints[id]);
		break;
	case OP_UDP_SEND:
		udp_on_sent(&server->udp, id, cqe);
		break;
	case OP_WAKE:
		posts_on_wake(&server->posts, server, cqe);
		break;
	case OP_FILE:
		files_on_done(&server->files, server, id, cqe);
		break;
	case OP_WAKE_CANCEL:
		posts_on_cancel(&server->posts);
		break;
	case OP_FILE_CANCEL:
		files_on_cancel(&server->files, id);
		break;
	}
}

static bool flush_clients(struct rollcall_server *server)
{
	struct client *client;

	while ((client = hub_flush_next(&server->hub))) {
		if (client->transport == ROLLCALL_UDP ? !udp_flush_client(&server->udp, client)
						      : !connection_flush(&server->tcp, client)) {
			hub_flush_later(&server->hub, client);
			return false;
		}
	}
	return true;
}

/* Starts with another listener in each turn, so that each gets its share of free slots. */
static bool flush_listeners(struct rollcall_server *server)
{
	for (unsigned i = 0; i < server->tcp.listener_count; i++) {
		uint64_t turn = server->hub.turns + i;

		if (!listener_flush(server->tcp.listeners[turn % server->tcp.listener_count]))
			return false;
	}
	return true;
}

/* Flushes everything that is due. false: the submission queue is full. */
static bool flush_all(struct rollcall_server *server)
{
	wait_end_for_buffers(&server->tcp);
	/* Before the clients: a sender answered as ROLLCALL_NONE may be a client by now. */
	if (!datagrams_flush_unlisted(&server->udp.datagrams))
		return false;
	/* A client that leaves may admit a waiting one, which then needs flushing too. */
	do {
		if (!flush_clients(server) || !flush_listeners(server))
			return false;
	} while (server->hub.flush_count > 0);
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		if (!endpoint_flush(server->udp.endpoints[i]))
			return false;
	return posts_flush(&server->posts, server->hub.ring) &&
	       files_flush(&server->files, server->hub.ring);
}

void server_flush(struct rollcall_server *server)
{
	server->unflushed = false;
	if (!flush_all(server))
		server->unflushed = true;
}

static uint64_t wait_ns(const struct rollcall_server *server)
{
	const struct hub *hub = &server->hub;
	const uint64_t deadline_ns =
		min_u64(timers_next(&hub->timers), timers_next(&hub->timeouts));

	if (server->unflushed || server->tcp.left_over.count > 0 || wait_goes_on(&server->tcp))
		return 0;
	if (deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	return deadline_ns > hub->now_ns ? deadline_ns - hub->now_ns : 0;
}

/*
 * The number of turns for which due timeouts may wait for input. Each turn takes what
 * RING_PASS_PIECES operations have ready, of which a client has at most two, or serves the same
 * number of clients that wait for a buffer. It also takes 32 datagrams of each UDP socket (Linux
 * 6.8), each of which occupies HOLD_DATAGRAM_BYTES or more of the SO_RCVBUF that was granted.
 */
#define HOLD_TURNS_MIN 256
#define HOLD_CLIENTS_A_TURN (RING_PASS_PIECES / 2)
#define HOLD_DATAGRAM_BYTES 512

static uint64_t hold_turns_max(const struct rollcall_server *server)
{
	return HOLD_TURNS_MIN +
	       table_count(&server->hub.table, ROLLCALL_TCP) / HOLD_CLIENTS_A_TURN +
	       udp_receive_bytes_max(&server->udp) / (32 * HOLD_DATAGRAM_BYTES);
}

/*
 * Runs the timeouts that are due, after all waiting input has been taken: after a stall of the
 * process or a slow callback, what a client sent in time is handled before its timeout. All input
 * has been taken when a turn that did not sleep finds nothing; if every turn finds something,
 * timeouts run after hold_turns_max() turns.
 */
static void run_timeouts(struct rollcall_server *server, bool found_nothing)
{
	struct hub *hub = &server->hub;

	if (timers_next(&hub->timeouts) > hub->now_ns) {
		server->held_turns = 0;
		return;
	}
	if (!found_nothing && server->held_turns++ < hold_turns_max(server))
		return;
	server->held_turns = 0;
	timers_run(&hub->timeouts, hub->now_ns);
}

/* The turn was to begin at due_ns. */
static void count_stall(struct hub *hub, uint64_t due_ns)
{
	if (hub->now_ns <= due_ns || hub->now_ns - due_ns < HUB_STALL_MS * (uint64_t)1000000)
		return;
	hub->stalled_ns += hub->now_ns - due_ns;
	hub->stall_end_ns = hub->now_ns;
}

int server_turn(struct rollcall_server *server, uint64_t wait_max_ns)
{
	struct hub *hub = &server->hub;
	const bool flushed = !server->unflushed;
	const uint64_t sleep_ns = min_u64(wait_ns(server), wait_max_ns);
	const uint64_t due_ns = hub->now_ns + min_u64(sleep_ns, UINT64_MAX - hub->now_ns);
	struct io_uring_cqe cqe;
	bool found_nothing;
	int error = ring_submit_and_wait(hub->ring, sleep_ns);

	if (error && error != -ETIME)
		return error;
	hub->now_ns = ring_clock_ns(hub->ring);
	count_stall(hub, due_ns);
	hub->turns++;
	receive_begin_turn(&server->tcp);
	wait_end_for_turn(&server->tcp);
	while (ring_take(hub->ring, &cqe)) {
		hub->stats.completions++;
		dispatch(server, &cqe);
	}
	found_nothing = flushed && error == -ETIME;
	timers_run(&hub->timers, hub->now_ns);
	shortage_check(&server->tcp);
	trim_check(&server->trim, found_nothing);
	run_timeouts(server, found_nothing);
	return 0;
}

static int serve(struct rollcall_server *server)
{
	server->hub.now_ns = ring_clock_ns(server->hub.ring);
	for (;;) {
		int error;

		server_flush(server);
		if (server->state != SERVER_RUNNING && !server_is_busy(server))
			break;
		error = server_turn(server, UINT64_MAX);
		if (error)
			return error;
		if (server->state != SERVER_RUNNING)
			server_end_udp_clients(server);
	}
	timers_clear(&server->hub.timers, &server->drain_timer);
	return 0;
}

int rollcall_run(struct rollcall_server *server)
{
	int error;

	if (!server_is_callers(server))
		return -EPERM;
	if (server->busy)
		return -EBUSY;
	server->busy = true;
	error = serve(server);
	server->busy = false;
	return error;
}
