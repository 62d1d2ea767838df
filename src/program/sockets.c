/* SPDX-License-Identifier: MIT */
#include "program/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program/manager.h"

/* Size of "tcp://", the longest host name, brackets and a port. */
#define URL_BYTES 512

/*
 * A port in use may become free soon: the kernel frees the ring of a killed server, and with it the
 * ports, 5 to 20 ms after the process (Linux 6.18). The library does not wait itself, since it may
 * be called from the loop.
 */
#define IN_USE_WAIT_US 1000000
#define IN_USE_FIRST_PAUSE_US 5000

/* Arguments common to all addresses. */
struct listening {
	struct rollcall_server *server;
	const struct rollcall_service *service;
	void *context;
	struct diagnostics *diagnostics;
	struct failure *failure;
	unsigned waited_us; /* for ports in use, all addresses together */
};

/* Retries while the port is in use; each pause is twice as long as the one before. */
static int listen_patiently(struct listening *listening, const char *url)
{
	unsigned pause_us = IN_USE_FIRST_PAUSE_US;
	int result;

	while ((result = rollcall_listen(listening->server, url, listening->service,
					 listening->context)) == -EADDRINUSE &&
	       listening->waited_us < IN_USE_WAIT_US) {
		if (pause_us == IN_USE_FIRST_PAUSE_US)
			diagnostics_say(listening->diagnostics, ROLLCALL_LOG_INFO,
					"%s is in use: retrying for up to 1 s, as the kernel frees "
					"the port of a killed server some ms later",
					url);
		if (pause_us > IN_USE_WAIT_US - listening->waited_us)
			pause_us = IN_USE_WAIT_US - listening->waited_us;
		usleep(pause_us);
		listening->waited_us += pause_us;
		pause_us *= 2;
	}
	return result;
}

static int listen_on(struct listening *listening, const char *transport, const char *address)
{
	struct kernel_facts facts;
	char url[URL_BYTES];
	int result = -EINVAL;

	if ((size_t)snprintf(url, sizeof(url), "%s://%s", transport, address) < sizeof(url))
		result = listen_patiently(listening, url);
	if (result == 0)
		return 0;
	kernel_facts_read(&facts);
	failure_of_listen(listening->failure, result, url, &facts);
	return listening->failure->exit_code;
}

static int listen_on_all(struct listening *listening, const char *transport,
			 const struct options_addresses *addresses, const char *usual)
{
	int code = 0;

	if (addresses->count == 0 && !addresses->none && usual)
		return listen_on(listening, transport, usual);
	for (unsigned i = 0; i < addresses->count && !code; i++)
		code = listen_on(listening, transport, addresses->list[i]);
	return code;
}

static int adopt_all(const struct listening *listening, int count)
{
	for (int fd = MANAGER_SOCKETS_FIRST; fd < MANAGER_SOCKETS_FIRST + count; fd++) {
		int result = rollcall_adopt(listening->server, fd, listening->service,
					    listening->context);

		if (result == 0)
			continue;
		failure_of_adopt(listening->failure, result, fd);
		return listening->failure->exit_code;
	}
	return 0;
}

int sockets_listen(struct rollcall_server *server, const struct program_options *options,
		   const struct rollcall_service *service, void *context,
		   struct diagnostics *diagnostics, struct failure *failure)
{
	struct listening listening = { server, service, context, diagnostics, failure, 0 };
	const int sockets = manager_sockets();
	int code;

	if (sockets < 0) {
		failure_of_sockets(failure);
		return failure->exit_code;
	}
	code = adopt_all(&listening, sockets);
	if (!code)
		code = listen_on_all(&listening, "tcp", &options->tcp,
				     sockets ? NULL : "localhost:8080");
	if (!code)
		code = listen_on_all(&listening, "udp", &options->udp,
				     sockets ? NULL : "localhost:7070");
	return code;
}

static bool is_of(struct rollcall_server *server, unsigned index, const char *transport)
{
	char text[80];

	return rollcall_listener_address(server, index, text, sizeof(text)) == 0 &&
	       strncmp(text, transport, strlen(transport)) == 0;
}

/* TCP addresses come first. */
static bool has_tcp(struct rollcall_server *server)
{
	return is_of(server, 0, "tcp");
}

unsigned sockets_count_udp(struct rollcall_server *server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < OPTIONS_ADDRESSES_MAX; i++)
		count += is_of(server, i, "udp");
	return count;
}

bool sockets_leave_descriptor(struct rollcall_server *server, struct failure *failure)
{
	const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	struct kernel_facts facts;

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || !has_tcp(server))
		return true;
	kernel_facts_read(&facts);
	failure_of_clients(failure, &facts);
	return false;
}
