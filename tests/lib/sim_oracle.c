/* SPDX-License-Identifier: MIT */
/*
 * sim_oracle.c - checks in each turn that the server makes progress: it must not spin, starve a
 * client, keep a connection that was reset, or let a client take a thread.
 */
#include "base/base.h"
#include "lib/sim_kernel.h"

/* Turns in a row in which every completion is an error, and nothing else happens. */
#define FRUITLESS_MAX 200

/* Turns in which bytes wait that the server could receive. */
#define WAITING_MAX 300

/* The server must have closed a connection this long after its reset. */
#define DEAD_NS_MAX 5000000000

/* A server whose turns bring only errors, and never sleep, spins. */
static void check_progress(struct sim *sim)
{
	sim->fruitless = sim->progress ? 0 : sim->fruitless + 1;
	sim->progress = false;
	if (sim->fruitless > FRUITLESS_MAX)
		sim_fail(sim, "the server spins: %u turns without progress", sim->fruitless);
}

/* The server must receive from a client that has read all its answers and sent more. */
static void check_starvation(struct sim *sim)
{
	unsigned seen = 0;

	for (int fd = 0; fd < SIM_FILES_MAX && seen < sim->files_open; fd++) {
		struct sim_connection *connection = sim->files[fd].connection;

		seen += sim->files[fd].kind != SIM_FREE;
		if (sim->files[fd].kind != SIM_STREAM)
			continue;
		if (!connection->served || connection->late_until_ns > sim->now_ns ||
		    connection->in.count == 0 || connection->out.count > 0 || connection->broken ||
		    connection->in.count != connection->waiting_bytes)
			connection->waiting_turns = 0;
		connection->waiting_bytes = connection->in.count;
		if (++connection->waiting_turns > sim->longest_wait)
			sim->longest_wait = connection->waiting_turns;
		if (connection->waiting_turns > WAITING_MAX)
			sim_fail(sim, "nothing was received from descriptor %d for %u turns", fd,
				 connection->waiting_turns);
	}
}

/* The kernel may fail to report a reset: the server must find it. */
static void check_dead(struct sim *sim)
{
	unsigned seen = 0;

	for (int fd = 0; fd < SIM_FILES_MAX && seen < sim->files_open; fd++) {
		const struct sim_connection *connection = sim->files[fd].connection;

		seen += sim->files[fd].kind != SIM_FREE;
		if (sim->files[fd].kind != SIM_STREAM || !connection->broken || !connection->served)
			continue;
		if (sim->now_ns > connection->broken_ns + DEAD_NS_MAX &&
		    sim->now_ns > connection->late_until_ns + DEAD_NS_MAX)
			sim_fail(sim, "descriptor %d was reset %llu ms ago, and is still open", fd,
				 (unsigned long long)(sim->now_ns - connection->broken_ns) /
					 1000000);
	}
}

/* Each client that waits in a thread takes one from others, until there are no more. */
static void check_workers(struct sim *sim)
{
	if (sim->workers > 0 && !sim->settings.tolerant)
		sim_fail(sim, "io-wq has made %u workers for clients", sim->workers);
}

void sim_check_turn(struct sim *sim)
{
	check_workers(sim);
	check_progress(sim);
	check_starvation(sim);
	check_dead(sim);
}
