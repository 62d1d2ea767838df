/* SPDX-License-Identifier: MIT */
/*
 * places_oracle.h - what each source of TCP clients may have: no more places than its limit, and
 * none is taken from it while another source has more.
 */
#ifndef TESTS_SIM_PLACES_ORACLE_H
#define TESTS_SIM_PLACES_ORACLE_H

#include "lib/sim.h"
#include "rollcall.h"

#define PLACES_ORACLE_SOURCES_MAX 8
#define PLACES_ORACLE_CLIENTS_MAX 1024

struct places_oracle {
	struct sim *sim;
	unsigned most; /* for each source; 0: any number */
	struct {
		uint32_t host; /* in network byte order */
		unsigned places;
	} sources[PLACES_ORACLE_SOURCES_MAX];
	unsigned sources_count;
	struct {
		rollcall_client id;
		unsigned source; /* its index */
	} clients[PLACES_ORACLE_CLIENTS_MAX];
	unsigned clients_count;
};

/* To be called in connected(), and in disconnected(). */
void places_oracle_connected(struct places_oracle *oracle, struct rollcall_server *server,
			     rollcall_client id);
void places_oracle_disconnected(struct places_oracle *oracle, rollcall_client id, int reason);

#endif
