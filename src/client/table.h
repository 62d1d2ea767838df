/* SPDX-License-Identifier: MIT */
/*
 * table.h - the connection table, indexed by client ID.
 *
 * The slot of an ID is the ID modulo the capacity, a power of two, so a look-up is a mask and one
 * compare. The next ID of a free slot is its last one plus the capacity, so no ID is ever used
 * twice; if a slot holds another ID, the client looked up is gone. Free slots are reused in FIFO
 * order, after all slots have been used once: until then IDs are consecutive, and afterwards nearly
 * so.
 */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include "base/bitset.h"
#include "client/client.h"

#define TABLE_CAPACITY_MAX (1u << 25)

/* No slot. */
#define SLOT_NONE UINT32_MAX

/* A list of clients, linked by their slots. */
struct client_list {
	uint32_t head, tail;
	uint32_t count;
	enum client_list_kind kind;
};

struct table {
	struct client *slots;
	uint32_t capacity;
	uint32_t fresh;			   /* slots from here on have never been used */
	uint32_t counts[ROLLCALL_UDP + 1]; /* clients, by transport */
	struct client_list free;
	struct bitset taken; /* slots that hold a client */
};

/* Creates a table for at least `capacity` clients. -ENOMEM. */
int table_init(struct table *table, uint32_t capacity);
void table_destroy(struct table *table);

/* Adds a client in state OPEN, all else zero; NULL: the table is full. */
struct client *table_add(struct table *table, enum rollcall_transport transport);

/* Finds the client with this ID; NULL: it is gone. */
static inline struct client *table_find(const struct table *table, uint64_t id)
{
	struct client *client = &table->slots[id & (table->capacity - 1)];

	/* A free slot already holds its next ID. */
	return client->id == id && client->state != CLIENT_FREE ? client : NULL;
}

/* Frees the client's slot. It may be in no list, and nothing may be in flight. */
void table_remove(struct table *table, struct client *client);

/*
 * The client after the one with this ID in the order of slots, the first for ROLLCALL_NONE; NULL:
 * no more. The client with this ID may be gone. The cost does not depend on the number of free
 * slots.
 */
struct client *table_next(const struct table *table, uint64_t id);

void client_list_init(struct client_list *list, enum client_list_kind kind);
void client_list_push(struct table *table, struct client_list *list, struct client *client);
void client_list_remove(struct table *table, struct client_list *list, struct client *client);

/* The client that has been in the list longest; NULL: the list is empty. */
struct client *client_list_first(const struct table *table, const struct client_list *list);

/* The next client in the list; NULL: it is the last. */
struct client *client_list_next(const struct table *table, const struct client_list *list,
				const struct client *client);

static inline uint32_t table_slot(const struct table *table, const struct client *client)
{
	return (uint32_t)(client - table->slots);
}

/* The number of clients of a transport. */
static inline uint32_t table_count(const struct table *table, enum rollcall_transport transport)
{
	return table->counts[transport];
}

static inline bool client_is_in_list(const struct client *client, enum client_list_kind kind)
{
	return client->lists >> kind & 1;
}

#endif
