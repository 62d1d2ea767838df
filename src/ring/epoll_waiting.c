/* SPDX-License-Identifier: MIT */
/*
 * epoll_waiting.c - the descriptors of the engine epoll, and the operations that wait on them.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "ring/epoll.h"

#define DESCRIPTORS_BLOCKS (INT_MAX / EPOLL_DESCRIPTORS_BLOCK + 1)

#define WAITING_BLOCK 256

/* Lists of waiting operations, by a hash of their user_data. */
#define HASH_BITS 16
#define HASH_SIZE ((size_t)1 << HASH_BITS)

struct waiting_block {
	struct waiting_block *next;
	struct waiting operations[WAITING_BLOCK];
};

int epoll_waiting_init(struct epoll *epoll)
{
	epoll->again_first = -1;
	epoll->descriptors = memory_reserve(DESCRIPTORS_BLOCKS * sizeof(*epoll->descriptors));
	epoll->hash = memory_reserve(HASH_SIZE * sizeof(*epoll->hash));
	return epoll->descriptors && epoll->hash ? 0 : -ENOMEM;
}

/* ---- Descriptors ---- */

struct descriptor *epoll_get(struct epoll *epoll, int fd)
{
	const int block = fd / EPOLL_DESCRIPTORS_BLOCK;

	if (!epoll->descriptors[block]) {
		epoll->descriptors[block] =
			calloc(EPOLL_DESCRIPTORS_BLOCK, sizeof(struct descriptor));
		if (block >= epoll->descriptors_end)
			epoll->descriptors_end = block + 1;
	}
	return epoll_find(epoll, fd);
}

/* The next file of this number has nothing to do with this one. close(2) ends the watch. */
static void forget(struct descriptor *descriptor)
{
	*descriptor = (struct descriptor){
		.again = descriptor->again,
		.is_again = descriptor->is_again,
		.watch = descriptor->watch + 1,
	};
}

void epoll_accepted(struct ring *ring, int fd)
{
	struct descriptor *descriptor = epoll_get(ring->epoll, fd);

	if (!descriptor)
		return;
	forget(descriptor);
	descriptor->is_accepted = true;
}

