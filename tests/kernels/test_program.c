/* SPDX-License-Identifier: MIT */
/*
 * The program from end to end, with nothing but sockets and a C library: where no Python runs. It
 * starts the program that $ROLLCALL names, on its default ports.
 */
#include "lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TCP_PORT 8080
#define UDP_PORT 7070

/* How long a test waits for what must come. */
#define LIMIT_S 20
#define MOMENT_US 10000

static const struct timeval limit = { .tv_sec = LIMIT_S };

/* ---- The program ----------------------------------------------------------------------------- */

static pid_t program;
static int program_output = -1;
static int program_errors = STDERR_FILENO; /* where its diagnostics go */

/* The cgroup that limits the memory of the program, with its sockets' (cgroups(7), version 2). */
#define GROUPS "/sys/fs/cgroup"
#define GROUP GROUPS "/rollcall"

static const char *memory; /* what --memory tells the program; NULL: nothing */

static void write_group_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The number behind a key in a file of the cgroup, or the file's only one for "". */
static uint64_t group_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	unsigned long long number = 0;
	char line[256];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, key, strlen(key)) == 0 &&
			sscanf(line + strlen(key), "%llu", &number) == 1;
	fclose(file);
	assert_true(found);
	return number;
}

static void start_program(const char *service, const char *quiet)
{
	const char *path = getenv("ROLLCALL");
	int ends[2];

	assert_non_null(path);
	assert_int_equal(pipe(ends), 0);
	program = fork();
	assert_in_range(program, 0, INT32_MAX);
	if (program == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(program_errors, STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(path, path, "--service", service, quiet ? quiet : "--verbose",
		      memory ? "--memory" : NULL, memory, NULL);
		_exit(127);
	}
	close(ends[1]);
	program_output = ends[0];
}

/* What it prints next, at most `bytes` bytes; 0: no more. */
static size_t read_output(char *to, size_t bytes)
{
	struct pollfd output = { .fd = program_output, .events = POLLIN };
	ssize_t count;

	assert_int_equal(poll(&output, 1, LIMIT_S * 1000), 1);
	count = read(program_output, to, bytes);
	assert_in_range(count, 0, bytes);
	return (size_t)count;
}

static void program_prints(const char *text)
{
	char got[256] = "";
	size_t count, done = 0;

	while (done < strlen(text) && (count = read_output(got + done, strlen(text) - done)) > 0)
		done += count;
	assert_string_equal(got, text);
}

/* Waits for its end: the exit code. */
static int exit_code(void)
{
	int status = 0;

	for (int waited_us = 0; waitpid(program, &status, WNOHANG) == 0; waited_us += MOMENT_US) {
		assert_in_range(waited_us, 0, LIMIT_S * 1000000);
		usleep(MOMENT_US);
	}
	program = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A program that a failed test has left behind. */
static int clean_up(void **state)
{
	(void)state;
	if (program > 0) {
		kill(program, SIGKILL);
		waitpid(program, NULL, 0);
	}
	program = 0;
	if (program_output >= 0)
		close(program_output);
	program_output = -1;
	return 0;
}

/* ---- Its clients ----------------------------------------------------------------------------- */

/* A socket that is connected to a port of the program on 127.0.0.1 or ::1; -1: it is refused. */
static int try_client(int family, int type, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const bool is_v4 = family == AF_INET;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	assert_in_range(fd, 0, INT32_MAX);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	if (connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		    is_v4 ? sizeof(v4) : sizeof(v6)) == 0)
		return fd;
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	return -1;
}

/* A program that has just been started does not listen yet. */
static int tcp_client(int family)
{
	int fd;

	for (int waited_us = 0; (fd = try_client(family, SOCK_STREAM, TCP_PORT)) < 0;
	     waited_us += MOMENT_US) {
		assert_in_range(waited_us, 0, LIMIT_S * 1000000);
		usleep(MOMENT_US);
	}
	return fd;
}

static int udp_client(int family)
{
	int fd = try_client(family, SOCK_DGRAM, UDP_PORT);

	assert_in_range(fd, 0, INT32_MAX);
	return fd;
}

static void tell(int fd, const void *data, size_t bytes)
{
	assert_int_equal(send(fd, data, bytes, MSG_NOSIGNAL), bytes);
}

/* The next bytes of a stream, or the next datagram. */
static void hears(int fd, const void *data, size_t bytes)
{
	static char got[1 << 20];
	ssize_t count = recv(fd, got, bytes, MSG_WAITALL);

	assert_int_equal(count, bytes);
	assert_memory_equal(got, data, bytes);
}

static void ask(int fd, const char *question, const char *answer)
{
	tell(fd, question, strlen(question));
	hears(fd, answer, strlen(answer));
}

static void hears_the_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

/* ---- The tests ------------------------------------------------------------------------------- */

/* What README.md shows, with each family of addresses. */
static void recipe(void **state)
{
	int first, second, datagrams;
	char more;

	(void)state;
	start_program("reply", NULL);
	program_prints("Waiting for client...\n");
	first = tcp_client(AF_INET);
	program_prints("Client ID : 0 connected .\nWaiting for client...\n");
	second = tcp_client(AF_INET6);
	program_prints("Client ID : 1 connected .\nWaiting for client...\n");
	ask(first, "hello\n", "Received: hello\n");
	program_prints("Received: hello\n");
	ask(second, "you too\n", "Received: you too\n");
	program_prints("Received: you too\n");

	datagrams = udp_client(AF_INET);
	ask(datagrams, "hi there\n", "Received: hi there\n");
	program_prints("Client ID : 2 connected .\nReceived: hi there\n");
	close(datagrams);
	datagrams = udp_client(AF_INET6);
	ask(datagrams, "hi again\n", "Received: hi again\n");
	program_prints("Client ID : 3 connected .\nReceived: hi again\n");
	close(datagrams);

	shutdown(first, SHUT_WR);
	hears_the_end(first);
	program_prints("Client ID : 0 disconnected .\n");
	kill(program, SIGTERM);
	hears_the_end(second);
	program_prints("Client ID : 1 disconnected .\n");
	assert_int_equal(exit_code(), 0);
	assert_int_equal(read_output(&more, 1), 0);
}

/* Several clients at once each get back what they sent, and nobody else's: 8 MiB in all. */
static void echo(void **state)
{
	enum { CLIENTS = 8, ROUNDS = 16, PIECE_BYTES = 65536 };
	static uint8_t pieces[CLIENTS][PIECE_BYTES];
	int clients[CLIENTS];

	(void)state;
	start_program("echo", "--quiet");
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = tcp_client(i % 2 ? AF_INET6 : AF_INET);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			for (size_t j = 0; j < PIECE_BYTES; j++)
				pieces[i][j] =
					(uint8_t)(j * 31 + j / 251 + (size_t)(i * 16 + round));
			tell(clients[i], pieces[i], PIECE_BYTES);
		}
		for (int i = 0; i < CLIENTS; i++)
			hears(clients[i], pieces[i], PIECE_BYTES);
	}
	for (int i = 0; i < CLIENTS; i++) {
		shutdown(clients[i], SHUT_WR);
		hears_the_end(clients[i]);
	}
	kill(program, SIGTERM);
	assert_int_equal(exit_code(), 0);
}

