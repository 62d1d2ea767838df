/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "program/manager.h"
#include "program/number.h"

/* The longest message; a longer status is truncated. */
#define TEXT_BYTES 1024

/* Send timeout of the first message; later ones do not wait. */
#define READY_WAIT_S 1

/* Time for the process to exit after the drain. */
#define END_MS 5000

/* Reads an environment variable as a number. false: not set, or not a number. */
static bool read_number(const char *name, uint64_t max, uint64_t *value)
{
	const char *text = getenv(name);

	return text && !number_parse(NUMBER_WHOLE, text, 0, max, value);
}

int manager_sockets(void)
{
	uint64_t pid, count;

	if (!read_number("LISTEN_PID", INT_MAX, &pid) || pid != (uint64_t)getpid())
		return 0;
	if (!read_number("LISTEN_FDS", INT_MAX - MANAGER_SOCKETS_FIRST, &count))
		return -EINVAL;
	return (int)count;
}

/* Takes the path of a socket, or with a leading @ an abstract address (unix(7)). */
static bool take_address(struct manager *manager, const char *path)
{
	const size_t bytes = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || bytes >= sizeof(manager->address.sun_path))
		return false;
	manager->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(manager->address.sun_path, path, bytes);
	manager->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
	if (path[0] == '@')
		manager->address.sun_path[0] = '\0';
	return true;
}

static uint64_t watchdog_period_ms(void)
{
	uint64_t pid, us;

	if (!read_number("WATCHDOG_USEC", UINT64_MAX, &us) || us == 0)
		return 0;
	if (getenv("WATCHDOG_PID") &&
	    (!read_number("WATCHDOG_PID", INT_MAX, &pid) || pid != (uint64_t)getpid()))
		return 0;
	return us < 2000 ? 1 : us / 2000;
}

void manager_init(struct manager *manager, struct diagnostics *diagnostics)
{
	const struct timeval wait = { .tv_sec = READY_WAIT_S };
	const char *path = getenv("NOTIFY_SOCKET");

	*manager = (struct manager){ .fd = -1, .diagnostics = diagnostics };
	if (!path || !*path)
		return;
	if (!take_address(manager, path)) {
		diagnostics_say(diagnostics, ROLLCALL_LOG_WARNING,
				"cannot notify the service manager: NOTIFY_SOCKET '%.100s' is "
				"neither a path nor @NAME",
				path);
		return;
	}
	manager->watchdog_ms = watchdog_period_ms();
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager->fd >= 0)
		setsockopt(manager->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	else
		diagnostics_say(diagnostics, ROLLCALL_LOG_WARNING,
				"cannot notify the service manager: socket: %s", strerror(errno));
}

static void tell(struct manager *manager, const char *text, int flags)
{
	bool told;

	if (manager->fd < 0)
		return;
	told = sendto(manager->fd, text, strlen(text), flags | MSG_NOSIGNAL,
		      (const struct sockaddr *)&manager->address, manager->address_bytes) >= 0;
	if (!told && !manager->warned)
		diagnostics_say(manager->diagnostics, ROLLCALL_LOG_WARNING,
				"cannot notify the service manager of '%.*s': %s",
				(int)strcspn(text, "\n"), text, strerror(errno));
	manager->warned = !told;
}

static void on_watchdog(struct rollcall_server *server, void *context)
{
	(void)server;
	tell(context, "WATCHDOG=1", MSG_DONTWAIT);
}

/* "Listening on tcp 127.0.0.1:8080, udp 127.0.0.1:7070", truncated to TEXT_BYTES. */
static void ready_text(char text[static TEXT_BYTES], struct rollcall_server *server)
{
	size_t used = (size_t)snprintf(text, TEXT_BYTES, "READY=1\nSTATUS=Listening on");
	char address[80];

	for (unsigned i = 0; used + sizeof(address) + 2 < TEXT_BYTES; i++) {
		if (rollcall_listener_address(server, i, address, sizeof(address)))
			break;
		used += (size_t)snprintf(text + used, TEXT_BYTES - used, "%s %s", i ? "," : "",
					 address);
	}
}

void manager_ready(struct manager *manager, struct rollcall_server *server)
{
	char text[TEXT_BYTES];

	ready_text(text, server);
	tell(manager, text, 0);
	if (manager->watchdog_ms > 0 &&
	    rollcall_timer_start(server, &manager->watchdog, manager->watchdog_ms,
				 manager->watchdog_ms, on_watchdog, manager))
		diagnostics_say(manager->diagnostics, ROLLCALL_LOG_WARNING,
				"no memory for the watchdog timer: the service manager may "
				"restart the server");
}

void manager_stopping(struct manager *manager, const char *status, uint64_t drain_timeout_ms)
{
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "STOPPING=1\nSTATUS=%.200s\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		 status, (drain_timeout_ms + END_MS) * 1000);
	tell(manager, text, MSG_DONTWAIT);
}
