/* SPDX-License-Identifier: MIT */
/*
 * callback_oracle.h - wraps services, and checks the library's callbacks: every message is of a
 * connected client, every client disconnects once, and IDs rise.
 */
#ifndef TESTS_SIM_CALLBACK_ORACLE_H
#define TESTS_SIM_CALLBACK_ORACLE_H

#include "lib/sim.h"
#include "rollcall.h"
#include "sim/places_oracle.h"
#include "sim/udp_oracle.h"

#define CALLBACK_ORACLE_CLIENTS_MAX 4096

struct known_client {
	rollcall_client id;
	bool gone;
};

/* The clients of all services of a server. */
struct callback_oracle {
	struct sim *sim;
	struct udp_oracle *udp;
	struct places_oracle *places; /* NULL: clients may also end for their memory */
	struct known_client clients[CALLBACK_ORACLE_CLIENTS_MAX];
	unsigned count, gone;
	rollcall_client rising_below; /* IDs rise up to here, before the table is reused */
	uint64_t reasons[SIM_ERRORS]; /* why clients disconnected, by errno */
};

/* A service around another one. */
struct checked_service {
	struct callback_oracle *oracle;
	const struct rollcall_service *inner;
	struct rollcall_service service;
};

void checked_service_make(struct checked_service *checked, struct callback_oracle *oracle,
			  const struct rollcall_service *inner, size_t message_bytes_max);

/* Each client that has connected must have disconnected. */
void callback_oracle_end(const struct callback_oracle *oracle);

#endif