/* Clients that have sent before SIGTERM, and read only after it, get all their answers. */
static void drain(void **state)
{
	enum { CLIENTS = 4, LINES = 1000, LINE_BYTES = 8, ANSWER_BYTES = 18 };
	static char lines[LINES * LINE_BYTES + 1], answers[LINES * ANSWER_BYTES + 1];
	int clients[CLIENTS], datagrams;

	(void)state;
	for (int i = 0; i < LINES; i++) {
		snprintf(lines + i * LINE_BYTES, LINE_BYTES + 1, "%07d\n", i);
		snprintf(answers + i * ANSWER_BYTES, ANSWER_BYTES + 1, "Received: %07d\n", i);
	}
	start_program("reply", "--quiet");
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = tcp_client(AF_INET);
		ask(clients[i], "hello\n", "Received: hello\n");
	}
	datagrams = udp_client(AF_INET);
	ask(datagrams, "hello", "Received: hello");
	for (int i = 0; i < CLIENTS; i++)
		tell(clients[i], lines, LINES * LINE_BYTES);
	tell(datagrams, "the last", 8);
	kill(program, SIGTERM);
	usleep(20 * MOMENT_US);

	for (int i = 0; i < CLIENTS; i++) {
		hears(clients[i], answers, LINES * ANSWER_BYTES);
		hears_the_end(clients[i]);
	}
	hears(datagrams, "Received: the last", 18);
	close(datagrams);
	assert_int_equal(exit_code(), 0);
	assert_int_equal(try_client(AF_INET, SOCK_STREAM, TCP_PORT), -1);
}

