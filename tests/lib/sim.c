/* SPDX-License-Identifier: MIT */
#include "lib/sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

const char *const sim_fault_names[SIM_FAULTS] = {
	[SIM_LATE] = "operation late",
	[SIM_MULTISHOT_END] = "multishot ends with a good result",
	[SIM_NO_BUFFERS] = "receive: ENOBUFS",
	[SIM_SHORT_RECEIVE] = "receive: short",
	[SIM_EAGAIN_BUFFER] = "receive: EAGAIN with a buffer",
	[SIM_EARLY_EAGAIN] = "receive: EAGAIN too early",
	[SIM_SHORT_SEND] = "send: short",
	[SIM_ACCEPT_EMFILE] = "accept: EMFILE",
	[SIM_ACCEPT_ENFILE] = "accept: ENFILE",
	[SIM_ACCEPT_ENOBUFS] = "accept: ENOBUFS",
	[SIM_ACCEPT_ENOMEM] = "accept: ENOMEM",
	[SIM_ACCEPT_ECONNABORTED] = "accept: ECONNABORTED",
	[SIM_ACK_LATE] = "acknowledgement late",
	[SIM_SEND_EPIPE] = "send: EPIPE",
	[SIM_SEND_ECONNRESET] = "send: ECONNRESET",
	[SIM_SEND_ENOMEM] = "send: ENOMEM",
	[SIM_SEND_ENOBUFS] = "send: ENOBUFS",
	[SIM_RECEIVE_ENOMEM] = "receive: ENOMEM",
	[SIM_RECEIVE_ECONNRESET] = "receive: ECONNRESET",
	[SIM_RESET_UNREPORTED_FIRST] = "receive: a reset is not reported at first",
	[SIM_RESET_UNREPORTED_LATER] = "receive: a reset is not reported later",
	[SIM_CANCEL_LATE] = "cancel: EALREADY",
	[SIM_CANCEL_LOST] = "cancel at the last moment",
	[SIM_CANCEL_ENOBUFS] = "cancelled receive: ENOBUFS",
	[SIM_CQ_OVERFLOW] = "completion queue full",
	[SIM_ENTER_EINTR] = "enter: EINTR",
	[SIM_ENTER_EBUSY] = "enter: EBUSY",
	[SIM_ENTER_EAGAIN] = "enter: EAGAIN",
	[SIM_SQ_FULL] = "submission queue full",
	[SIM_TIMEOUT_LATE] = "timeout late",
	[SIM_TIMEOUT_EARLY] = "timeout early",
	[SIM_TIMEOUT_EMPTY] = "timeout without completions that have arrived",
	[SIM_STALL] = "process stopped for a while",
	[SIM_UDP_LOSS] = "datagram lost",
	[SIM_UDP_DUPLICATE] = "datagram duplicated",
	[SIM_UDP_REORDER] = "datagram reordered",
	[SIM_UDP_KERNEL_DROP] = "datagram dropped at the socket",
	[SIM_UDP_BUFFER_FULL] = "datagram dropped: SO_RCVBUF full",
	[SIM_UDP_GRO] = "GRO batch",
	[SIM_UDP_GSO_EINVAL] = "GSO batch: EINVAL",
	[SIM_UDP_GSO_EIO] = "GSO batch: EIO",
	[SIM_UDP_TRUNCATE] = "datagram truncated",
	[SIM_UDP_SEND_ERROR] = "datagram send: ENOBUFS",
	[SIM_UDP_SEND_FULL] = "datagram send: EAGAIN",
	[SIM_UDP_RECEIVE_ERROR] = "datagram receive: ENOMEM",
	[SIM_ADDRESSES_CHANGED] = "addresses changed",
};

struct sim *sim_current;

/* SplitMix64 spreads the seed; xoroshiro128+ continues from it (Blackman and Vigna, 2018). */
static uint64_t spread(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static uint64_t next_random(struct sim *sim)
{
	const uint64_t a = sim->random[0], result = a + sim->random[1];
	const uint64_t b = sim->random[1] ^ a;

	sim->random[0] = rotate(a, 24) ^ b ^ b << 16;
	sim->random[1] = rotate(b, 37);
	return result;
}

struct sim *sim_begin(const struct sim_settings *settings, sim_outside outside, void *context)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	uint64_t state = settings->seed;

	CHECK(sim && !sim_current);
	sim->settings = *settings;
	sim->outside = outside;
	sim->context = context;
	sim->random[0] = spread(&state);
	sim->random[1] = spread(&state);
	sim->now_ns = SIM_START_NS;
	sim->countdown = settings->failure.nth;
	sim_current = sim;
	return sim;
}

void sim_end(struct sim *sim)
{
	for (int fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].kind != SIM_FREE)
			sim_fail(sim, "descriptor %d is left open", fd);
	if (sim->ring)
		sim_fail(sim, "the ring was not destroyed");
	sim_network_end(sim);
	free(sim);
	sim_current = NULL;
}

uint64_t sim_now_ns(const struct sim *sim)
{
	return sim->now_ns;
}

uint64_t sim_resumed_ns(const struct sim *sim)
{
	return sim->resumed_ns;
}

const uint64_t *sim_fired(const struct sim *sim)
{
	return sim->fired;
}

const sim_results *sim_ended(const struct sim *sim)
{
	return &sim->ended;
}

unsigned sim_longest_wait(const struct sim *sim)
{
	return sim->longest_wait;
}

uint32_t sim_random(struct sim *sim, uint32_t limit)
{
	return (uint32_t)((next_random(sim) >> 32) * limit >> 32);
}

bool sim_chance(struct sim *sim, enum sim_fault fault)
{
	if (sim->settings.chance[fault] == 0 ||
	    sim_random(sim, 65536) >= sim->settings.chance[fault])
		return false;
	sim->fired[fault]++;
	sim_trace(sim, "fault: %s", sim_fault_names[fault]);
	return true;
}

bool sim_fails(struct sim *sim, int opcode)
{
	if (sim->settings.failure.opcode != opcode || sim->countdown == 0 || --sim->countdown > 0)
		return false;
	sim->failed = true;
	sim_trace(sim, "failure on purpose");
	return true;
}

uint64_t sim_refused(const struct sim *sim)
{
	return sim->refused;
}

uint64_t sim_dropped(const struct sim *sim)
{
	return sim->dropped;
}

bool sim_has_failed(const struct sim *sim)
{
	return sim->failed;
}

void sim_enter_server(struct sim *sim)
{
	sim->in_server = true;
}

void sim_leave_server(struct sim *sim)
{
	sim->in_server = false;
}

/* The linker replaces the real functions by these (ld(1), --wrap). */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_memory_reserve(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_memory_reserve(size_t bytes);

static bool allocation_fails(void)
{
	return sim_current && sim_current->in_server && sim_fails(sim_current, SIM_ALLOCATION);
}

void *__wrap_malloc(size_t bytes)
{
	return allocation_fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return allocation_fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
	return allocation_fails() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_memory_reserve(size_t bytes)
{
	return allocation_fails() ? NULL : __real_memory_reserve(bytes);
}