/* Has the events of a descriptor reported: those that come, and with `renew` those that are. */
static int watch(struct epoll *epoll, int fd, uint32_t events, bool renew)
{
	struct descriptor *descriptor = epoll_find(epoll, fd);
	struct epoll_event event = { .events = descriptor->watched | events | EPOLLET };

	if (event.events == descriptor->watched && !renew)
		return 0;
	event.data.u64 = EPOLL_DATA(fd, descriptor->watch);
	if (epoll_ctl(epoll->fd, descriptor->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
		return errno == ENOSPC ? -ENOMEM : -errno;
	descriptor->watched = event.events;
	return 0;
}

static void unwatch(struct epoll *epoll, int fd)
{
	struct descriptor *descriptor = epoll_find(epoll, fd);

	if (descriptor->watched)
		epoll_ctl(epoll->fd, EPOLL_CTL_DEL, fd, NULL);
	descriptor->watched = 0;
	descriptor->watch++;
}

static bool is_waited_on(const struct descriptor *descriptor)
{
	return descriptor->first[EPOLL_READS] || descriptor->first[EPOLL_WRITES];
}

int epoll_close(struct ring *ring, int fd)
{
	struct descriptor *descriptor = epoll_find(ring->epoll, fd);

	if (descriptor && is_waited_on(descriptor)) {
		/* It stays open until they have ended, as with io_uring. */
		descriptor->is_closed = true;
		return 0;
	}
	if (descriptor)
		forget(descriptor);
	return close(fd) ? -errno : 0;
}

/* ---- The operations that wait ---- */

static struct waiting **hash_list(struct epoll *epoll, uint64_t user_data)
{
	return &epoll->hash[user_data * 0x9e3779b97f4a7c15 >> (64 - HASH_BITS)];
}

static bool add_block(struct epoll *epoll)
{
	struct waiting_block *block = malloc(sizeof(*block));

	if (!block)
		return false;
	block->next = epoll->blocks;
	epoll->blocks = block;
	for (unsigned i = 0; i < WAITING_BLOCK; i++) {
		block->operations[i].next = epoll->free;
		epoll->free = &block->operations[i];
	}
	return true;
}

/* Lets an operation wait behind the others of its side. */
static int add_waiting(struct epoll *epoll, const struct io_uring_sqe *sqe)
{
	struct waiting **last = &epoll_find(epoll, sqe->fd)->first[epoll_op_side(sqe)];
	struct waiting **list = hash_list(epoll, sqe->user_data), *waiting;

	if (!epoll->free && !add_block(epoll))
		return -ENOMEM;
	waiting = epoll->free;
	epoll->free = waiting->next;
	memcpy(&waiting->sqe, sqe, sizeof(*sqe));
	waiting->same_hash = *list;
	*list = waiting;
	while (*last)
		last = &(*last)->next;
	waiting->next = NULL;
	*last = waiting;
	return 0;
}

int epoll_wait_on(struct epoll *epoll, const struct io_uring_sqe *sqe)
{
	/* A poll, and what is of no socket, need to know the present state. */
	const bool renew = sqe->opcode == IORING_OP_POLL_ADD || !epoll_op_is_of_socket(sqe);
	const int error = watch(epoll, sqe->fd, epoll_op_events(sqe), renew);

	return error ? error : add_waiting(epoll, sqe);
}

/* Removes an operation that has ended; `link` is what points to it. */
static void remove_waiting(struct ring *ring, struct waiting **link)
{
	struct waiting *waiting = *link;
	struct epoll *epoll = ring->epoll;
	struct waiting **list = hash_list(epoll, waiting->sqe.user_data);
	const int fd = waiting->sqe.fd;
	struct descriptor *descriptor = epoll_find(epoll, fd);

	while (*list != waiting)
		list = &(*list)->same_hash;
	*list = waiting->same_hash;
	*link = waiting->next;
	waiting->next = epoll->free;
	epoll->free = waiting;
	if (is_waited_on(descriptor))
		return;
	if (!epoll_op_is_of_socket(&waiting->sqe))
		unwatch(epoll, fd);
	if (descriptor->is_closed) {
		forget(descriptor);
		close(fd);
	}
}

void epoll_yield(struct epoll *epoll, int fd)
{
	struct descriptor *descriptor = epoll_find(epoll, fd);

	if (descriptor->is_again)
		return;
	descriptor->is_again = true;
	descriptor->again = -1;
	if (epoll->again_first < 0)
		epoll->again_first = fd;
	else
		epoll_find(epoll, epoll->again_last)->again = fd;
	epoll->again_last = fd;
}

void epoll_try_side(struct ring *ring, struct descriptor *descriptor, enum epoll_side side)
{
	struct waiting **link = &descriptor->first[side];

	while (*link) {
		const struct io_uring_sqe *sqe = &(*link)->sqe;
		const enum epoll_outcome outcome = epoll_op_try(ring, sqe, descriptor);

		if (outcome == EPOLL_ENDED) {
			remove_waiting(ring, link);
			continue;
		}
		if (outcome == EPOLL_YIELDS)
			epoll_yield(ring->epoll, sqe->fd);
		link = &(*link)->next;
	}
}

/* ---- Cancels ---- */

/* Ends the first operation of a list that `user_data` names, or all if it is NULL: how many. */
static int cancel_side(struct ring *ring, struct waiting **link, const uint64_t *user_data)
{
	int count = 0;

	while (*link) {
		if (user_data && (*link)->sqe.user_data != *user_data) {
			link = &(*link)->next;
			continue;
		}
		epoll_post(ring, (*link)->sqe.user_data, -ECANCELED, 0);
		remove_waiting(ring, link);
		count++;
		if (user_data)
			break;
	}
	return count;
}

static int cancel_by_user_data(struct ring *ring, uint64_t user_data)
{
	const struct waiting *found = *hash_list(ring->epoll, user_data);
	struct descriptor *descriptor;

	while (found && found->sqe.user_data != user_data)
		found = found->same_hash;
	if (!found)
		return -ENOENT;
	descriptor = epoll_find(ring->epoll, found->sqe.fd);
	cancel_side(ring, &descriptor->first[epoll_op_side(&found->sqe)], &user_data);
	return 0;
}

/* How many have ended. */
static int cancel_by_descriptor(struct ring *ring, int fd)
{
	struct descriptor *descriptor = epoll_find(ring->epoll, fd);

	if (!descriptor)
		return 0;
	return cancel_side(ring, &descriptor->first[EPOLL_READS], NULL) +
	       cancel_side(ring, &descriptor->first[EPOLL_WRITES], NULL);
}

int epoll_cancel(struct ring *ring, const struct io_uring_sqe *sqe)
{
	switch (sqe->cancel_flags) {
	case 0:
		return cancel_by_user_data(ring, sqe->addr);
	case IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL:
		return cancel_by_descriptor(ring, sqe->fd);
	default:
		return -EINVAL;
	}
}

/* ---- The end ---- */

static void end_all(struct ring *ring)
{
	for (size_t i = 0; i < HASH_SIZE; i++)
		while (ring->epoll->hash[i])
			cancel_by_user_data(ring, ring->epoll->hash[i]->sqe.user_data);
}

void epoll_waiting_destroy(struct ring *ring)
{
	struct epoll *epoll = ring->epoll;

	if (epoll->hash)
		end_all(ring);
	while (epoll->blocks) {
		struct waiting_block *next = epoll->blocks->next;

		free(epoll->blocks);
		epoll->blocks = next;
	}
	for (int i = 0; i < epoll->descriptors_end; i++)
		free(epoll->descriptors[i]);
	memory_release(epoll->descriptors, DESCRIPTORS_BLOCKS * sizeof(*epoll->descriptors));
	memory_release(epoll->hash, HASH_SIZE * sizeof(*epoll->hash));
}
