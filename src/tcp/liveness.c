/* SPDX-License-Identifier: MIT */
#include "tcp/liveness.h"

#define MS_NS 1000000

static bool is_full(const struct hub *hub)
{
	return table_count(&hub->table, ROLLCALL_TCP) >= hub->options.tcp_clients_max;
}

/* Clients that wait for a buffer or memory use the links of LIST_WAIT for that. */
static bool is_waiting(const struct client *client)
{
	return client_lacks_buffer(client) ||
	       client_has_any(client, CLIENT_NO_MEMORY | CLIENT_LEFT_OVER);
}

static unsigned list_of(const struct client *client)
{
	return client_has_any(client, CLIENT_SECOND) ? 1 : 0;
}

/* For a single socket, getpeername(2) costs less than poll(2) or TCP_INFO. */
static bool is_connected(const struct hub *hub, const struct client *client)
{
	struct address peer;

	return socket_peer_address(hub->ring, client->fd, &peer) != -ENOTCONN;
}

static void check(struct liveness *liveness, struct client *client)
{
	struct hub *hub = liveness->hub;

	if (client->in_flight & IN_FLIGHT_SEND || !client_is_receiving(client) ||
	    is_connected(hub, client))
		return;
	client_set(client, CLIENT_RESET_FOUND);
	hub->stats.tcp_resets_found++;
	hub_flush_later(hub, client);
}

static void set_timer(struct liveness *liveness)
{
	struct hub *hub = liveness->hub;
	const unsigned silent_ms = is_full(hub) ? LIVENESS_SILENT_FULL_MS : LIVENESS_SILENT_MS;

	timers_set(&hub->timeouts, &liveness->timer,
		   liveness->period_ns + (uint64_t)silent_ms * MS_NS);
}

static void begin_period(struct liveness *liveness, uint64_t now_ns)
{
	liveness->current = !liveness->current;
	liveness->period_ns = now_ns;
	if (liveness->lists[!liveness->current].count > 0)
		set_timer(liveness);
}

static void on_timer(struct timer *timer)
{
	struct liveness *liveness = container_of(timer, struct liveness, timer);
	struct hub *hub = liveness->hub;
	struct client_list *silent = &liveness->lists[!liveness->current];

	for (unsigned i = 0; i < LIVENESS_CHECKS_MAX && silent->count > 0; i++) {
		struct client *client = client_list_first(&hub->table, silent);

		client_list_remove(&hub->table, silent, client);
		check(liveness, client);
	}
	if (silent->count > 0)
		timers_set(&hub->timeouts, timer,
			   hub->timeouts.now_ns + LIVENESS_STEP_MS * (uint64_t)MS_NS);
	else
		begin_period(liveness, hub->timeouts.now_ns);
}

int liveness_init(struct liveness *liveness, struct hub *hub)
{
	*liveness = (struct liveness){ .hub = hub, .timer = { .expired = on_timer } };
	client_list_init(&liveness->lists[0], LIST_WAIT);
	client_list_init(&liveness->lists[1], LIST_WAIT);
	return timers_reserve(&hub->timeouts);
}

static void note(struct liveness *liveness, struct client *client)
{
	if (is_waiting(client))
		return;
	if (client_is_in_list(client, LIST_WAIT)) {
		if (list_of(client) == liveness->current)
			return;
		liveness_leave(liveness, client);
	}
	client_clear(client, CLIENT_SECOND);
	if (liveness->current == 1)
		client_set(client, CLIENT_SECOND);
	client_list_push(&liveness->hub->table, &liveness->lists[liveness->current], client);
	if (liveness->timer.position == 0) {
		liveness->period_ns = liveness->hub->now_ns;
		set_timer(liveness);
	}
}

void liveness_started(struct liveness *liveness, struct client *client)
{
	client_set(client, CLIENT_UNCHECKED);
	note(liveness, client);
}

void liveness_note(struct liveness *liveness, struct client *client)
{
	if (client_has_any(client, CLIENT_UNCHECKED))
		hub_flush_later(liveness->hub, client);
	note(liveness, client);
}

void liveness_flush(struct liveness *liveness, struct client *client)
{
	if (!client_has_any(client, CLIENT_UNCHECKED) || !client_has_any(client, CLIENT_GOT_INPUT))
		return;
	client_clear(client, CLIENT_UNCHECKED);
	if (client->state != CLIENT_CLOSING)
		check(liveness, client);
}

void liveness_leave(struct liveness *liveness, struct client *client)
{
	if (client_is_in_list(client, LIST_WAIT) && !is_waiting(client))
		client_list_remove(&liveness->hub->table, &liveness->lists[list_of(client)],
				   client);
}

void liveness_hurry(struct liveness *liveness)
{
	const uint64_t due_ns = liveness->period_ns + (uint64_t)LIVENESS_SILENT_FULL_MS * MS_NS;

	if (liveness->timer.position > 0 && liveness->timer.deadline_ns > due_ns)
		timers_set(&liveness->hub->timeouts, &liveness->timer, due_ns);
}
