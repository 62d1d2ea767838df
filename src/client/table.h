/* SPDX-License-Identifier: MIT */
/*
 * table.h - the connection table, indexed by client ID.
 *
 * The slot of an ID is the ID modulo the capacity, a power of two, so a look-up is a mask and one
 * compare. A free slot's next ID is its last one plus the capacity, so no ID is ever used twice,
 * and a slot that holds another ID says that the client is gone. Free slots wait in a FIFO, behind
 * those never used: IDs count up until the table has been round once, and nearly so after that.
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
	uint32_t fresh; /* slots from here on were never used */
	struct client_list free;
	struct bitset taken; /* slots that hold a client */
};

/* A table for so many clients or more. -ENOMEM. */
int table_init(struct table *table, uint32_t capacity);
void table_destroy(struct table *table);

/* A new client in state OPEN, all else zero; NULL: the table is full. */
struct client *table_add(struct table *table, enum rollcall_transport transport);

/* The client with this ID; NULL: it is gone. */
struct client *table_find(const struct table *table, uint64_t id);

/* Frees a slot. */
void table_remove(struct table *table, struct client *client);

/*
 * The next client in the order of slots, the first one for ROLLCALL_NONE; NULL after the last. The
 * client with this ID may be gone. The cost does not depend on how many slots are free.
 */
struct client *table_next(const struct table *table, uint64_t id);

void client_list_init(struct client_list *list, enum client_list_kind kind);
void client_list_push(struct table *table, struct client_list *list, struct client *client);
void client_list_remove(struct table *table, struct client_list *list, struct client *client);

/* The client that has been in the list for longest; NULL: it is empty. */
struct client *client_list_first(const struct table *table, const struct client_list *list);

/* The one behind it in the list; NULL: it is the last. */
struct client *client_list_next(const struct table *table, const struct client_list *list,
				const struct client *client);

static inline uint32_t table_slot(const struct table *table, const struct client *client)
{
	return (uint32_t)(client - table->slots);
}

static inline bool client_is_listed(const struct client *client, enum client_list_kind kind)
{
	return client->listed >> kind & 1;
}

#endif
