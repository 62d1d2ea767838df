/* SPDX-License-Identifier: MIT */
#include "client/table.h"

#include <errno.h>

#include "base/memory.h"
#include "ring/op.h"

int table_init(struct table *table, uint32_t capacity)
{
	CHECK(capacity > 0 && capacity <= TABLE_CAPACITY_MAX);
	*table = (struct table){ .capacity = 1 };
	while (table->capacity < capacity)
		table->capacity *= 2;
	client_list_init(&table->free, LIST_WAIT);
	/* The kernel zeroes pages when first touched: slots never used take no memory. */
	table->slots = memory_reserve(table->capacity * sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	if (!bitset_init(&table->taken, table->capacity))
		return 0;
	table_destroy(table);
	return -ENOMEM;
}

void table_destroy(struct table *table)
{
	bitset_destroy(&table->taken);
	memory_release(table->slots, table->capacity * sizeof(*table->slots));
	table->slots = NULL;
}

struct client *table_add(struct table *table, enum rollcall_transport transport)
{
	struct client *client;
	uint64_t id;

	if (table->fresh < table->capacity) {
		id = table->fresh;
		client = &table->slots[table->fresh++];
	} else {
		client = client_list_first(table, &table->free);
		if (!client)
			return NULL;
		client_list_remove(table, &table->free, client);
		id = client->id;
	}
	CHECK(client->state == CLIENT_FREE);
	*client = (struct client){ .id = id, .state = CLIENT_OPEN, .transport = transport };
	bitset_add(&table->taken, table_slot(table, client));
	table->counts[transport]++;
	return client;
}

void table_remove(struct table *table, struct client *client)
{
	CHECK(client->state != CLIENT_FREE && client->receive == RECEIVE_NONE);
	CHECK(client->in_flight == 0 && client->lists == 0);
	CHECK(!(client->flags & CLIENT_TO_FLUSH));
	client->state = CLIENT_FREE;
	bitset_remove(&table->taken, table_slot(table, client));
	table->counts[client->transport]--;
	/* A slot whose IDs are used up is not reused. */
	if (client->id > OP_ID_MAX - table->capacity)
		return;
	client->id += table->capacity;
	client_list_push(table, &table->free, client);
}

struct client *table_next(const struct table *table, uint64_t id)
{
	const uint32_t slot = (uint32_t)id & (table->capacity - 1);
	const uint32_t next = bitset_next(&table->taken, id == ROLLCALL_NONE ? 0 : slot + 1);

	return next == BITSET_NONE ? NULL : &table->slots[next];
}

void client_list_init(struct client_list *list, enum client_list_kind kind)
{
	*list = (struct client_list){ .head = SLOT_NONE, .tail = SLOT_NONE, .kind = kind };
}

void client_list_push(struct table *table, struct client_list *list, struct client *client)
{
	struct client_link *link = &client->links[list->kind];
	uint32_t slot = table_slot(table, client);

	CHECK(!client_is_in_list(client, list->kind));
	client->lists = (client->lists | 1u << list->kind) & LISTS_ALL;
	*link = (struct client_link){ .previous = list->tail, .next = SLOT_NONE };
	if (list->tail == SLOT_NONE)
		list->head = slot;
	else
		table->slots[list->tail].links[list->kind].next = slot;
	list->tail = slot;
	list->count++;
}

void client_list_remove(struct table *table, struct client_list *list, struct client *client)
{
	struct client_link link = client->links[list->kind];

	CHECK(client_is_in_list(client, list->kind) && list->count > 0);
	client->lists = client->lists & ~(1u << list->kind) & LISTS_ALL;
	if (link.previous == SLOT_NONE)
		list->head = link.next;
	else
		table->slots[link.previous].links[list->kind].next = link.next;
	if (link.next == SLOT_NONE)
		list->tail = link.previous;
	else
		table->slots[link.next].links[list->kind].previous = link.previous;
	list->count--;
}

static struct client *client_at(const struct table *table, uint32_t slot)
{
	return slot == SLOT_NONE ? NULL : &table->slots[slot];
}

struct client *client_list_first(const struct table *table, const struct client_list *list)
{
	return client_at(table, list->head);
}

struct client *client_list_next(const struct table *table, const struct client_list *list,
				const struct client *client)
{
	return client_at(table, client->links[list->kind].next);
}
