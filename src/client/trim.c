/* SPDX-License-Identifier: MIT */
#include "client/trim.h"

#include "base/memory.h"

static bool has_blocks(const struct hub *hub)
{
	return slab_idle(&hub->memory.blocks) > TRIM_BLOCKS_KEPT;
}

/*
 * Whether there are more filled buffers than are kept, in a pool that is not in use: in the time
 * since the last check the kernel has filled less than half of it.
 */
static bool has_buffers(const struct trim *trim, unsigned pool)
{
	const struct buffers *buffers = &trim->hub->buffers[pool];

	return buffers->filled_count > TRIM_BUFFERS_KEPT &&
	       buffers->taken - trim->taken[pool] < buffers->count / 2;
}

static bool has_messages(const struct trim *trim)
{
	return trim->input_peak_bytes - trim->hub->memory.input_bytes >= TRIM_INPUT_BYTES;
}

static bool is_due(const struct trim *trim)
{
	const struct hub *hub = trim->hub;

	return has_blocks(hub) || hub->buffers[BUFFERS_TCP].filled_count > TRIM_BUFFERS_KEPT ||
	       hub->buffers[BUFFERS_UDP].filled_count > TRIM_BUFFERS_KEPT || has_messages(trim);
}

static void wait_ms(struct trim *trim, uint64_t ms)
{
	struct hub *hub = trim->hub;

	for (unsigned pool = 0; pool < QUEUE_POOLS; pool++)
		trim->taken[pool] = hub->buffers[pool].taken;
	timers_set(&hub->timeouts, &trim->timer, hub->now_ns + ms * 1000000);
}

/* One step. Returns whether there was something to give back. */
static bool give_back(struct trim *trim)
{
	struct hub *hub = trim->hub;
	struct slab *blocks = &hub->memory.blocks;
	uint32_t left = TRIM_STEP;

	for (; left > 0 && has_blocks(hub); left--)
		memory_discard(slab_next_idle(blocks), blocks->object_bytes);
	for (unsigned pool = 0; pool < QUEUE_POOLS && trim->is_quiet; pool++)
		if (has_buffers(trim, pool))
			left -= buffers_discard(&hub->buffers[pool], TRIM_BUFFERS_KEPT, left);
	if (has_messages(trim)) {
		memory_trim();
		trim->input_peak_bytes = hub->memory.input_bytes;
		return true;
	}
	return left < TRIM_STEP;
}

static void on_timer(struct timer *timer)
{
	struct trim *trim = container_of(timer, struct trim, timer);

	if (give_back(trim))
		wait_ms(trim, TRIM_STEP_MS);
}

int trim_init(struct trim *trim, struct hub *hub)
{
	*trim = (struct trim){ .hub = hub, .timer = { .expired = on_timer } };
	return timers_reserve(&hub->timeouts);
}

void trim_check(struct trim *trim, bool is_quiet)
{
	trim->is_quiet = is_quiet;
	if (trim->input_peak_bytes < trim->hub->memory.input_bytes)
		trim->input_peak_bytes = trim->hub->memory.input_bytes;
	if (!timer_is_set(&trim->timer) && is_due(trim))
		wait_ms(trim, TRIM_WAIT_MS);
}
