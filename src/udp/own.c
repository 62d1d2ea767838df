/* SPDX-License-Identifier: MIT */
#include "udp/own.h"

#include <string.h>

void own_init(struct own *own)
{
	*own = (struct own){ .watch = -1 };
}

void own_destroy(struct own *own, struct core *core)
{
	if (own->watch >= 0)
		socket_close(core->ring, own->watch);
	ranges_destroy(&own->addresses);
}

static void warn(struct own *own, struct core *core, int error)
{
	if (own->warned)
		return;
	own->warned = true;
	log_write(&core->log, ROLLCALL_LOG_WARNING,
		  "cannot learn this machine's addresses (rtnetlink: %s): datagrams from the ports "
		  "of our own UDP sockets are not answered",
		  strerror(-error));
}

static void read_again(struct own *own, struct core *core)
{
	int error;

	ranges_clear(&own->addresses);
	error = addresses_read(core->ring, own->watch, &own->addresses);
	ranges_sort(&own->addresses);
	own->known = !error;
	/* -EAGAIN: the addresses changed during the read. The next check reads them again. */
	if (error && error != -EAGAIN)
		warn(own, core, error);
}

static void check(struct own *own, struct core *core)
{
	own->checked_ns = core->now_ns;
	if (!own->known || addresses_changed(core->ring, own->watch))
		read_again(own, core);
}

void own_watch(struct own *own, struct core *core)
{
	int watch;

	if (own->watch >= 0)
		return;
	watch = addresses_watch(core->ring);
	if (watch < 0) {
		warn(own, core, watch);
		return;
	}
	own->watch = watch;
	check(own, core);
}

bool own_has(struct own *own, struct core *core, const struct address *address)
{
	if (own->watch >= 0 && core->now_ns - own->checked_ns >= OWN_CHECK_NS)
		check(own, core);
	return !own->known || ranges_has(&own->addresses, address);
}

bool own_is_of(const struct own *own, struct core *core, int fd)
{
	return own->watch >= 0 && addresses_are_of(core->ring, own->watch, fd);
}
