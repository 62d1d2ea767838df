/* SPDX-License-Identifier: MIT */
/*
 * faulty.c - an echo server with faults of known size, to test what the benchmark finds. Faults
 * count bytes of all TCP clients together, and datagrams.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/endpoint.h"
#include "lib/fail.h"
#include "lib/number.h"

#define EVENTS_MAX 512
#define BUFFER_BYTES (64 << 10)

/* Every byte may be there twice. */
#define ANSWER_BYTES (2 * BUFFER_BYTES)

static struct {
	uint64_t corrupt_every, lose_every, duplicate_every; /* 0: never */
	double burn; /* of the CPU time that the answers took: this much more is used up */
} faults;

static int epoll, listener = -1, udp = -1;

static const struct option long_options[] = {
	{ "tcp", required_argument, NULL, 't' },
	{ "udp", required_argument, NULL, 'u' },
	{ "corrupt-every", required_argument, NULL, 'c' },
	{ "lose-every", required_argument, NULL, 'l' },
	{ "duplicate-every", required_argument, NULL, 'd' },
	{ "burn", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: faulty [--tcp ADDRESS] [--udp ADDRESS] [OPTION...]\n"
	"Echoes what TCP and UDP clients send, but not quite.\n"
	"  --corrupt-every N, --lose-every N, --duplicate-every N\n"
	"                  does that to each Nth byte of TCP, or datagram of UDP\n"
	"  --burn PERCENT  uses this much more CPU time than it takes\n";

static bool is_hit(uint64_t every, uint64_t number)
{
	return every && (number + 1) % every == 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Uses up a share of the CPU time since the last call, which it measures, so that it needs not know
 * what an answer takes. */
static void burn(void)
{
	static uint64_t last_ns;
	uint64_t now_ns = cpu_ns();
	uint64_t end_ns = now_ns + (uint64_t)((double)(now_ns - last_ns) * faults.burn);

	while (now_ns < end_ns)
		now_ns = cpu_ns();
	last_ns = now_ns;
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/* Copies bytes with their faults; returns how many it has become. */
static size_t spoil(const char *data, size_t bytes, char *answer)
{
	static uint64_t number;
	size_t used = 0;

	for (size_t i = 0; i < bytes; i++, number++) {
		if (is_hit(faults.lose_every, number))
			continue;
		answer[used++] =
			is_hit(faults.corrupt_every, number) ? (char)(data[i] ^ 1) : data[i];
		if (is_hit(faults.duplicate_every, number))
			answer[used++] = data[i];
	}
	return used;
}

/* The socket blocks: answers wait for space. */
static bool send_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		data += sent;
		bytes -= (size_t)sent;
	}
	return true;
}

static void answer_stream(int fd)
{
	static char buffer[BUFFER_BYTES], answer[ANSWER_BYTES];
	ssize_t received = recv(fd, buffer, sizeof(buffer), 0);
	const char *data = buffer;
	size_t bytes;

	if (received <= 0) {
		close(fd);
		return;
	}
	bytes = (size_t)received;
	if (faults.corrupt_every || faults.lose_every || faults.duplicate_every) {
		bytes = spoil(buffer, bytes, answer);
		data = answer;
	}
	if (!send_all(fd, data, bytes))
		close(fd);
}

static void answer_datagram(void)
{
	static char buffer[BUFFER_BYTES];
	static uint64_t number;
	struct sockaddr_storage peer;
	socklen_t peer_bytes = sizeof(peer);
	ssize_t received =
		recvfrom(udp, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &peer_bytes);
	unsigned copies = is_hit(faults.lose_every, number)	   ? 0
			  : is_hit(faults.duplicate_every, number) ? 2
								   : 1;

	if (received < 0)
		return;
	if (received && is_hit(faults.corrupt_every, number))
		buffer[received - 1] ^= 1;
	number++;
	while (copies--)
		must((int)sendto(udp, buffer, (size_t)received, 0, (struct sockaddr *)&peer,
				 peer_bytes),
		     "sendto");
}

static void accept_one(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		watch(fd);
	else if (errno != EAGAIN && errno != ECONNABORTED)
		fail("accept4: %s", strerror(errno));
}

static void serve(void)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_one();
			else if (events[i].data.fd == udp)
				answer_datagram();
			else
				answer_stream(events[i].data.fd);
		}
		burn();
	}
}

static int open_endpoint(const char *address, int type, const char *name)
{
	struct endpoint endpoint;
	int fd;

	endpoint_parse(&endpoint, address);
	fd = endpoint_bind(&endpoint, type, name);
	watch(fd);
	return fd;
}

static void parse_option(int key)
{
	switch (key) {
	case 't':
		listener = open_endpoint(optarg, SOCK_STREAM, "tcp");
		socket_set(listener, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		break;
	case 'u':
		udp = open_endpoint(optarg, SOCK_DGRAM, "udp");
		break;
	case 'c':
		faults.corrupt_every =
			(uint64_t)number_parse_whole("corrupt-every", optarg, 1, 1e15);
		break;
	case 'l':
		faults.lose_every = (uint64_t)number_parse_whole("lose-every", optarg, 1, 1e15);
		break;
	case 'd':
		faults.duplicate_every =
			(uint64_t)number_parse_whole("duplicate-every", optarg, 1, 1e15);
		break;
	case 'b':
		faults.burn = number_parse("burn", optarg, 0, 1000) / 100;
		break;
	case 'h':
		exit(fputs(help, stdout) < 0);
	default:
		fail_usage("faulty --help shows the options");
	}
}

static void on_signal(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	int key;

	signal(SIGTERM, on_signal);
	files_limit_raise();
	epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(key);
	if (listener < 0 && udp < 0)
		fail_usage("it needs --tcp or --udp");
	serve();
}
