/* SPDX-License-Identifier: MIT */
#include "tcp/wait.h"

static struct client_list *buffer_list(struct tcp *tcp, const struct client *client)
{
	return client->receive == RECEIVE_NO_BUFFER ? &tcp->no_buffer : &tcp->no_buffer_later;
}

/* Takes a client off the list of LIST_WAIT that it is in; memory comes before all other waits. */
static void leave_lists(struct tcp *tcp, struct client *client)
{
	struct table *table = &tcp->hub->table;

	if (client_has_any(client, CLIENT_NO_MEMORY))
		client_list_remove(table, &tcp->no_memory, client);
	else if (client_has_any(client, CLIENT_LEFT_OVER))
		client_list_remove(table, &tcp->left_over, client);
	else if (client_lacks_buffer(client))
		client_list_remove(table, buffer_list(tcp, client), client);
	else
		liveness_leave(&tcp->liveness, client);
	client_clear(client, CLIENT_LEFT_OVER);
}

void wait_for_buffer(struct tcp *tcp, struct client *client)
{
	const bool later = client->beyond_share || client_has_any(client, CLIENT_LIMITED);

	/* A receive is started again once the input left over is handled. */
	if (client_has_any(client, CLIENT_LEFT_OVER))
		return;
	if (!client_has_any(client, CLIENT_NO_MEMORY))
		liveness_leave(&tcp->liveness, client);
	client->receive = later ? RECEIVE_NO_BUFFER_LATER : RECEIVE_NO_BUFFER;
	if (!client_has_any(client, CLIENT_NO_MEMORY))
		client_list_push(&tcp->hub->table, buffer_list(tcp, client), client);
}

void wait_for_turn(struct tcp *tcp, struct client *client)
{
	if (client_has_any(client, CLIENT_LEFT_OVER | CLIENT_NO_MEMORY))
		return;
	wait_leave(tcp, client);
	client_set(client, CLIENT_LEFT_OVER);
	client_list_push(&tcp->hub->table, &tcp->left_over, client);
}

void wait_end_for_turn(struct tcp *tcp)
{
	struct table *table = &tcp->hub->table;
	size_t count = min_size(tcp->left_over.count, TCP_LEFT_OVER_CLIENTS);

	for (; count > 0; count--) {
		struct client *client = client_list_first(table, &tcp->left_over);

		leave_lists(tcp, client);
		if (client_is_receiving(client))
			liveness_received(&tcp->liveness, client);
		hub_flush_later(tcp->hub, client);
	}
}

void wait_for_memory(struct tcp *tcp, struct client *client)
{
	struct hub *hub = tcp->hub;

	if (client_has_any(client, CLIENT_NO_MEMORY))
		return;
	leave_lists(tcp, client);
	client_set(client, CLIENT_NO_MEMORY);
	client_list_push(&hub->table, &tcp->no_memory, client);
	if (tcp->memory_timer.position == 0)
		timers_set(&hub->timers, &tcp->memory_timer, hub->now_ns + TCP_RETRY_NS);
}

static void resume_first(struct tcp *tcp, struct client_list *list, uint32_t count)
{
	struct hub *hub = tcp->hub;

	for (; count > 0 && list->count > 0; count--) {
		struct client *client = client_list_first(&hub->table, list);

		client_list_remove(&hub->table, list, client);
		client->receive = RECEIVE_NONE;
		hub_flush_later(hub, client);
	}
}

void wait_end_for_buffers(struct tcp *tcp)
{
	const uint32_t free_buffers = buffers_free(&tcp->hub->buffers[BUFFERS_TCP]);
	/* A quarter, and of fewer than four buffers one in a quarter of the turns. */
	const uint32_t kept = (free_buffers + (uint32_t)(tcp->hub->turns % 4)) / 4;
	uint32_t first = free_buffers;

	if (tcp->no_buffer_later.count > 0)
		first -= kept;
	first = (uint32_t)min_size(first, tcp->no_buffer.count);
	resume_first(tcp, &tcp->no_buffer, first);
	resume_first(tcp, &tcp->no_buffer_later, free_buffers - first);
}

bool wait_goes_on(const struct tcp *tcp)
{
	return tcp->no_buffer.count + tcp->no_buffer_later.count > 0 &&
	       buffers_free(&tcp->hub->buffers[BUFFERS_TCP]) > 0;
}

void wait_leave(struct tcp *tcp, struct client *client)
{
	leave_lists(tcp, client);
	client_clear(client, CLIENT_NO_MEMORY);
	if (client_lacks_buffer(client))
		client->receive = RECEIVE_NONE;
}

void wait_on_timer(struct timer *timer)
{
	struct tcp *tcp = container_of(timer, struct tcp, memory_timer);
	struct client *client;

	while ((client = client_list_first(&tcp->hub->table, &tcp->no_memory))) {
		wait_leave(tcp, client);
		/* Data that its receive brought meanwhile could not be recorded. */
		if (client_is_receiving(client))
			liveness_received(&tcp->liveness, client);
		hub_flush_later(tcp->hub, client);
	}
}
