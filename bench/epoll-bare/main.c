/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "epoll-bare/bare.h"
#include "lib/endpoint.h"
#include "lib/fail.h"
#include "lib/number.h"

/* So many clients are served between two calls of epoll_wait(). */
#define EVENTS_MAX 512

static int epoll;

static const struct option long_options[] = {
	{ "tcp", required_argument, NULL, 't' },
	{ "udp", required_argument, NULL, 'u' },
	{ "udp-plain", no_argument, NULL, 'p' },
	{ "no-gro", no_argument, NULL, 'n' },
	{ "udp-receive-buffer", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: epoll-bare [--tcp ADDRESS] [--udp ADDRESS] [OPTION...]\n"
	"Echoes what TCP and UDP clients send. ADDRESS is HOST:PORT, [IPv6]:PORT or PORT.\n"
	"  --udp-plain   recvfrom() and sendto() instead of recvmmsg() and sendmmsg()\n"
	"  --no-gro      do not receive datagrams coalesced, nor answer them so\n"
	"  --udp-receive-buffer BYTES   of the socket; as the kernel likes if not given\n";

struct settings {
	const char *tcp_address, *udp_address;
	struct udp_settings udp;
};

void source_watch(struct source *source, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	must(epoll_ctl(epoll, operation, source->fd, &event), "epoll_ctl");
}

static void on_signal(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS);
}

static void serve(void)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		if (count < 0 && errno != EINTR)
			fail("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < count; i++) {
			struct source *source = events[i].data.ptr;

			source->ready(source, events[i].events);
		}
	}
}

static void parse_option(struct settings *settings, int key)
{
	switch (key) {
	case 't':
		settings->tcp_address = optarg;
		break;
	case 'u':
		settings->udp_address = optarg;
		break;
	case 'p':
		settings->udp.is_plain = true;
		break;
	case 'n':
		settings->udp.has_gro = false;
		break;
	case 'b':
		settings->udp.receive_buffer_bytes =
			(int)number_parse_whole("udp-receive-buffer", optarg, 1, 1 << 30);
		break;
	case 'h':
		exit(fputs(help, stdout) < 0);
	default:
		fail_usage("epoll-bare --help shows the options");
	}
}

int main(int argc, char **argv)
{
	struct settings settings = { .udp.has_gro = true };
	struct endpoint endpoint;
	int key;

	while ((key = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		parse_option(&settings, key);
	if (optind < argc || (!settings.tcp_address && !settings.udp_address))
		fail_usage("it needs --tcp or --udp, and takes nothing but options");

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	files_limit_raise();
	epoll = must(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	if (settings.tcp_address) {
		endpoint_parse(&endpoint, settings.tcp_address);
		tcp_listen(endpoint_bind(&endpoint, SOCK_STREAM, "tcp"));
	}
	if (settings.udp_address) {
		endpoint_parse(&endpoint, settings.udp_address);
		udp_open(endpoint_bind(&endpoint, SOCK_DGRAM, "udp"), &settings.udp);
	}
	serve();
}