/*
 * A signal that comes when the program listens, but is not in its loop yet: it waits for a moment
 * to say so, since nobody reads its diagnostics. It is kept, and waiting clients are answered.
 */
static void signal_before_the_loop(void **state)
{
	int ends[2], client;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], "x", 1) == 1)
		;
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	program_errors = ends[1];
	start_program("reply", "--quiet");
	program_errors = STDERR_FILENO;
	client = tcp_client(AF_INET);
	tell(client, "hello\n", 6);
	kill(program, SIGTERM);
	hears(client, "Received: hello\n", 16);
	hears_the_end(client);
	assert_int_equal(exit_code(), 0);
	close(ends[0]);
	close(ends[1]);
}

/* What --memory tells the program. */
#define MEMORY "64M"

/* What --check prints behind a name. */
static void printed(const char *name, char to[static 256])
{
	char command[256], line[256];
	FILE *output;

	snprintf(command, sizeof(command), "%s --check --memory " MEMORY, getenv("ROLLCALL"));
	output = popen(command, "r");
	assert_non_null(output);
	to[0] = '\0';
	while (fgets(line, sizeof(line), output))
		if (strncmp(line, name, strlen(name)) == 0)
			strcpy(to, line + strlen(name));
	assert_int_equal(pclose(output), 0);
	assert_string_not_equal(to, "");
}

/* What the program says it uses at most, in bytes. */
static uint64_t printed_sum(void)
{
	char text[256];
	uint64_t mib;

	printed("in all ", text);
	mib = strtoull(text, NULL, 10);
	assert_in_range(mib, 1, 64);
	return mib << 20;
}

/* Starts the program in a cgroup with a limit; this process leaves it again. */
static void start_in_group(uint64_t bytes)
{
	char limit_text[32];

	snprintf(limit_text, sizeof(limit_text), "%llu", (unsigned long long)bytes);
	assert_int_equal(mkdir(GROUP, 0755), 0);
	write_group_file(GROUP "/memory.max", limit_text);
	write_group_file(GROUP "/cgroup.procs", "0");
	memory = MEMORY;
	start_program("reply", "--quiet");
	memory = NULL;
	write_group_file(GROUPS "/cgroup.procs", "0");
}

