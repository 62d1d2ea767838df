/* SPDX-License-Identifier: MIT */
/*
 * What is called where it must not be gets an error and does nothing: from another thread, in a
 * forked process, and from callbacks.
 */
#include "contract/library.h"

#include <semaphore.h>
#include <sys/wait.h>

/* ---- Not the server's thread ----------------------------------------------------------------- */

static rollcall_client known;
static struct rollcall_timer *known_timer;

static void never_called(struct rollcall_server *of, void *context)
{
	(void)of;
	(void)context;
	note("never");
}

static void never_done(struct rollcall_server *of, struct rollcall_io *io, int result)
{
	(void)of;
	(void)io;
	(void)result;
	note("never");
}

/* Calls all functions that take a server, but rollcall_post(). Whether each was refused. */
static bool is_refused(struct rollcall_server *of)
{
	const struct iovec part = { "no", 2 };
	struct rollcall_client_info info = { .size = sizeof(info) };
	struct rollcall_stats stats = { .size = sizeof(stats) };
	struct rollcall_io io = { sizeof(io), 0, (char[4]){ 0 }, 4, never_done, NULL };
	struct rollcall_memory memory = { .size = sizeof(memory) };
	struct rollcall_timer *timer = NULL;
	uint8_t cookie[ROLLCALL_COOKIE_BYTES] = { 0 };
	char text[80] = "";
	const int results[] = {
		rollcall_listen(of, "tcp://127.0.0.1:0", &service, NULL),
		rollcall_adopt(of, 0, &service, NULL),
		rollcall_listener_address(of, 0, text, sizeof(text)),
		rollcall_run(of),
		rollcall_stop(of),
		rollcall_destroy(of),
		rollcall_send(of, known, "no", 2),
		rollcall_send(of, ROLLCALL_NONE, "no", 2),
		rollcall_sendv(of, known, &part, 1),
		rollcall_close(of, known),
		rollcall_abort(of, known),
		rollcall_client_get_info(of, known, &info),
		rollcall_set_data(of, known, &info),
		rollcall_cookie(of, known, cookie),
		rollcall_cookie_check(of, known, cookie),
		rollcall_timer_start(of, &timer, 0, 1, never_called, NULL),
		rollcall_timer_stop(of, known_timer),
		rollcall_read(of, &io),
		rollcall_write(of, &io),
		rollcall_get_stats(of, &stats),
		rollcall_memory_max(of, &memory),
	};
	int refused = 0;

	for (size_t i = 0; i < COUNT(results); i++)
		refused += results[i] == -EPERM;
	/* What they would have filled in is as it was. */
	refused -= text[0] || info.address_bytes || stats.turns || timer;
	refused += rollcall_client_next(of, ROLLCALL_NONE) == ROLLCALL_NONE;
	refused += rollcall_data(of, known) == NULL;
	return refused == COUNT(results) + 2;
}

/* Remembers a client, with data and a timer that nobody else may stop. */
static void remember(struct rollcall_server *of, rollcall_client client, void *context)
{
	note_connected(of, client, context);
	known = client;
	assert_int_equal(rollcall_set_data(of, client, &known), 0);
	assert_int_equal(rollcall_timer_start(of, &known_timer, 100000, 0, never_called, NULL), 0);
}

static void call_from_the_script(void)
{
	int fd = dial(), udp = dial_udp();

	say(fd, "first\n");
	hear(fd, "first\n");
	for (int i = 0; i < 1000; i++) {
		say(udp, "datagram");
		expect(is_refused(server));
	}
	say(fd, "second\n");
	hear(fd, "second\n");
	hear(udp, "datagram");
	close(fd);
	close(udp);
}

static void echo(struct rollcall_server *of, rollcall_client client, const void *data, size_t bytes,
		 void *context)
{
	(void)context;
	rollcall_send(of, client, data, bytes);
}

static void forget(struct rollcall_server *of, rollcall_client client, int reason, void *context)
{
	(void)reason;
	(void)context;
	assert_ptr_equal(rollcall_data(of, client), &known);
	assert_int_equal(rollcall_timer_stop(of, known_timer), 0);
}

/* Another thread is refused each time, while the server works, which does not notice. */
static void another_thread(void **state)
{
	(void)state;
	service.connected = NULL;
	service.received = echo;
	service.disconnected = NULL;
	known = 0;
	create_and_listen();
	assert_int_equal(rollcall_timer_start(server, &known_timer, 100000, 0, never_called, NULL),
			 0);
	run(call_from_the_script);
	assert_int_equal(rollcall_timer_stop(server, known_timer), 0);
	assert_int_equal(stats_now().tcp_clients, 1);
	assert_string_equal(trace, "");
}

