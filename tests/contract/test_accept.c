/* SPDX-License-Identifier: MIT */
/* Multishot accept: clients in order of coming, its ends, and starting it again. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>

#include "contract/contract.h"

#define ACCEPT 1

static struct address address;
static int listener;

static int set_up(void **state)
{
	if (contract_begin(state))
		return -1;
	listener = listen_on_loopback(&address);
	return 0;
}

static int tear_down(void **state)
{
	socket_close(ring, listener);
	return contract_end(state);
}

static void start_accept(void)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	sqe->user_data = ACCEPT;
}

static void end_accept(void)
{
	assert_int_equal(cancel(ACCEPT), 0);
	assert_int_equal(completion_of(ACCEPT).res, -ECANCELED);
}

/* Whether the descriptor is the other end of the peer: by its address. */
static void assert_is_peer(int fd, const struct peer *peer)
{
	struct address own, other;

	assert_int_equal(peer_address(peer, &own), 0);
	assert_int_equal(socket_peer_address(ring, fd, &other), 0);
	assert_true(address_equal(&own, &other));
	assert_int_equal(socket_local_address(ring, fd, &own), 0);
	assert_true(address_equal(&own, &address));
}

/* One operation takes several clients, each with F_MORE, in the order of their coming. */
static void several_clients(void **state)
{
	struct peer peers[10];

	(void)state;
	start_accept();
	turn();
	for (size_t i = 0; i < COUNT(peers); i++)
		assert_int_equal(peer_connect(&peers[i], &address), 0);
	for (size_t i = 0; i < COUNT(peers); i++) {
		struct completion accepted = completion_of(ACCEPT);

		assert_in_range(accepted.res, 0, INT32_MAX);
		assert_true(accepted.flags & IORING_CQE_F_MORE);
		assert_is_peer(accepted.res, &peers[i]);
		peer_close(&peers[i]);
		close_fd(accepted.res);
	}
	end_accept();
}

/*
 * Clients that came before the accept was started wait in the backlog: more than an engine may
 * accept in one turn.
 */
static void accept_backlog(void)
{
	struct peer peers[100];

	for (uint32_t i = 0; i < COUNT(peers); i++) {
		assert_int_equal(socket_backlog(ring, listener), i);
		assert_int_equal(peer_connect(&peers[i], &address), 0);
	}
	assert_int_equal(socket_backlog(ring, listener), COUNT(peers));
	turn();
	start_accept();
	for (size_t i = 0; i < COUNT(peers); i++) {
		int fd = completion_of(ACCEPT).res;

		assert_is_peer(fd, &peers[i]);
		peer_close(&peers[i]);
		close_fd(fd);
	}
	assert_int_equal(socket_backlog(ring, listener), 0);
	end_accept();
}

/* The second time nothing new happens on the socket after the accept was started. */
static void backlog(void **state)
{
	(void)state;
	accept_backlog();
	accept_backlog();
}

/* A client that is gone before it was accepted is accepted, or not; others are not affected. */
static void gone_before_accepted(void **state)
{
	struct peer gone, stays;
	int fd;

	(void)state;
	assert_int_equal(peer_connect(&gone, &address), 0);
	peer_reset(&gone);
	assert_int_equal(peer_connect(&stays, &address), 0);
	start_accept();
	fd = completion_of(ACCEPT).res;
	if (socket_peer_address(ring, fd, &(struct address){ 0 }) == -ENOTCONN) {
		close_fd(fd);
		fd = completion_of(ACCEPT).res;
	}
	assert_is_peer(fd, &stays);
	peer_close(&stays);
	close_fd(fd);
	end_accept();
}

/* A cancel ends it with ECANCELED and without F_MORE; a later client waits for the next accept. */
static void cancelled(void **state)
{
	struct completion last;
	struct peer peer;
	int fd;

	(void)state;
	start_accept();
	turn();
	assert_int_equal(cancel(ACCEPT), 0);
	last = completion_of(ACCEPT);
	assert_int_equal(last.res, -ECANCELED);
	assert_false(last.flags & IORING_CQE_F_MORE);
	assert_int_equal(peer_connect(&peer, &address), 0);
	assert_false(completion_now(ACCEPT, &last));
	start_accept();
	fd = completion_of(ACCEPT).res;
	assert_is_peer(fd, &peer);
	peer_close(&peer);
	close_fd(fd);
	end_accept();
}

/* What a listening socket is set to, its clients inherit. */
static void inherited_options(void **state)
{
	struct peer peer;
	int fd, value = 0;
	socklen_t bytes = sizeof(value);

	(void)state;
	needs_the_kernel("reads the options of a socket");
	fd = connected(&peer);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
	assert_int_equal(value, 1);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	peer_close(&peer);
	close_fd(fd);
}

/*
 * Without a free descriptor the accept ends with EMFILE. The client stays in the backlog: an accept
 * that is started again at once fails at once, and one that finds a descriptor takes it.
 */
static void no_descriptor(void **state)
{
	struct completion failed;
	struct peer peer;
	int fd;

	(void)state;
	assert_int_equal(peer_connect(&peer, &address), 0);
	peers_take_descriptors(true);
	for (int i = 0; i < 3; i++) {
		start_accept();
		failed = completion_of(ACCEPT);
		assert_int_equal(failed.res, -EMFILE);
		assert_false(failed.flags & IORING_CQE_F_MORE);
	}
	peers_take_descriptors(false);
	start_accept();
	fd = completion_of(ACCEPT).res;
	assert_is_peer(fd, &peer);
	peer_close(&peer);
	close_fd(fd);
	end_accept();
}

/*
 * A full completion queue ends it with a good result and without F_MORE (Linux): the descriptor of
 * that one is valid too, and an accept started again goes on with the next client. None is lost.
 */
static void completion_queue_overflows(void **state)
{
	enum { CLIENTS = 40 };
	static struct peer peers[CLIENTS];
	unsigned ends = 0;

	(void)state;
	contract_begin_anew(4, 8);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(peer_connect(&peers[i], &address), 0);
	start_accept();
	for (size_t i = 0; i < CLIENTS; i++) {
		struct completion accepted = completion_of(ACCEPT);

		assert_in_range(accepted.res, 0, INT32_MAX);
		assert_is_peer(accepted.res, &peers[i]);
		if (!(accepted.flags & IORING_CQE_F_MORE)) {
			ends++;
			start_accept();
		}
		socket_close(ring, accepted.res);
		peer_close(&peers[i]);
	}
	assert_in_range(ends, 1, CLIENTS);
	end_accept();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(several_clients),
		TEST(backlog),
		TEST(gone_before_accepted),
		TEST(cancelled),
		TEST(inherited_options),
		TEST(no_descriptor),
		TEST(completion_queue_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
