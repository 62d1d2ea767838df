/* SPDX-License-Identifier: MIT */
/*
 * sim_wait.c - the simulated ring's waiting, in which clients act and time passes; and its clock.
 */
#include <errno.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* A turn takes up to this long by itself. */
#define TURN_NS_MAX 20000

/* A timeout may be off by this much (prctl(2)). */
#define TIMER_SLACK_NS 50000

/* How often the process is stopped. */
#define STALLS_MAX 3

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A random one; a limited pass continues where the last one stopped: the longest ready. */
static unsigned first_of_pass(struct sim *sim)
{
	struct ring *ring = sim->ring;

	if (sim->settings.pass_pieces > 0)
		return ring->ops_next;
	return ring->ops_end ? sim_random(sim, ring->ops_end) : 0;
}

/* Tries the operations that may be ready, in a pass; returns when to try the others. */
static uint64_t try_all(struct sim *sim)
{
	struct ring *ring = sim->ring;
	const unsigned start = first_of_pass(sim), end = ring->ops_end;
	unsigned pieces = sim->settings.pass_pieces ? sim->settings.pass_pieces : SIM_OPS_MAX;
	uint64_t next_ns = SIM_NEVER;

	for (unsigned i = 0; i < end; i++) {
		struct sim_op *op = &ring->ops[(start + i) % end];
		const unsigned before = ring->cq_count + ring->overflow_count;

		if (!op->used)
			continue;
		if (op->not_before_ns > sim->now_ns) {
			next_ns = earliest(next_ns, op->not_before_ns);
			continue;
		}
		sim_try(sim, op);
		if (ring->cq_count + ring->overflow_count == before || --pieces > 0)
			continue;
		ring->ops_next = (start + i + 1) % end;
		break;
	}
	if (sim->settings.tolerant)
		sim_close_released(sim);
	return next_ns;
}

/* Clients act, and datagrams arrive; returns when to call it again. */
static uint64_t run_outside(struct sim *sim)
{
	sim->outside_ns = sim->outside(sim->context);
	return earliest(sim->outside_ns, sim_deliver(sim));
}

/* When the clients act next, or a datagram arrives. */
static uint64_t next_event(const struct sim *sim)
{
	return earliest(sim->outside_ns, sim->packets ? sim->packets->due_ns : SIM_NEVER);
}

void sim_pass_time(struct sim *sim, uint64_t end_ns)
{
	while (next_event(sim) <= end_ns) {
		const uint64_t next_ns = next_event(sim);

		sim->now_ns = next_ns > sim->now_ns ? next_ns : sim->now_ns + 1;
		run_outside(sim);
	}
	if (sim->now_ns < end_ns)
		sim->now_ns = end_ns;
}

/* The process is stopped, as by SIGSTOP, a frozen cgroup or a suspended virtual machine. */
static void stall_process(struct sim *sim)
{
	const uint64_t end_ns =
		sim->now_ns + (uint64_t)sim_random(sim, sim->settings.stall_ms_max) * 1000000;

	sim->stalls++;
	sim->resumed_ns = end_ns;
	sim_pass_time(sim, end_ns);
	for (int fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].kind == SIM_STREAM)
			sim_excuse(sim->files[fd].connection, end_ns + 1);
	sim->progress = true;
}

/* Lets time pass and the clients act until the first completion, or the deadline. */
static void wait_until(struct sim *sim, uint64_t deadline_ns)
{
	bool slept = false;

	for (;;) {
		uint64_t next_ns = run_outside(sim);

		if (slept && sim->now_ns >= deadline_ns && sim_chance(sim, SIM_TIMEOUT_EMPTY))
			return;
		next_ns = earliest(next_ns, try_all(sim));
		if (sim->ring->cq_count > 0 || sim->now_ns >= deadline_ns)
			return;
		next_ns = earliest(next_ns, deadline_ns);
		if (next_ns == SIM_NEVER)
			sim_fail(sim, "the server waits without a limit, and no event will follow");
		if (next_ns > sim->now_ns)
			sim->now_ns = next_ns;
		slept = true;
		sim->progress = true;
	}
}

static int enter(struct sim *sim, uint64_t wait_ns)
{
	struct ring *ring = sim->ring;
	uint64_t deadline_ns = SIM_NEVER;

	sim_trace_turn(sim, wait_ns);
	sim_check_turn(sim);
	sim_pay(sim);
	sim->now_ns += 1 + sim_random(sim, TURN_NS_MAX);
	sim_flush_overflow(ring);
	if (sim_chance(sim, SIM_ENTER_EBUSY) || sim_chance(sim, SIM_ENTER_EAGAIN))
		return 0;
	sim_submit(sim);
	sim_pay(sim);
	if (sim->stalls < STALLS_MAX && sim_chance(sim, SIM_STALL))
		stall_process(sim);
	if (sim_chance(sim, SIM_ENTER_EINTR))
		return 0;
	if (wait_ns < SIM_NEVER - sim->now_ns) {
		deadline_ns = sim->now_ns + wait_ns;
		if (wait_ns > 0 && sim_chance(sim, SIM_TIMEOUT_LATE))
			deadline_ns += sim_random(sim, 1000000);
		else if (sim_chance(sim, SIM_TIMEOUT_EARLY))
			deadline_ns -= min_u64(wait_ns, sim_random(sim, TIMER_SLACK_NS));
	}
	wait_until(sim, deadline_ns);
	return wait_ns == 0 && ring->cq_count == 0 ? -ETIME : 0;
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	int result;

	CHECK(ring == sim_current->ring);
	sim_leave_server(sim_current);
	result = enter(sim_current, wait_ns);
	sim_enter_server(sim_current);
	return result;
}

uint64_t ring_clock_ns(struct ring *ring)
{
	(void)ring;
	return sim_current->now_ns;
}

void ring_sleep(uint64_t ns)
{
	sim_current->now_ns += ns;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = (uint8_t)sim_random(sim_current, 256);
}
