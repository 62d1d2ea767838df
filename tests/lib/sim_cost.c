/* SPDX-License-Identifier: MIT */
/*
 * sim_cost.c - work takes time: what is submitted, completed, copied or cancelled is added up, and
 * passes before the next turn, while the clients act.
 *
 * The costs are those of a small machine, but a visit by a cancel costs more than in Linux: so work
 * that grows with the square of the clients shows with a hundred of them.
 */
#include "base/base.h"
#include "lib/sim_kernel.h"

#define SUBMISSION_NS 300
#define COMPLETION_NS 500
#define VISIT_NS 5000

void sim_spend(struct sim *sim, uint64_t ns)
{
	sim->spent_ns += ns;
}

void sim_spend_submission(struct sim *sim)
{
	sim_spend(sim, SUBMISSION_NS);
}

void sim_spend_completion(struct sim *sim)
{
	sim_spend(sim, COMPLETION_NS);
}

void sim_spend_bytes(struct sim *sim, size_t bytes)
{
	sim_spend(sim, bytes);
}

void sim_spend_visits(struct sim *sim, unsigned count)
{
	sim_spend(sim, (uint64_t)count * VISIT_NS);
}

void sim_pay(struct sim *sim)
{
	const uint64_t end_ns = sim->now_ns + sim->spent_ns;

	sim->spent_ns = 0;
	sim_pass_time(sim, end_ns);
}
