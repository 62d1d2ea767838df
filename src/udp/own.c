/* SPDX-License-Identifier: MIT */
#include "udp/own.h"

#include <string.h>

void own_init(struct own *own)
{
	*own = (struct own){ .monitor = -1 };
}

void own_destroy(struct own *own, struct hub *hub)
{
	if (own->monitor >= 0)
		socket_close(hub->ring, own->monitor);
	ranges_destroy(&own->addresses);
}

static void warn(struct own *own, struct hub *hub, int error)
{
	if (own->warned)
		return;
	own->warned = true;
	log_write(&hub->log, ROLLCALL_LOG_WARNING,
		  "cannot read this machine's addresses (rtnetlink: %s): datagrams whose source "
		  "port is that of a UDP socket of this server are dropped",
		  strerror(-error));
}

static void read_again(struct own *own, struct hub *hub)
{
	int error;

	ranges_clear(&own->addresses);
	error = addresses_read(hub->ring, own->monitor, &own->addresses);
	ranges_sort(&own->addresses);
	own->known = !error;
	/* -EAGAIN: the addresses changed during the read. The next check reads them again. */
	if (error && error != -EAGAIN)
		warn(own, hub, error);
}

static void check(struct own *own, struct hub *hub)
{
	own->checked_ns = hub->now_ns;
	if (!own->known || addresses_changed(hub->ring, own->monitor))
		read_again(own, hub);
}

void own_open(struct own *own, struct hub *hub)
{
	int monitor;

	if (own->monitor >= 0)
		return;
	monitor = addresses_open(hub->ring);
	if (monitor < 0) {
		warn(own, hub, monitor);
		return;
	}
	own->monitor = monitor;
	check(own, hub);
}

bool own_has(struct own *own, struct hub *hub, const struct address *address)
{
	if (own->monitor >= 0 && hub->now_ns - own->checked_ns >= OWN_CHECK_NS)
		check(own, hub);
	return !own->known || ranges_has(&own->addresses, address);
}

bool own_is_of(const struct own *own, struct hub *hub, int fd)
{
	return own->monitor >= 0 && addresses_are_of(hub->ring, own->monitor, fd);
}
