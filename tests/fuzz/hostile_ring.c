/* SPDX-License-Identifier: MIT */
/*
 * hostile_ring.c - the hostile kernel's ring: what is submitted, buffers, and time. What becomes of
 * the operations is in hostile_op.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "fuzz/hostile_op.h"
#include "lib/sqe.h"

/* Turns that a stopped server may take to end with a kind kernel. */
#define KIND_TURNS_MAX 20000

/* Turns until it waits, when everything that it wants fails. */
#define BARREN_TURNS_MAX 200

#define NS_PER_MS 1000000

struct hostile *hostile;

void hostile_begin(const uint8_t *script, size_t bytes, void (*ended)(void *context), void *context)
{
	hostile = calloc(1, sizeof(*hostile));
	CHECK(hostile);
	*hostile = (struct hostile){
		.script = script,
		.left = bytes,
		.ended = ended,
		.context = context,
		.now_ns = NS_PER_MS,
	};
}

void hostile_end(void)
{
	CHECK(!hostile->ring);
	for (unsigned fd = 0; fd < hostile->files_count; fd++)
		CHECK(!hostile->files[fd].open);
	free(hostile);
	hostile = NULL;
}

uint8_t hostile_byte(void)
{
	if (hostile->left == 0)
		return 0;
	hostile->left--;
	return *hostile->script++;
}

int ring_try_io_uring(void)
{
	return 0;
}

int ring_create(struct ring **out, enum ring_engine engine, unsigned sq_entries,
		unsigned cq_entries, uint64_t spin_ns)
{
	struct ring *ring;

	(void)engine;
	(void)cq_entries;
	(void)spin_ns;
	CHECK(!hostile->ring);
	/* Often enough for the small rings to be tried. */
	if (hostile_byte() % 4 == 3)
		return -ENOMEM;
	ring = calloc(1, sizeof(*ring));
	CHECK(ring);
	ring->sq_entries = sq_entries;
	ring->sqes_left = UINT32_MAX;
	ring->sqes = calloc(sq_entries, sizeof(*ring->sqes));
	CHECK(ring->sqes);
	hostile->ring = ring;
	*out = ring;
	return 0;
}

void ring_destroy(struct ring *ring)
{
	/* A cancel that has found its operation, or not, is nobody's loss. */
	hostile_submit(ring);
	for (unsigned i = 0; i < ring->ops_count; i++)
		CHECK(ring->ops[i].sqe.opcode == IORING_OP_ASYNC_CANCEL);
	for (uint16_t group = 0; group < RING_GROUPS_MAX; group++)
		CHECK(!ring->groups[group].buffers);
	free(ring->sqes);
	free(ring);
	hostile->ring = NULL;
}

/* ---- Buffers: what the kernel has, the server must not touch ---- */

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct hostile_group *to = &ring->groups[group];

	CHECK(group < RING_GROUPS_MAX && !to->buffers && entries <= HOSTILE_BUFFERS_MAX);
	to->buffers = calloc(entries, sizeof(*to->buffers));
	to->given = calloc(entries, sizeof(*to->given));
	CHECK(to->buffers && to->given);
	to->entries = entries;
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	struct hostile_group *from = &ring->groups[group];

	for (unsigned i = 0; i < from->count; i++) {
		struct hostile_buffer *buffer = &from->buffers[(from->head + i) % from->entries];

		ASAN_UNPOISON_MEMORY_REGION(buffer->data, buffer->bytes);
	}
	free(from->buffers);
	free(from->given);
	*from = (struct hostile_group){ 0 };
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct hostile_group *to = &ring->groups[group];

	CHECK(id < to->entries && !to->given[id]);
	to->given[id] = true;
	to->buffers[(to->head + to->count++) % to->entries] =
		(struct hostile_buffer){ .data = buffer, .bytes = bytes, .id = id };
	ASAN_POISON_MEMORY_REGION(buffer, bytes);
}

/* ---- Turns ---- */

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe;

	if (ring->sqes_left == 0)
		return NULL;
	ring->sqes_left--;
	if (ring->sq_count == ring->sq_entries)
		hostile_submit(ring);
	sqe = &ring->sqes[ring->sq_count++];
	sqe_hand_out(sqe);
	return sqe;
}

/* A turn as the script says: what completes, and how much time passes. */
static void turn_by_script(struct ring *ring)
{
	const uint8_t turn = hostile_byte();

	for (unsigned i = 0; i < turn % 8u && hostile->left > 0; i++)
		hostile_complete(ring);
	ring->sqes_left = turn & 0x80 ? hostile_byte() % 4 : UINT32_MAX;
	switch (turn >> 4 & 7) {
	case 0 ... 4:
		hostile->now_ns += 1000;
		break;
	case 5:
		hostile->now_ns += NS_PER_MS * hostile_byte();
		break;
	case 6:
		hostile->now_ns += (uint64_t)NS_PER_MS * 1000 * hostile_byte();
		break;
	default: /* none at all */
		break;
	}
}

/* A server to which nothing can be given has to wait, rather than to ask again and again. */
static void turn_barren(struct ring *ring, uint64_t wait_ns)
{
	CHECK(hostile->barren_turns++ < BARREN_TURNS_MAX);
	ring->sqes_left = UINT32_MAX;
	hostile->now_ns++;
	if (hostile_complete_all(ring, true))
		return;
	hostile->rested = true;
	if (wait_ns != UINT64_MAX)
		hostile->now_ns += wait_ns;
}

static void turn_kindly(struct ring *ring, uint64_t wait_ns)
{
	if (!hostile->kind) {
		hostile->kind = true;
		hostile->ended(hostile->context);
	}
	CHECK(hostile->kind_turns++ < KIND_TURNS_MAX);
	ring->sqes_left = UINT32_MAX;
	hostile->now_ns++;
	if (hostile_complete_all(ring, false))
		return;
	/* Nothing will ever come. */
	CHECK(wait_ns != UINT64_MAX);
	hostile->now_ns += wait_ns;
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	CHECK(ring->cq_count == 0);
	hostile_submit(ring);
	if (hostile->left > 0)
		turn_by_script(ring);
	else if (!hostile->rested)
		turn_barren(ring, wait_ns);
	else
		turn_kindly(ring, wait_ns);
	return wait_ns == 0 && ring->cq_count == 0 ? -ETIME : 0;
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	if (ring->cq_head == ring->cq_count) {
		ring->cq_head = ring->cq_count = 0;
		return false;
	}
	/* A struct io_uring_cqe ends in an array without a size. */
	memcpy(cqe, &ring->cqes[ring->cq_head++], sizeof(*cqe));
	return true;
}

uint64_t ring_clock_ns(struct ring *ring)
{
	(void)ring;
	return hostile->now_ns;
}

void ring_sleep(uint64_t ns)
{
	hostile->now_ns += ns;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	memset(to, 7, bytes);
}
