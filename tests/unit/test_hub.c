/* SPDX-License-Identifier: MIT */
/* What the transports share: the list of clients to flush, counters, and the calls to a service. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/hub.h"
#include "unit/fake_ring.h"

#define CLIENTS 8

static struct hub hub;
static struct origin origin;
static char trace[512];

static void note(const char *event, uint64_t client, long number)
{
	size_t used = strlen(trace);

	snprintf(trace + used, sizeof(trace) - used, "%s %llu %ld\n", event,
		 (unsigned long long)client, number);
}

static void on_connected(struct rollcall_server *server, rollcall_client client, void *context)
{
	assert_ptr_equal(server, hub.server);
	assert_ptr_equal(context, &origin);
	note("connected", client, 0);
}

static void on_received(struct rollcall_server *server, rollcall_client client, const void *data,
			size_t bytes, void *context)
{
	(void)server;
	(void)context;
	assert_string_equal(data, "hello");
	note("received", client, (long)bytes);
}

static void on_oversized(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
			 void *context)
{
	(void)server;
	(void)context;
	note("oversized", client, (long)bytes_max);
}

static void on_drained(struct rollcall_server *server, rollcall_client client, void *context)
{
	(void)server;
	(void)context;
	note("drained", client, 0);
}

/* Its slot and data are still there. */
static void on_disconnected(struct rollcall_server *server, rollcall_client client, int reason,
			    void *context)
{
	(void)server;
	(void)context;
	assert_ptr_equal(table_find(&hub.table, client)->data, &origin);
	note("disconnected", client, reason);
}

static const struct rollcall_service service = {
	.size = sizeof(service),
	.message_bytes_max = 9,
	.connected = on_connected,
	.received = on_received,
	.oversized = on_oversized,
	.drained = on_drained,
	.disconnected = on_disconnected,
};
static const struct rollcall_service silent_service = { .size = sizeof(silent_service) };

