/* SPDX-License-Identifier: MIT */
#include "udp/own.h"

#include <string.h>

void own_init(struct own *own)
{
	*own = (struct own){ .watch = -1 };
}

void own_destroy(struct own *own, struct hub *hub)
{
	if (own->watch >= 0)
		socket_close(hub->ring, own->watch);
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
	error = addresses_read(hub->ring, own->watch, &own->addresses);
	ranges_sort(&own->addresses);
	own->known = !error;
	/* -EAGAIN: the addresses changed during the read. The next check reads them again. */
	if (error && error != -EAGAIN)
		warn(own, hub, error);
}

static void check(struct own *own, struct hub *hub)
{
	own->checked_ns = hub->now_ns;
	if (!own->known || addresses_changed(hub->ring, own->watch))
		read_again(own, hub);
}

void own_watch(struct own *own, struct hub *hub)
{
	int watch;

	if (own->watch >= 0)
		return;
	watch = addresses_watch(hub->ring);
	if (watch < 0) {
		warn(own, hub, watch);
		return;
	}
	own->watch = watch;
	check(own, hub);
}

bool own_has(struct own *own, struct hub *hub, const struct address *address)
{
	if (own->watch >= 0 && hub->now_ns - own->checked_ns >= OWN_CHECK_NS)
		check(own, hub);
	return !own->known || ranges_has(&own->addresses, address);
}

bool own_is_of(const struct own *own, struct hub *hub, int fd)
{
	return own->watch >= 0 && addresses_are_of(hub->ring, own->watch, fd);
}
