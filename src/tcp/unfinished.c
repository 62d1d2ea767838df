/* SPDX-License-Identifier: MIT */
#include "tcp/unfinished.h"

static uint32_t passed_ms(const struct unfinished_list *list, const struct unfinished *message)
{
	return client_ms(list->hub->now_ns) - message->begun_ms;
}

/* One millisecond more, as times are rounded down to milliseconds. */
static uint64_t limit_ms(const struct unfinished_list *list)
{
	return hub_timeout_ms(list->hub, list->hub->options.message_timeout_ms) + 1;
}

static void set_timer(struct unfinished_list *list)
{
	struct hub *hub = list->hub;
	uint64_t passed, limit;

	if (!list->first || hub->options.message_timeout_ms == 0)
		return;
	passed = passed_ms(list, list->first);
	limit = limit_ms(list);
	timers_set(&hub->timeouts, &list->timer,
		   hub->now_ns + (passed < limit ? limit - passed : 0) * 1000000);
}

/* Time in which the process was stopped does not count. */
static void make_up_for_stalls(struct unfinished_list *list)
{
	const uint32_t stalled_ms = client_ms(list->hub->stalled_ns - list->stalled_ns);

	list->stalled_ns = list->hub->stalled_ns;
	if (stalled_ms == 0)
		return;
	for (struct unfinished *one = list->first; one; one = one->next)
		one->begun_ms += (uint32_t)min_size(stalled_ms, passed_ms(list, one));
}

static void on_timer(struct timer *timer)
{
	struct unfinished_list *list = container_of(timer, struct unfinished_list, timer);
	const uint64_t limit = limit_ms(list);

	make_up_for_stalls(list);
	while (list->first && passed_ms(list, list->first) >= limit) {
		const struct unfinished *first = list->first;
		struct client *client = table_find(&list->hub->table, first->client);

		CHECK(client);
		list->expired(list, client);
		CHECK(list->first != first || passed_ms(list, first) == 0);
	}
	set_timer(list);
}

int unfinished_init(struct unfinished_list *list, struct hub *hub,
		    void (*expired)(struct unfinished_list *list, struct client *client))
{
	*list = (struct unfinished_list){
		.hub = hub,
		.timer = { .expired = on_timer },
		.expired = expired,
	};
	return timers_reserve(&hub->timeouts);
}

void unfinished_begin(struct unfinished_list *list, struct unfinished *message,
		      const struct client *client)
{
	*message = (struct unfinished){
		.previous = list->last,
		.client = client->id,
		.begun_ms = client_ms(list->hub->now_ns),
	};
	if (list->last)
		list->last->next = message;
	else
		list->first = message;
	list->last = message;
	/* If the timer is set for a message that has ended since, on_timer() sets it again. */
	if (!timer_is_set(&list->timer))
		set_timer(list);
}

void unfinished_end(struct unfinished_list *list, struct unfinished *message)
{
	if (message->previous)
		message->previous->next = message->next;
	else
		list->first = message->next;
	if (message->next)
		message->next->previous = message->previous;
	else
		list->last = message->previous;
}

void unfinished_hurry(struct unfinished_list *list)
{
	set_timer(list);
}
