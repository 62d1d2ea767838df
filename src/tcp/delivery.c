/* SPDX-License-Identifier: MIT */
#include "tcp/delivery.h"

#include <errno.h>

/* Whether the client gets on: it has acknowledged enough since client->active_ms. */
static bool gets_on(const struct client *client, uint32_t acked, uint32_t passed_ms)
{
	const uint32_t bytes = acked - client->acked;

	if (bytes == 0 || client->tcp.queue.bytes == 0)
		return bytes > 0;
	return (uint64_t)bytes * 1000 >= (uint64_t)passed_ms * DELIVERY_RATE;
}

int delivery_check(struct delivery *delivery, struct client *client)
{
	const uint32_t now_ms = client_ms(delivery->hub->now_ns);
	struct socket_delivery found;
	int error = socket_delivery(delivery->hub->ring, client->fd, &found);

	if (error)
		return error;
	/* With nothing pending, it is not the peer that makes no progress. */
	if (!found.is_pending || gets_on(client, found.acked, now_ms - client->active_ms)) {
		client->acked = found.acked;
		client->active_ms = now_ms;
	}
	return found.is_pending || client->tcp.queue.bytes > 0 ? -EAGAIN : 0;
}

/* The result for a watched client, as for ended(); -EAGAIN: keep watching. */
static int poll_client(struct delivery *delivery, struct client *client)
{
	const struct hub *hub = delivery->hub;
	const uint64_t idle_ms = hub->options.tcp_idle_timeout_ms;
	uint64_t send_ms = hub_timeout_ms(hub, hub->options.send_timeout_ms);
	int result = delivery_check(delivery, client);
	uint32_t passed_ms = client_ms(hub->now_ns) - client->active_ms;

	if (result != -EAGAIN)
		return result;
	/* Without a send timeout, a client that is being closed has the time of an idle one. */
	if (send_ms == 0 && client->state != CLIENT_OPEN)
		send_ms = idle_ms;
	if (send_ms > 0 && passed_ms >= send_ms)
		return -ETIMEDOUT;
	if (client->state == CLIENT_OPEN && idle_ms > 0 && passed_ms >= idle_ms)
		return -ETIME;
	return -EAGAIN;
}

static void set_timer(struct delivery *delivery)
{
	const uint32_t count = delivery->list.count, most = 4 * DELIVERY_CLIENTS_MAX;
	struct hub *hub = delivery->hub;
	uint64_t interval_ns = delivery->interval_ns;

	if (count == 0)
		return;
	if (count > most)
		interval_ns = interval_ns * most / count;
	timers_set(&hub->timeouts, &delivery->timer, hub->now_ns + interval_ns);
}

/* How many clients one poll checks. */
static uint32_t poll_count(const struct delivery *delivery)
{
	const uint32_t count = delivery->list.count;

	if (count / 4 < DELIVERY_CLIENTS_MIN)
		return count < DELIVERY_CLIENTS_MIN ? count : DELIVERY_CLIENTS_MIN;
	return count / 4 < DELIVERY_CLIENTS_MAX ? count / 4 : DELIVERY_CLIENTS_MAX;
}

/*
 * After a stall of the process: its first output after the stall is too new to be acknowledged, so
 * the time without polls does not count towards the timeouts.
 */
static void make_up_for(struct delivery *delivery, uint64_t stalled_ns)
{
	const uint32_t now_ms = client_ms(delivery->hub->now_ns);
	struct table *table = &delivery->hub->table;
	struct client *client = client_list_first(table, &delivery->list);

	for (; client; client = client_list_next(table, &delivery->list, client))
		client->active_ms +=
			(uint32_t)min_size(client_ms(stalled_ns), now_ms - client->active_ms);
}

static void on_timer(struct timer *timer)
{
	struct delivery *delivery = container_of(timer, struct delivery, timer);
	struct table *table = &delivery->hub->table;
	const uint64_t stalled_ns = delivery->hub->stalled_ns - delivery->stalled_ns;
	uint32_t count = poll_count(delivery);
	bool changed = false;

	if (stalled_ns > 0)
		make_up_for(delivery, stalled_ns);
	delivery->stalled_ns = delivery->hub->stalled_ns;
	while (count-- > 0) {
		struct client *client = client_list_first(table, &delivery->list);
		const uint32_t acked = client->acked;
		int result = poll_client(delivery, client);

		changed |= result != -EAGAIN || client->acked != acked;
		client_list_remove(table, &delivery->list, client);
		if (result == -EAGAIN) {
			client_list_push(table, &delivery->list, client);
			continue;
		}
		client_clear(client, CLIENT_UNACKED);
		delivery->ended(delivery, client, result);
	}
	delivery->interval_ns =
		changed ? DELIVERY_POLL_MS_MIN * (uint64_t)1000000
			: min_u64(2 * delivery->interval_ns, delivery->interval_ns_max);
	set_timer(delivery);
}

/* 1/32 of the shortest timeout, within the limits of the interval. */
static uint64_t longest_interval_ms(const struct rollcall_options *options)
{
	uint64_t shortest_ms = UINT64_MAX, part_ms;

	if (options->send_timeout_ms > 0)
		shortest_ms = options->send_timeout_ms;
	if (options->tcp_idle_timeout_ms > 0)
		shortest_ms = min_u64(shortest_ms, options->tcp_idle_timeout_ms);
	part_ms = min_u64(shortest_ms / 32, DELIVERY_POLL_MS_MAX);
	return part_ms < DELIVERY_POLL_MS_MIN ? DELIVERY_POLL_MS_MIN : part_ms;
}

int delivery_init(struct delivery *delivery, struct hub *hub,
		  void (*ended)(struct delivery *delivery, struct client *client, int result))
{
	*delivery = (struct delivery){
		.hub = hub,
		.timer = { .expired = on_timer },
		.interval_ns_max = longest_interval_ms(&hub->options) * 1000000,
		.ended = ended,
	};
	client_list_init(&delivery->list, LIST_IDLE);
	return timers_reserve(&hub->timeouts);
}

void delivery_watch(struct delivery *delivery, struct client *client)
{
	const uint64_t interval_ns = DELIVERY_POLL_MS_MIN * (uint64_t)1000000;
	struct hub *hub = delivery->hub;

	client_set(client, CLIENT_UNACKED);
	client->active_ms = client_ms(hub->now_ns);
	client_list_push(&hub->table, &delivery->list, client);
	delivery->interval_ns = interval_ns;
	if (delivery->timer.position == 0 ||
	    delivery->timer.deadline_ns > hub->now_ns + interval_ns)
		set_timer(delivery);
}

void delivery_touch(struct delivery *delivery, struct client *client)
{
	client->active_ms = client_ms(delivery->hub->now_ns);
}

void delivery_forget(struct delivery *delivery, struct client *client)
{
	client_clear(client, CLIENT_UNACKED);
	client_list_remove(&delivery->hub->table, &delivery->list, client);
}