static void fork_in_callback(struct rollcall_server *of, rollcall_client client, const void *data,
			     size_t bytes, void *context)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(!is_refused(of) || rollcall_post(of, never_called, NULL) != -EPERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	note_and_echo(of, client, data, bytes, context);
}

static void say_one_line(void)
{
	int fd = dial();

	say(fd, "line\n");
	hear(fd, "line\n");
	close(fd);
}

/* A forked process is refused, posts included, and the server goes on. */
static void forked(void **state)
{
	(void)state;
	service.connected = remember;
	service.received = fork_in_callback;
	service.disconnected = forget;
	create_and_listen();
	run(say_one_line);
	assert_string_equal(trace, "connected 0\nreceived 0 line\n");
}

/* ---- Callbacks ------------------------------------------------------------------------------- */

static void try_to_nest(struct rollcall_server *of, const char *where)
{
	note("%s: run %d, destroy %d", where, rollcall_run(of), rollcall_destroy(of));
}

static void nest_in_connected(struct rollcall_server *of, rollcall_client client, void *context)
{
	(void)client;
	(void)context;
	try_to_nest(of, "connected");
}

static void nest_in_received(struct rollcall_server *of, rollcall_client client, const void *data,
			     size_t bytes, void *context)
{
	(void)context;
	try_to_nest(of, "received");
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static void nest_in_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
				 void *context)
{
	(void)client;
	(void)reason;
	(void)context;
	try_to_nest(of, "disconnected");
}

static void nest_in_call(struct rollcall_server *of, void *where)
{
	try_to_nest(of, where);
}

static sem_t timer_expired;

static void nest_in_timer(struct rollcall_server *of, void *where)
{
	try_to_nest(of, where);
	sem_post(&timer_expired);
}

static void nest_in_done(struct rollcall_server *of, struct rollcall_io *io, int result)
{
	(void)io;
	assert_int_equal(result, 2);
	try_to_nest(of, "done");
}

static void nest_in_log(enum rollcall_log_level level, const char *text, void *context)
{
	(void)level;
	(void)context;
	if (server && strstr(text, "listen"))
		try_to_nest(server, "log");
}

#define REFUSED ": run -16, destroy -16\n"

static void posted_end(void)
{
	expect(rollcall_post(server, nest_in_call, "post") == 0);
	say_one_line();
	sem_wait(&timer_expired);
}

/* A server is neither run nor destroyed in any of its callbacks, and goes on. */
static void nested(void **state)
{
	static const char *const places[] = {
		"timer" REFUSED,     "done" REFUSED,	 "post" REFUSED,
		"connected" REFUSED, "received" REFUSED, "disconnected" REFUSED,
	};
	struct rollcall_timer *timer;
	struct rollcall_io io = { sizeof(io), 0, "ok", 2, nest_in_done, NULL };
	int ends[2];

	(void)state;
	service.connected = nest_in_connected;
	service.received = nest_in_received;
	service.disconnected = nest_in_disconnected;
	options.log = nest_in_log;
	create();
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, NULL), 0);
	assert_string_equal(trace, "log" REFUSED);
	assert_int_equal(rollcall_listen(server, "nonsense", &service, NULL), -EINVAL);
	assert_string_equal(trace, "log" REFUSED "log" REFUSED);
	trace[0] = '\0';
	assert_int_equal(sem_init(&timer_expired, 0, 0), 0);
	assert_int_equal(pipe(ends), 0);
	io.fd = ends[1];
	assert_int_equal(rollcall_write(server, &io), 0);
	assert_int_equal(rollcall_timer_start(server, &timer, 0, 0, nest_in_timer, "timer"), 0);
	run(posted_end);
	for (size_t i = 0; i < COUNT(places); i++)
		assert_non_null(strstr(trace, places[i]));
	assert_null(strstr(trace, "run 0"));
	trace[0] = '\0';
	assert_int_equal(rollcall_post(server, nest_in_call, "in destroy"), 0);
	assert_int_equal(rollcall_destroy(server), 0);
	server = NULL;
	assert_string_equal(trace, "in destroy" REFUSED);
	close(ends[0]);
	close(ends[1]);
	sem_destroy(&timer_expired);
}

/* A run that has ended is not one that goes on. */
static void run_twice(void **state)
{
	(void)state;
	create();
	assert_int_equal(rollcall_stop(server), 0);
	assert_int_equal(rollcall_run(server), 0);
	assert_int_equal(rollcall_run(server), 0);
	assert_int_equal(rollcall_destroy(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIBRARY_TEST(another_thread),
		LIBRARY_TEST(forked),
		LIBRARY_TEST(nested),
		LIBRARY_TEST(run_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
