/* SPDX-License-Identifier: MIT */
#include "sim/run_settings.h"

/* A seed with which the TCP clients of a short run end in many ways, and few operations start. */
#define FAILURE_SEED 13

/* Longer than timeouts; and in a crowd, where timeouts are short. */
#define STALL_MS_MAX 100000
#define CROWD_STALL_MS_MAX 10000

/* Random numbers for the settings alone: the simulation draws its own. */
static uint32_t draw(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*state >> 32) * limit >> 32);
}

struct sim_settings run_settings_of_seed(uint64_t seed, bool trace)
{
	uint64_t state = seed * 2 + 1;
	uint32_t level, kinds;
	struct sim_settings settings = { .seed = seed, .trace = trace };

	for (int i = 0; i < 8; i++)
		draw(&state, 2);
	level = 1u << draw(&state, 13);
	kinds = draw(&state, 4);
	for (int fault = 0; fault < SIM_FAULTS; fault++)
		if (kinds == 3 || (kinds > 0 && draw(&state, 4) == 0))
			settings.chance[fault] = level;
	settings.sq_entries_max = 4u << draw(&state, 9);
	settings.cq_entries_max = 2 * settings.sq_entries_max << draw(&state, 3);
	settings.chance[SIM_EARLY_EAGAIN] = 8192u * draw(&state, 4);
	settings.chance[SIM_RESET_UNREPORTED_FIRST] = 16384u * draw(&state, 4);
	settings.chance[SIM_RESET_UNREPORTED_LATER] = 16384u * draw(&state, 4);
	settings.chance[SIM_UDP_GRO] = 16384u * draw(&state, 4);
	/* When sends are late, buffers are held for long, and may run out. */
	if (draw(&state, 8) == 0)
		settings.chance[SIM_LATE] = 32768;
	settings.pass_pieces = draw(&state, 2) ? 20 : 0;
	settings.halvings = draw(&state, 8);
	settings.descriptors_max = draw(&state, 4) ? 1000 : 24 + draw(&state, 16);
	settings.socket_bytes = 16u << draw(&state, 13);
	settings.no_threads = draw(&state, 2);
	settings.stall_ms_max = STALL_MS_MAX;
	return settings;
}

struct sim_settings run_settings_of_crowd(uint64_t seed, bool trace)
{
	static const enum sim_fault harmless[] = {
		SIM_MULTISHOT_END, SIM_SHORT_RECEIVE, SIM_EARLY_EAGAIN, SIM_SHORT_SEND,
		SIM_ACK_LATE,	   SIM_CANCEL_LATE,   SIM_CANCEL_LOST,	SIM_TIMEOUT_LATE,
		SIM_TIMEOUT_EARLY, SIM_TIMEOUT_EMPTY, SIM_ENTER_EINTR,
	};
	uint64_t state = seed * 2 + 1;
	struct sim_settings settings = { .seed = seed, .trace = trace };

	for (int i = 0; i < 8; i++)
		draw(&state, 2);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		settings.chance[harmless[i]] = draw(&state, 3) ? 0 : 1024;
	settings.chance[SIM_STALL] = draw(&state, 2) ? 0 : 512;
	settings.stall_ms_max = CROWD_STALL_MS_MAX;
	settings.sq_entries_max = 64u << draw(&state, 4);
	settings.cq_entries_max = 2 * settings.sq_entries_max << draw(&state, 3);
	settings.pass_pieces = draw(&state, 2) ? 20 : 0;
	settings.descriptors_max = 1000;
	settings.socket_bytes = 8192u << draw(&state, 3);
	settings.no_threads = draw(&state, 2);
	return settings;
}

bool run_settings_are_lossless(const struct sim_settings *settings)
{
	const uint32_t *chance = settings->chance;

	/* After a failed receive an endpoint pauses, and may answer too late. */
	return !settings->failure.nth && !chance[SIM_UDP_RECEIVE_ERROR] && !chance[SIM_UDP_LOSS] &&
	       !chance[SIM_UDP_KERNEL_DROP] && !chance[SIM_UDP_TRUNCATE] &&
	       !chance[SIM_UDP_SEND_ERROR];
}

struct sim_settings run_settings_of_failure(const struct sim_failure *failure, bool trace)
{
	return (struct sim_settings){
		.seed = FAILURE_SEED,
		.failure = *failure,
		.sq_entries_max = 64,
		.cq_entries_max = 256,
		.descriptors_max = 1000,
		.socket_bytes = 4096,
		.trace = trace,
	};
}
