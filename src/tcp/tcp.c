/* SPDX-License-Identifier: MIT */
#include "tcp/tcp.h"

#include <errno.h>

#include "tcp/connection.h"
#include "tcp/wait.h"

static void on_idle(struct idle *idle, struct client *client)
{
	connection_idle(container_of(idle, struct tcp, idle), client);
}

static void on_delivery(struct delivery *delivery, struct client *client, int result)
{
	connection_delivered(container_of(delivery, struct tcp, delivery), client, result);
}

static void on_lingering_too_long(struct idle *idle, struct client *client)
{
	connection_abort(container_of(idle, struct tcp, lingering), client, 0, false);
}

int tcp_init(struct tcp *tcp, struct hub *hub)
{
	struct table *table = &hub->table;
	struct timers *timers = &hub->timers;
	int error;

	*tcp = (struct tcp){ .hub = hub, .memory_timer = { .expired = wait_on_timer } };
	client_list_init(&tcp->no_buffer, LIST_WAIT);
	client_list_init(&tcp->no_memory, LIST_WAIT);
	if ((error = timers_reserve(timers)) ||
	    (error = idle_init(&tcp->idle, table, timers, hub->options.tcp_idle_timeout_ms,
			       on_idle)) ||
	    (error = idle_init(&tcp->lingering, table, timers, TCP_LINGER_MS,
			       on_lingering_too_long)) ||
	    (error = delivery_init(&tcp->delivery, hub, on_delivery)) ||
	    (error = liveness_init(&tcp->liveness, hub)))
		return error;
	return slab_init(&tcp->gathers, sizeof(struct gather), GATHERS);
}

void tcp_destroy(struct tcp *tcp)
{
	slab_destroy(&tcp->gathers);
}
