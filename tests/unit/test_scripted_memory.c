/* SPDX-License-Identifier: MIT */
/*
 * Each allocation fails once: what was asked for is refused with -ENOMEM and can be asked for
 * again, and everything comes back at the end.
 */
#include "unit/scripted_server.h"

#include "tcp/connection.h"
#include "udp/rate.h"
#include "client/sources.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_memory_reserve(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_memory_reserve(size_t bytes);

/* Which allocation from now on fails, counted from 1; 0: none, or it has failed. */
static unsigned failing;

static bool fails(void)
{
	return failing > 0 && --failing == 0;
}

void *__wrap_malloc(size_t bytes)
{
	return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
	return fails() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_memory_reserve(size_t bytes)
{
	return fails() ? NULL : __real_memory_reserve(bytes);
}

static unsigned posted_count, posted_runs;

static void on_posted(struct rollcall_server *of, void *context)
{
	(void)of;
	(void)context;
	posted_runs++;
}

static int listen_tcp(void)
{
	return listen_on("tcp://127.0.0.1:0");
}

static int listen_udp(void)
{
	return listen_on("udp://127.0.0.1:0");
}

/* What is refused stays the caller's, so that the next attempt can have it. */
static int adopt(enum rollcall_transport transport)
{
	static int fd = -1;
	int error;

	kernel.transport = (int)transport;
	if (fd < 0)
		fd = kernel_open();
	kernel.addresses[fd] = make_address("127.0.0.1", 80);
	error = rollcall_adopt(server, fd, &service, NULL);
	if (!error)
		fd = -1;
	return error;
}

static int adopt_tcp(void)
{
	return adopt(ROLLCALL_TCP);
}

static int adopt_udp(void)
{
	return adopt(ROLLCALL_UDP);
}

static int start_timer(void)
{
	struct rollcall_timer *timer;

	return rollcall_timer_start(server, &timer, 1000, 0, on_posted, NULL);
}

static int post(void)
{
	int error = rollcall_post(server, on_posted, NULL);

	posted_count += error == 0;
	return error;
}

/* Calls until it has worked; whatever fails does so for lack of memory. */
static void insist(int (*call)(void))
{
	int error = call();

	if (!error)
		return;
	assert_int_equal(error, -ENOMEM);
	assert_int_equal(failing, 0);
	assert_int_equal(call(), 0);
}

static int create_server(void)
{
	return rollcall_create(&server, &options);
}

/* More of one thing than fit into the first heap of timers, and one of each other. */
static void sweep(int (*many)(void))
{
	for (unsigned nth = 1, left = 0; left == 0; nth++) {
		posted_count = posted_runs = 0;
		failing = nth;
		insist(create_server);
		for (int i = 0; i < 20; i++)
			insist(many);
		insist(listen_tcp);
		insist(listen_udp);
		insist(adopt_tcp);
		insist(adopt_udp);
		insist(start_timer);
		insist(post);
		left = failing;
		failing = 0;
		scripted_end(NULL);
		scripted_begin(NULL);
		assert_int_equal(posted_runs, posted_count);
		assert_in_range(nth, 1, 1000);
	}
}

static void listeners(void **state)
{
	(void)state;
	sweep(listen_tcp);
}

static void endpoints(void **state)
{
	(void)state;
	sweep(listen_udp);
}

static void timers(void **state)
{
	(void)state;
	sweep(start_timer);
}

/* ---- Timers of the parts, where the heap of timers is nearly full ---- */

static struct rollcall_server parts;

static int init_drain(void)
{
	return server_drain_init(&parts);
}

static int init_tcp(void)
{
	return connections_init(&parts.tcp, &parts.hub);
}

static int init_udp(void)
{
	return udp_init(&parts.udp, &parts.hub);
}

static int init_posts(void)
{
	return posts_init(&parts.posts, &parts.hub);
}

static void destroy_none(void)
{
}

static void destroy_tcp(void)
{
	connections_destroy(&parts.tcp);
}

static void destroy_udp(void)
{
	udp_destroy(&parts.udp);
}

static void destroy_posts(void)
{
	posts_destroy(&parts.posts, &parts, NULL);
}

/* Calls init() with space for `left` more of these timers, and without memory for another one. */
static int init_with_timers_left(struct timers *timers, int (*init)(void), void (*destroy)(void),
				 size_t left)
{
	int error;

	parts = (struct rollcall_server){ .hub.options = options };
	do
		assert_int_equal(timers_reserve(timers), 0);
	while (timers->capacity - timers->reserved > left);
	failing = 1;
	error = init();
	assert_int_equal(failing, 0);
	if (!error)
		destroy();
	timers_destroy(&parts.hub.timers);
	timers_destroy(&parts.hub.timeouts);
	return error;
}

static void rooms_for_timers(void **state)
{
	static const struct {
		struct timers *of;
		int (*init)(void);
		void (*destroy)(void);
		size_t count;
	} all[] = {
		{ &parts.hub.timers, init_drain, destroy_none, 1 },
		{ &parts.hub.timers, init_tcp, destroy_tcp, 1 },
		{ &parts.hub.timeouts, init_tcp, destroy_tcp, 4 },
		{ &parts.hub.timeouts, init_udp, destroy_udp, 1 },
		{ &parts.hub.timers, init_posts, destroy_posts, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		for (size_t left = 0; left < all[i].count; left++)
			assert_int_equal(init_with_timers_left(all[i].of, all[i].init,
							       all[i].destroy, left),
					 -ENOMEM);
}

/* The tables of UDP sources, which are reserved as a whole. */
static void tables_of_sources(void **state)
{
	static const uint8_t secret[SIPHASH_KEY_BYTES];
	struct sources sources;
	struct rate rate;

	(void)state;
	failing = 1;
	assert_int_equal(sources_init(&sources, 10, secret), -ENOMEM);
	failing = 1;
	assert_int_equal(rate_init(&rate, 10, 10, secret), -ENOMEM);
	assert_int_equal(failing, 0);
}

/* Each table of UDP in turn, with that of the rates; what was made before it is given back. */
static void tables_of_udp(void **state)
{
	int error = -ENOMEM;
	unsigned nth;

	(void)state;
	parts = (struct rollcall_server){ .hub.options = options };
	parts.hub.options.udp_rate = 10;
	assert_int_equal(timers_reserve(&parts.hub.timeouts), 0);
	for (nth = 1; error; nth++) {
		parts.hub.timeouts.reserved = 0;
		failing = nth;
		error = init_udp();
		assert_int_equal(error, failing ? 0 : -ENOMEM);
	}
	/* Streams, peers, datagrams, two each; the index of the peers, sources, two for rates. */
	assert_int_equal(nth - 1, 1 + 10);
	failing = 0;
	destroy_udp();
	timers_destroy(&parts.hub.timeouts);
}

/* ---- Clients ---- */

static int disconnected_reason;

static void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
			    void *context)
{
	(void)of;
	(void)client;
	(void)context;
	disconnected_reason = reason;
}

/* A client that is paused is ended when what it has sent cannot be kept. */
static void held_back(void **state)
{
	static const uint8_t many[8192];
	int fd;

	(void)state;
	options.send_queue_bytes = 4096;
	service.disconnected = on_disconnected;
	create();
	assert_int_equal(listen_tcp(), 0);
	turn();
	fd = accept_client();
	assert_int_equal(rollcall_send(server, 0, many, sizeof(many)), 0);
	failing = 1;
	receive(fd, "hello\n", 6);
	assert_int_equal(failing, 0);
	complete(started(IORING_OP_RECV, fd), -ECANCELED, 0);
	complete(started(IORING_OP_SENDMSG, fd), -ECANCELED, 0);
	complete(started(IORING_OP_ASYNC_CANCEL, -1), 0, 0);
	turn();
	complete(started(IORING_OP_CLOSE, fd), 0, 0);
	turn();
	assert_int_equal(stats_now().tcp_clients_now, 0);
	assert_int_equal(disconnected_reason, -ENOBUFS);
}

/* Buffers that a crowd has filled are given back when a turn has found nothing to do. */
static void filled_buffers(void **state)
{
	struct buffers *buffers;
	int fd;

	(void)state;
	create();
	assert_int_equal(listen_tcp(), 0);
	turn();
	buffers = &server->hub.buffers[BUFFERS_TCP];
	fd = accept_client();
	while (buffers->count <= 2 * TRIM_BUFFERS_KEPT) {
		complete(started(IORING_OP_RECV, fd), -ENOBUFS, 0);
		turn();
	}
	while (buffers->filled_count < buffers->count / 2)
		receive(fd, "hello\n", 6);
	pass(TRIM_WAIT_MS);
	pass(TRIM_WAIT_MS);
	pass(TRIM_WAIT_MS);
	assert_int_equal(buffers->filled_count, TRIM_BUFFERS_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRIPTED_TEST(listeners),	 SCRIPTED_TEST(endpoints),
		SCRIPTED_TEST(timers),		 SCRIPTED_TEST(held_back),
		SCRIPTED_TEST(rooms_for_timers), SCRIPTED_TEST(tables_of_sources),
		SCRIPTED_TEST(tables_of_udp),	 SCRIPTED_TEST(filled_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
