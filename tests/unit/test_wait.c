/* SPDX-License-Identifier: MIT */
/*
 * Clients that wait for buffers or for the kernel's memory: they go on in the order of their
 * coming, as many as there are buffers, and those without memory only after a while.
 */
#include "tcp/wait.h"
#include "unit/fake_ring.h"

#define CLIENTS (TCP_LEFT_OVER_CLIENTS + 2)

static struct hub hub;
static struct tcp tcp;
static struct client *clients[CLIENTS];
static uint16_t taken[8192];
static unsigned taken_count;

static int set_up(void **state)
{
	(void)state;
	hub = (struct hub){ .now_ns = 1000 };
	rollcall_options_defaults(&hub.options);
	hub.options.tcp_clients_max = CLIENTS;
	hub.options.udp_clients_max = 1;
	hub.options.memory_bytes_max = 1 << 20;
	if (hub_init(&hub) || hub_open_ring(&hub, HUB_HALVINGS_MAX) || timers_reserve(&hub.timers))
		return -1;
	tcp = (struct tcp){ .hub = &hub, .memory_timer = { .expired = wait_on_timer } };
	client_list_init(&tcp.no_buffer, LIST_WAIT);
	client_list_init(&tcp.no_buffer_later, LIST_WAIT);
	client_list_init(&tcp.no_memory, LIST_WAIT);
	client_list_init(&tcp.left_over, LIST_WAIT);
	if (liveness_init(&tcp.liveness, &hub))
		return -1;
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = table_add(&hub.table, ROLLCALL_TCP);
	taken_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (taken_count > 0)
		buffers_release(&hub.buffers[BUFFERS_TCP], taken[--taken_count]);
	hub_close_ring(&hub);
	hub_destroy(&hub);
	return 0;
}

static void take_all_buffers(void)
{
	while (buffers_free(&hub.buffers[BUFFERS_TCP]) > 0)
		taken[taken_count++] = fake_receive(&hub.buffers[BUFFERS_TCP]);
}

/* The next client to flush is this one, which waits no more. */
static void assert_goes_on(struct client *client)
{
	assert_ptr_equal(hub_flush_next(&hub), client);
	assert_int_equal(client->receive, RECEIVE_NONE);
	assert_false(client_has_any(client, CLIENT_NO_MEMORY));
	assert_false(client_is_in_list(client, LIST_WAIT));
}

/* With no buffer free nobody goes on; with two, the two that came first, and they are flushed. */
static void buffers_in_order(void **state)
{
	(void)state;
	take_all_buffers();
	for (int i = 0; i < 3; i++)
		wait_for_buffer(&tcp, clients[i]);
	wait_end_for_buffers(&tcp);
	assert_null(hub_flush_next(&hub));

	for (int i = 0; i < 2; i++)
		buffers_release(&hub.buffers[BUFFERS_TCP], taken[--taken_count]);
	wait_end_for_buffers(&tcp);
	assert_goes_on(clients[0]);
	assert_goes_on(clients[1]);
	assert_null(hub_flush_next(&hub));
	assert_int_equal(clients[2]->receive, RECEIVE_NO_BUFFER);
	wait_leave(&tcp, clients[2]);
	assert_int_equal(tcp.no_buffer.count, 0);
}

/* Those beyond their share, in messages or in bytes, go on after the others, and leave in order. */
static void beyond_their_share_later(void **state)
{
	(void)state;
	clients[0]->beyond_share = 1;
	client_set(clients[1], CLIENT_LIMITED);
	take_all_buffers();
	for (int i = 0; i < 3; i++)
		wait_for_buffer(&tcp, clients[i]);
	assert_false(wait_goes_on(&tcp));
	buffers_release(&hub.buffers[BUFFERS_TCP], taken[--taken_count]);
	assert_true(wait_goes_on(&tcp));
	wait_end_for_buffers(&tcp);
	assert_goes_on(clients[2]);
	assert_null(hub_flush_next(&hub));
	wait_end_for_buffers(&tcp);
	assert_goes_on(clients[0]);
	wait_leave(&tcp, clients[1]);
	assert_int_equal(tcp.no_buffer_later.count, 0);
	assert_false(wait_goes_on(&tcp));
}

/* A turn handles the held input of some clients, the next ones that of others. */
static void left_over(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		wait_for_turn(&tcp, clients[i]);
	wait_end_for_turn(&tcp);
	for (int i = 0; i < TCP_LEFT_OVER_CLIENTS; i++)
		assert_goes_on(clients[i]);
	assert_null(hub_flush_next(&hub));
	wait_for_turn(&tcp, clients[0]);
	wait_end_for_turn(&tcp);
	assert_goes_on(clients[CLIENTS - 2]);
	assert_goes_on(clients[CLIENTS - 1]);
	assert_goes_on(clients[0]);
	assert_null(hub_flush_next(&hub));
}

/* With one buffer a turn, they get it in one turn of four. */
static void beyond_their_share_too(void **state)
{
	(void)state;
	clients[0]->beyond_share = 1;
	take_all_buffers();
	buffers_release(&hub.buffers[BUFFERS_TCP], taken[--taken_count]);
	for (int i = 0; i < 4; i++)
		wait_for_buffer(&tcp, clients[i]);
	for (int i = 1; i < 4; i++) {
		wait_end_for_buffers(&tcp);
		assert_goes_on(clients[i]);
		wait_for_buffer(&tcp, clients[i]);
		hub.turns++;
	}
	wait_end_for_buffers(&tcp);
	assert_goes_on(clients[0]);
	for (int i = 1; i < 4; i++)
		wait_leave(&tcp, clients[i]);
}

/* A client that lacks memory is not helped by a free buffer, only by time. */
static void memory_takes_time(void **state)
{
	(void)state;
	wait_for_memory(&tcp, clients[0]);
	wait_end_for_buffers(&tcp);
	assert_null(hub_flush_next(&hub));
	timers_run(&hub.timers, hub.now_ns + TCP_RETRY_NS - 1);
	assert_null(hub_flush_next(&hub));
	timers_run(&hub.timers, hub.now_ns + TCP_RETRY_NS);
	assert_goes_on(clients[0]);
}

/* A client that lacks a buffer and then memory too waits for the memory alone. */
static void both(void **state)
{
	(void)state;
	wait_for_buffer(&tcp, clients[0]);
	wait_for_memory(&tcp, clients[0]);
	wait_for_buffer(&tcp, clients[0]);
	wait_for_memory(&tcp, clients[0]);
	assert_int_equal(tcp.no_buffer.count, 0);
	assert_int_equal(tcp.no_memory.count, 1);
	wait_end_for_buffers(&tcp);
	assert_null(hub_flush_next(&hub));
	timers_run(&hub.timers, hub.now_ns + TCP_RETRY_NS);
	assert_goes_on(clients[0]);
}

/* A client that leaves is no longer in a list, whatever it waited for. */
static void leaving(void **state)
{
	(void)state;
	wait_for_buffer(&tcp, clients[0]);
	wait_for_memory(&tcp, clients[1]);
	for (int i = 0; i < 3; i++) {
		wait_leave(&tcp, clients[i]);
		assert_false(client_is_in_list(clients[i], LIST_WAIT));
		assert_int_equal(clients[i]->receive, RECEIVE_NONE);
		assert_false(client_has_any(clients[i], CLIENT_NO_MEMORY));
	}
	timers_run(&hub.timers, hub.now_ns + TCP_RETRY_NS);
	assert_null(hub_flush_next(&hub));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buffers_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beyond_their_share_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(left_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(beyond_their_share_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_takes_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(both, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaving, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