/* Sends lines until the program takes no more: its queue and the buffers of both ends are full. */
static void push_lines(int fd)
{
	enum { LINE_BYTES = 1000, LINES = 2000 };
	static char line[LINE_BYTES];
	struct pollfd space = { .fd = fd, .events = POLLOUT };

	memset(line, 'z', LINE_BYTES);
	line[LINE_BYTES - 1] = '\n';
	for (int i = 0; i < LINES && poll(&space, 1, MOMENT_US / 100) == 1; i++)
		if (send(fd, line, LINE_BYTES, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return;
}

/* A client that reads nothing, or one whose line does not end. */
static int greedy_client(bool is_reader)
{
	static const int small = 4096;
	static const char piece[60000];
	int fd = tcp_client(AF_INET);

	if (is_reader) {
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
		push_lines(fd);
	} else {
		send(fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	return fd;
}

static uint64_t larger(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/*
 * While the program is stopped, more datagrams come than its UDP sockets take. Returns how much
 * more memory of sockets counts then.
 */
static uint64_t flood_stopped_program(void)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const char piece[60000];
	const uint64_t before = group_number(GROUP "/memory.stat", "sock ");
	uint64_t after;

	kill(program, SIGSTOP);
	for (size_t i = 0; i < COUNT(families); i++) {
		int fd = udp_client(families[i]);

		for (int n = 0; n < 4000; n++)
			send(fd, piece, n % 2 ? 1 : sizeof(piece), MSG_DONTWAIT);
		close(fd);
	}
	after = group_number(GROUP "/memory.stat", "sock ");
	kill(program, SIGCONT);
	return after > before ? after - before : 0;
}

/*
 * A container whose limit is the sum that --check prints, where the memory of sockets counts too.
 * Readers that take nothing, lines that do not end and datagrams that wait take all they get: more
 * than the limit. The program is not killed, and a client that behaves is served all the time.
 */
static void memory_limit(void **state)
{
	enum { READERS = 100, UNFINISHED = 150 };
	enum { TAKEN_BYTES = 12 << 20, SOCKET_BYTES = 1 << 20, DATAGRAM_BYTES = 128 << 10 };
	int crowd[READERS + UNFINISHED], good;
	uint64_t taken = 0, sockets = 0;

	(void)state;
	start_in_group(printed_sum());
	good = tcp_client(AF_INET);
	for (int i = 0; i < READERS + UNFINISHED; i++) {
		crowd[i] = greedy_client(i < READERS);
		ask(good, "hello\n", "Received: hello\n");
		taken = larger(taken, group_number(GROUP "/memory.current", ""));
		sockets = larger(sockets, group_number(GROUP "/memory.stat", "sock "));
	}
	/* It was an overload, and sockets did count. */
	assert_in_range(taken, TAKEN_BYTES, UINT64_MAX);
	assert_in_range(sockets, SOCKET_BYTES, UINT64_MAX);
	assert_in_range(flood_stopped_program(), DATAGRAM_BYTES, UINT64_MAX);
	ask(good, "hello\n", "Received: hello\n");
	assert_int_equal(group_number(GROUP "/memory.events", "oom "), 0);
	assert_int_equal(group_number(GROUP "/memory.events", "oom_kill "), 0);
	for (int i = 0; i < READERS + UNFINISHED; i++)
		close(crowd[i]);
	ask(good, "still here\n", "Received: still here\n");
	kill(program, SIGTERM);
	hears_the_end(good);
	assert_int_equal(exit_code(), 0);
	assert_int_equal(rmdir(GROUP), 0);
}

/* The time in us for which some task has waited for I/O. 0: this kernel was built without PSI. */
static uint64_t pressure_us(void)
{
	FILE *file = fopen("/proc/pressure/io", "re");
	unsigned long long us = 0;

	if (!file)
		return 0;
	assert_int_equal(fscanf(file, "some %*s %*s %*s total=%llu", &us), 1);
	fclose(file);
	return us;
}

/* The CPU time in ms that was idle while some task waited for I/O. */
static uint64_t iowait_ms(void)
{
	FILE *file = fopen("/proc/stat", "re");
	unsigned long long ticks = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "cpu %*s %*s %*s %*s %llu", &ticks), 1);
	fclose(file);
	return ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

/*
 * The guest does no I/O, and the program waits for its clients: neither the pressure nor iowait
 * grows. (avg10 of the pressure is a mean of what its total grows by.) A kernel that cannot be told
 * so counts all of the time.
 */
static void idle_is_no_iowait(void **state)
{
	enum { SECONDS = 5, PERCENT = 10, LIMIT_MS = SECONDS * 1000 * PERCENT / 100 };
	uint64_t pressure, iowait;
	char feature[256];
	int client;

	(void)state;
	printed("wait without iowait ", feature);
	start_program("reply", "--quiet");
	client = tcp_client(AF_INET);
	ask(client, "hello\n", "Received: hello\n");
	pressure = pressure_us();
	iowait = iowait_ms();
	sleep(SECONDS);
	pressure = (pressure_us() - pressure) / 1000;
	iowait = iowait_ms() - iowait;
	close(client);
	kill(program, SIGTERM);
	assert_int_equal(exit_code(), 0);
	if (!strstr(feature, " works")) {
		print_message("# %s: before Linux 6.15; of %d s idle, %d ms were iowait here, "
			      "and %d ms were I/O pressure\n",
			      __func__, SECONDS, (int)iowait, (int)pressure);
		skip();
	}
	assert_in_range(iowait, 0, LIMIT_MS);
	assert_in_range(pressure, 0, LIMIT_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(recipe, clean_up),
		cmocka_unit_test_teardown(echo, clean_up),
		cmocka_unit_test_teardown(drain, clean_up),
		cmocka_unit_test_teardown(signal_before_the_loop, clean_up),
		cmocka_unit_test_teardown(memory_limit, clean_up),
		cmocka_unit_test_teardown(idle_is_no_iowait, clean_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
