/* SPDX-License-Identifier: MIT */
/*
 * watcher.h - a service around a service, that checks what the library tells it.
 */
#ifndef TESTS_SIM_WATCHER_H
#define TESTS_SIM_WATCHER_H

#include "lib/sim.h"
#include "rollcall.h"
#include "sim/ledger.h"

#define WATCHER_CLIENTS_MAX 4096

struct watched {
	rollcall_client id;
	bool gone;
};

/* What all services of a server saw. */
struct watcher {
	struct sim *sim;
	struct ledger *ledger; /* of datagrams */
	struct watched clients[WATCHER_CLIENTS_MAX];
	unsigned count, gone;
	rollcall_client rising_below; /* IDs rise until the table has been round */
	uint64_t reasons[SIM_ERRORS]; /* of disconnecting, by errno */
};

/* One service, wrapped. */
struct watch {
	struct watcher *watcher;
	const struct rollcall_service *inner;
	struct rollcall_service service;
};

void watch_make(struct watch *watch, struct watcher *watcher, const struct rollcall_service *inner,
		size_t message_bytes_max);

/* Everybody who has connected must have disconnected. */
void watcher_end(const struct watcher *watcher);

#endif