static int set_up(void **state)
{
	static char server;

	(void)state;
	hub = (struct hub){ .server = (struct rollcall_server *)&server };
	rollcall_options_defaults(&hub.options);
	hub.options.tcp_clients_max = hub.options.udp_clients_max = CLIENTS / 2;
	origin = (struct origin){ .service = service, .context = &origin };
	trace[0] = '\0';
	return hub_init(&hub) || hub_open_ring(&hub, HUB_HALVINGS_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	hub_close_ring(&hub);
	hub_destroy(&hub);
	return 0;
}

static struct client *add(enum rollcall_transport transport)
{
	struct client *client = table_add(&hub.table, transport);

	client->origin = &origin;
	client->data = &origin;
	return client;
}

static void assert_next(const struct client *expected)
{
	struct client *client = hub_flush_next(&hub);

	assert_ptr_equal(client, expected);
	if (client)
		assert_int_equal(client->flags & CLIENT_TO_FLUSH, 0);
}

/* Clients are flushed in the order of their marking, each once however often it was marked. */
static void flush_order(void **state)
{
	struct client *a = add(ROLLCALL_TCP), *b = add(ROLLCALL_TCP), *c = add(ROLLCALL_UDP);

	(void)state;
	assert_next(NULL);
	hub_flush_later(&hub, b);
	hub_flush_later(&hub, a);
	hub_flush_later(&hub, b);
	assert_next(b);
	/* One that was taken can be marked again, and comes behind the others. */
	hub_flush_later(&hub, b);
	hub_flush_later(&hub, c);
	assert_next(a);
	assert_next(b);
	assert_next(c);
	assert_next(NULL);
}

/* All clients at once fit, wherever the list begins in its ring. */
static void flush_all(void **state)
{
	struct client *clients[CLIENTS];

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = add(ROLLCALL_TCP);
	for (int begin = 0; begin < 2 * CLIENTS; begin++) {
		for (int i = 0; i < CLIENTS; i++)
			hub_flush_later(&hub, clients[i]);
		assert_int_equal(hub.flush_count, CLIENTS);
		/* The one taken is marked again: the list goes on without ever being empty. */
		for (int i = 0; i < begin; i++) {
			assert_next(clients[i % CLIENTS]);
			hub_flush_later(&hub, clients[i % CLIENTS]);
		}
		for (int i = 0; i < CLIENTS; i++)
			assert_next(clients[(begin + i) % CLIENTS]);
		assert_next(NULL);
	}
}

/* A service is told of everything, with its context. */
static void calls(void **state)
{
	struct client *client = add(ROLLCALL_TCP);

	(void)state;
	hub_connected(&hub, client);
	hub_received(&hub, client, "hello", 6);
	hub_oversized(&hub, client);
	hub_drained(&hub, client);
	client->reason = -ECANCELED;
	hub_disconnected(&hub, client);
	assert_string_equal(trace, "connected 0 0\nreceived 0 6\noversized 0 9\ndrained 0 0\n"
				   "disconnected 0 -125\n");
	assert_null(table_find(&hub.table, 0));
	assert_int_equal(table_count(&hub.table, ROLLCALL_TCP), 0);
}

/* A service need not want to know of anything; then the rest happens all the same. */
static void no_calls(void **state)
{
	struct client *client = add(ROLLCALL_UDP);

	(void)state;
	origin.service = silent_service;
	hub_connected(&hub, client);
	hub_received(&hub, client, "hello", 6);
	hub_oversized(&hub, client);
	hub_drained(&hub, client);
	hub_disconnected(&hub, client);
	assert_string_equal(trace, "");
	assert_int_equal(table_count(&hub.table, ROLLCALL_UDP), 0);
	assert_null(table_find(&hub.table, 0));
}

static void counters(void **state)
{
	struct client *a = add(ROLLCALL_TCP), *b = add(ROLLCALL_TCP);

	(void)state;
	hub_received(&hub, a, "hello", 5);
	hub_received(&hub, b, "hello", 6);
	hub_count_sent(&hub, b, 100);
	hub_count_sent(&hub, b, 0);
	assert_int_equal(a->messages_received, 1);
	assert_int_equal(a->bytes_received, 5);
	assert_int_equal(a->messages_sent, 0);
	assert_int_equal(b->messages_sent, 2);
	assert_int_equal(b->bytes_sent, 100);
	assert_int_equal(hub.stats.messages_received, 2);
	assert_int_equal(hub.stats.bytes_received, 11);
	assert_int_equal(hub.stats.messages_sent, 2);
	assert_int_equal(hub.stats.bytes_sent, 100);
}

static void memory(void **state)
{
	struct queue queue = { 0 };
	const struct iovec part = { "hello", 5 };

	(void)state;
	assert_int_equal(hub_memory_bytes(&hub), 0);
	assert_true(queue_append(&hub.memory, &queue, &part, 1, true));
	hub.memory.input_bytes = 100;
	assert_int_equal(hub_memory_bytes(&hub), QUEUE_BLOCK_BYTES + 100);
	queue_clear(&hub.memory, &queue);
	assert_int_equal(hub_memory_bytes(&hub), 100);
}

/* Each pool of receive buffers fits into half of the queues' memory, but is never without any. */
static void buffers_within_memory(void **state)
{
	static const struct {
		size_t memory_bytes;
		uint32_t tcp, udp;
	} cases[] = {
		{ 256 << 20, 2048, 1024 },
		{ 8 << 20, 64, 32 },
		{ 1 << 20, HUB_TCP_BUFFERS, HUB_TCP_BUFFERS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		hub_close_ring(&hub);
		hub.options.memory_bytes_max = cases[i].memory_bytes;
		assert_int_equal(hub_open_ring(&hub, 0), 0);
		assert_int_equal(hub.buffers[BUFFERS_TCP].count_max, cases[i].tcp);
		assert_int_equal(hub.buffers[BUFFERS_UDP].count_max, cases[i].udp);
	}
}

/* Timeouts are a few seconds at most while an eighth of the places is not free. */
static void shorter_timeouts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CLIENTS / 2; i++) {
		assert_false(hub_is_short(&hub));
		assert_int_equal(hub_timeout_ms(&hub, 60000), 60000);
		add(ROLLCALL_TCP);
	}
	assert_true(hub_is_short(&hub));
	assert_int_equal(hub_timeout_ms(&hub, 60000), HUB_SHORT_TIMEOUT_MS);
	assert_int_equal(hub_timeout_ms(&hub, 100), 100);
	assert_int_equal(hub_timeout_ms(&hub, 0), 0);
	for (uint64_t id = 0; id < CLIENTS / 2; id++)
		table_remove(&hub.table, table_find(&hub.table, id));
	/* Scarce memory does the same. */
	hub.memory.input_bytes = hub.options.memory_bytes_max / 4 * 3;
	assert_false(hub_is_short(&hub));
	hub.memory.input_bytes++;
	assert_true(hub_is_short(&hub));
	hub.memory.input_bytes = 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(flush_order),
		TEST(flush_all),
		TEST(calls),
		TEST(no_calls),
		TEST(counters),
		TEST(memory),
		TEST(buffers_within_memory),
		TEST(shorter_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
