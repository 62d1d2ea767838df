/* SPDX-License-Identifier: MIT */
#include "client/idle.h"

/* One millisecond more, as both times are rounded down to milliseconds. */
static uint32_t limit_of(const struct idle *idle)
{
	return idle->timeout_ms + idle->slack_ms + 1;
}

static void look_again(struct idle *idle, uint64_t now_ns)
{
	struct client *first = client_list_first(idle->table, &idle->list);
	const uint32_t limit_ms = limit_of(idle);
	uint32_t passed_ms;

	if (!first)
		return;
	passed_ms = idle_listed_ms(first, now_ns);
	timers_set(idle->timers, &idle->timer,
		   now_ns + (passed_ms < limit_ms ? limit_ms - passed_ms : 0) * (uint64_t)1000000);
}

static void on_timer(struct timer *timer)
{
	struct idle *idle = container_of(timer, struct idle, timer);
	uint64_t now_ns = idle->timers->now_ns;
	struct client *first;

	while ((first = client_list_first(idle->table, &idle->list)) &&
	       idle_listed_ms(first, now_ns) >= limit_of(idle)) {
		client_list_remove(idle->table, &idle->list, first);
		idle->expire(idle, first);
	}
	look_again(idle, now_ns);
}

int idle_init(struct idle *idle, struct table *table, struct timers *timers, uint64_t timeout_ms,
	      void (*expire)(struct idle *idle, struct client *client))
{
	*idle = (struct idle){
		.table = table,
		.timers = timers,
		.timeout_ms = (uint32_t)timeout_ms,
		.slack_ms = (uint32_t)timeout_ms / 16,
		.timer = { .expired = on_timer },
		.expire = expire,
	};
	client_list_init(&idle->list, LIST_IDLE);
	return timers_reserve(timers);
}

void idle_set_timeout(struct idle *idle, uint64_t timeout_ms, uint64_t now_ns)
{
	if (timeout_ms == idle->timeout_ms)
		return;
	CHECK(timeout_ms / 16 >= idle->slack_ms);
	idle->timeout_ms = (uint32_t)timeout_ms;
	look_again(idle, now_ns);
}

void idle_move(struct idle *idle, struct client *client, uint64_t now_ns)
{
	client->active_ms = client_ms(now_ns);
	if (idle->timeout_ms == 0)
		return;
	idle_remove(idle, client);
	client_list_push(idle->table, &idle->list, client);
	/* If the timer is set for a client that has moved since, on_timer() sets it again. */
	if (idle->timer.position == 0)
		look_again(idle, now_ns);
}

void idle_remove(struct idle *idle, struct client *client)
{
	if (client_is_in_list(client, LIST_IDLE))
		client_list_remove(idle->table, &idle->list, client);
}
