/* SPDX-License-Identifier: MIT */
/*
 * library.h - a server that runs in the test's own thread, and a script that plays its clients in
 * another one, with plain sockets that block. What the server's callbacks see is noted in a trace;
 * what the script expects in vain fails the test at its end. For exactly one file of a test.
 */
#ifndef CONTRACT_LIBRARY_H
#define CONTRACT_LIBRARY_H

#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rollcall.h"

/* The engine that the tests run on. */
extern const enum rollcall_engine library_engine;

static struct rollcall_server *server;
static struct rollcall_options options;
static struct rollcall_service service;

/* How long a script waits for what must come. */
#define SCRIPT_LIMIT_S 20

/* ---- The trace ------------------------------------------------------------------------------- */

static char trace[16384];

/* Adds a line. Called by the server's thread only. */
__attribute__((format(printf, 1, 2))) static inline void note(const char *format, ...)
{
	size_t used = strlen(trace);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trace + used, sizeof(trace) - used - 1, format, arguments);
	va_end(arguments);
	strcat(trace, "\n");
}

static inline void note_connected(struct rollcall_server *of, rollcall_client client, void *context)
{
	assert_ptr_equal(of, server);
	assert_ptr_equal(context, &trace);
	note("connected %d", (int)client);
}

/* Notes the message, up to its line ending, and sends it back. */
static inline void note_and_echo(struct rollcall_server *of, rollcall_client client,
				 const void *data, size_t bytes, void *context)
{
	const char *end = memchr(data, '\n', bytes);

	(void)context;
	note("received %d %.*s", (int)client,
	     (int)(end ? (size_t)(end - (const char *)data) : bytes), (const char *)data);
	assert_int_equal(rollcall_send(of, client, data, bytes), 0);
}

static inline void note_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
				     void *context)
{
	(void)of;
	(void)context;
	note("disconnected %d %s", (int)client, rollcall_reason_text(reason));
}

/* ---- The server ------------------------------------------------------------------------------ */

/* Defaults for small tests, and a service that notes everything and echoes lines. */
static inline int library_begin(void **state)
{
	(void)state;
	trace[0] = '\0';
	server = NULL;
	rollcall_options_defaults(&options);
	options.engine = library_engine;
	options.tcp_clients_max = options.udp_clients_max = 64;
	service = (struct rollcall_service){
		.size = sizeof(service),
		.framing = ROLLCALL_FRAMING_LINES,
		.connected = note_connected,
		.received = note_and_echo,
		.disconnected = note_disconnected,
	};
	return 0;
}

static inline int library_end(void **state)
{
	(void)state;
	rollcall_destroy(server);
	server = NULL;
	return 0;
}

static inline void create(void)
{
	assert_int_equal(rollcall_create(&server, &options), 0);
}

/* Makes the server and listens on a free port of 127.0.0.1, for both transports. */
static inline void create_and_listen(void)
{
	create();
	assert_int_equal(rollcall_listen(server, "tcp://127.0.0.1:0", &service, &trace), 0);
	assert_int_equal(rollcall_listen(server, "udp://127.0.0.1:0", &service, &trace), 0);
}

static inline struct rollcall_stats stats_now(void)
{
	struct rollcall_stats stats = { .size = sizeof(stats) };

	assert_int_equal(rollcall_get_stats(server, &stats), 0);
	return stats;
}

/* ---- The script ------------------------------------------------------------------------------ */

static char script_failure[256];
static struct sockaddr_in tcp_address, udp_address;

/* Scripts run in a thread that cmocka does not know: they note the first failure instead. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition) && !script_failure[0])                                            \
			snprintf(script_failure, sizeof(script_failure), "%s:%d: %s", __FILE__,    \
				 __LINE__, #condition);                                            \
	} while (0)

static inline int limited_socket(int type)
{
	const struct timeval limit = { .tv_sec = SCRIPT_LIMIT_S };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	expect(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	expect(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0);
	return fd;
}

static inline int open_socket(const struct sockaddr_in *to, int type)
{
	int fd = limited_socket(type);

	expect(connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0);
	return fd;
}

static inline int dial(void)
{
	return open_socket(&tcp_address, SOCK_STREAM);
}

static inline int dial_udp(void)
{
	return open_socket(&udp_address, SOCK_DGRAM);
}

static inline void say_bytes(int fd, const void *data, size_t bytes)
{
	expect(send(fd, data, bytes, MSG_NOSIGNAL) == (ssize_t)bytes);
}

static inline void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static inline void hear_bytes(int fd, const void *expected, size_t bytes)
{
	static uint8_t heard[1 << 20];

	expect(bytes <= sizeof(heard));
	expect(recv(fd, heard, bytes, MSG_WAITALL) == (ssize_t)bytes);
	expect(memcmp(heard, expected, bytes) == 0);
}

static inline void hear(int fd, const char *text)
{
	hear_bytes(fd, text, strlen(text));
}

/* The server has ended its side, and has sent nothing more. */
static inline void hear_end(int fd)
{
	char byte;

	expect(recv(fd, &byte, 1, 0) == 0);
}

static inline void hear_reset(int fd)
{
	char byte;

	expect(recv(fd, &byte, 1, 0) == -1 && errno == ECONNRESET);
}

static inline void reset(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	expect(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	close(fd);
}

static inline void stop_call(struct rollcall_server *of, void *context)
{
	(void)context;
	rollcall_stop(of);
}

static inline void post_stop(void)
{
	expect(rollcall_post(server, stop_call, NULL) == 0);
}

static pthread_barrier_t passed_on;
static struct rollcall_stats passed_stats;

static inline void pass_on(struct rollcall_server *of, void *context)
{
	(void)of;
	(void)context;
	passed_stats = stats_now();
	pthread_barrier_wait(&passed_on);
}

/* Waits until the server has run what was posted before; returns the counters of that time. */
static inline const struct rollcall_stats *wait_for_server(void)
{
	expect(rollcall_post(server, pass_on, NULL) == 0);
	pthread_barrier_wait(&passed_on);
	return &passed_stats;
}

static inline void *run_script(void *script)
{
	void (*const *call)(void) = script;

	(*call)();
	post_stop();
	return NULL;
}

static inline struct sockaddr_in find_address(const char *transport)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	char text[80], format[32];
	unsigned port = 0;

	snprintf(format, sizeof(format), "%s 127.0.0.1:%%u", transport);
	for (unsigned i = 0;
	     port == 0 && rollcall_listener_address(server, i, text, sizeof(text)) == 0; i++)
		if (sscanf(text, format, &port) != 1)
			port = 0;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)port);
	return address;
}

/* Runs the server until the script has come to its end and the server to its own. */
static inline void run(void (*script)(void))
{
	pthread_t thread;

	script_failure[0] = '\0';
	tcp_address = find_address("tcp");
	udp_address = find_address("udp");
	assert_int_equal(pthread_barrier_init(&passed_on, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_script, &script), 0);
	assert_int_equal(rollcall_run(server), 0);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&passed_on);
	if (script_failure[0])
		fail_msg("%s\ntrace:\n%s", script_failure, trace);
}

#define LIBRARY_TEST(test) cmocka_unit_test_setup_teardown(test, library_begin, library_end)

#endif
