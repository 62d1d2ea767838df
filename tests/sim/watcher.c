/* SPDX-License-Identifier: MIT */
#include "sim/watcher.h"

#include <errno.h>
#include <inttypes.h>

#include "base/base.h"

static struct watched *find(struct watcher *watcher, rollcall_client id)
{
	for (unsigned i = watcher->count; i-- > 0;)
		if (watcher->clients[i].id == id)
			return &watcher->clients[i];
	return NULL;
}

static void connected(struct rollcall_server *server, rollcall_client id, void *context)
{
	struct watch *watch = context;
	struct watcher *watcher = watch->watcher;

	sim_trace(watcher->sim, "client %" PRIu64 " connected", id);
	if (find(watcher, id))
		sim_fail(watcher->sim, "ID %" PRIu64 " is used twice", id);
	if (watcher->count > 0 && id < watcher->rising_below &&
	    id != watcher->clients[watcher->count - 1].id + 1)
		sim_fail(watcher->sim, "ID %" PRIu64 " comes after %" PRIu64, id,
			 watcher->clients[watcher->count - 1].id);
	CHECK(watcher->count < WATCHER_CLIENTS_MAX);
	watcher->clients[watcher->count++] = (struct watched){ .id = id };
	if (watch->inner->connected)
		watch->inner->connected(server, id, NULL);
}

static void check_known(struct watcher *watcher, rollcall_client id, const char *what)
{
	struct watched *client = find(watcher, id);

	if (!client || client->gone)
		sim_fail(watcher->sim, "%s client %" PRIu64 ", which is not connected", what, id);
}

static bool is_udp(struct rollcall_server *server, rollcall_client id)
{
	struct rollcall_client_info info = { .size = sizeof(info) };

	if (id == ROLLCALL_NONE)
		return true;
	CHECK(rollcall_client_get_info(server, id, &info) == 0);
	return info.transport == ROLLCALL_UDP;
}

static void received(struct rollcall_server *server, rollcall_client id, const void *data,
		     size_t bytes, void *context)
{
	struct watch *watch = context;
	struct watcher *watcher = watch->watcher;
	const bool udp = is_udp(server, id);

	sim_trace(watcher->sim, "client %" PRIu64 " received %zu bytes", id, bytes);
	/* No client: there was no place for it. */
	if (id != ROLLCALL_NONE)
		check_known(watcher, id, "a message of");
	if (udp)
		ledger_delivered(watcher->ledger, id, data, bytes);
	if (watch->inner->received)
		watch->inner->received(server, id, data, bytes, NULL);
	if (udp)
		ledger_answered(watcher->ledger, id);
}

static void oversized(struct rollcall_server *server, rollcall_client id, size_t bytes_max,
		      void *context)
{
	struct watch *watch = context;

	check_known(watch->watcher, id, "a long message of");
	if (watch->inner->oversized)
		watch->inner->oversized(server, id, bytes_max, NULL);
}

static void disconnected(struct rollcall_server *server, rollcall_client id, int reason,
			 void *context)
{
	struct watch *watch = context;
	struct watcher *watcher = watch->watcher;

	sim_trace(watcher->sim, "client %" PRIu64 " disconnected: %s", id,
		  rollcall_reason_text(reason));
	check_known(watcher, id, "the end of");
	if (is_udp(server, id))
		ledger_gone(watcher->ledger, id, reason);
	find(watcher, id)->gone = true;
	watcher->gone++;
	CHECK(reason <= 0 && reason > -SIM_ERRORS);
	watcher->reasons[-reason]++;
}

void watch_make(struct watch *watch, struct watcher *watcher, const struct rollcall_service *inner,
		size_t message_bytes_max)
{
	*watch = (struct watch){ .watcher = watcher, .inner = inner, .service = *inner };
	watch->service.message_bytes_max = message_bytes_max;
	watch->service.connected = connected;
	watch->service.received = received;
	watch->service.oversized = oversized;
	watch->service.disconnected = disconnected;
}

void watcher_end(const struct watcher *watcher)
{
	if (watcher->gone != watcher->count)
		sim_fail(watcher->sim, "%u clients connected, %u disconnected", watcher->count,
			 watcher->gone);
}
