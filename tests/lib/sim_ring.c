/* SPDX-License-Identifier: MIT */
/*
 * sim_ring.c - the simulated ring: it carries SQEs out, and posts CQEs, with the kernel's meanings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "lib/sim_kernel.h"

/* Completions come in each turn at the latest after so long: a turn costs some time. */
#define TURN_NS_MAX 20000

/* Of a buffer that is given back: enough to be noticed. */
#define SPOILT_BYTES 128

/* By so much a timeout may be off (prctl(2)). */
#define TIMER_SLACK_NS 50000

/* How often a process is stopped, and for how long at most: longer than timeouts. */
#define STALLS_MAX 3
#define PAUSE_MS_MAX 100000

/* Turns in which someone waits who could go on, and nothing of what was sent is received. */
#define WAITING_MAX 300

/* After this time the server must have closed a connection that was reset. */
#define DEAD_NS_MAX 5000000000

/* Turns in a row in which every completion is an error, and nothing else happens. */
#define FRUITLESS_MAX 200

int ring_create(struct ring **out, unsigned sq_entries, unsigned cq_entries, uint64_t spin_ns)
{
	struct sim *sim = sim_current;
	struct ring *ring;

	/* Whether it spins or sleeps is all the same to what comes. */
	(void)spin_ns;
	CHECK(sim && !sim->ring);
	if (sim->halved++ < sim->settings.halvings)
		return -ENOMEM;
	sim_leave_server(sim);
	ring = calloc(1, sizeof(*ring));
	CHECK(ring);
	ring->sq_entries = (unsigned)min_size(sq_entries, sim->settings.sq_entries_max);
	ring->cq_entries = (unsigned)min_size(cq_entries, sim->settings.cq_entries_max);
	ring->sqes = calloc(ring->sq_entries, sizeof(*ring->sqes));
	ring->cqes = calloc(ring->cq_entries, sizeof(*ring->cqes));
	ring->overflow = calloc(SIM_OVERFLOW_MAX, sizeof(*ring->overflow));
	ring->ops = calloc(SIM_OPS_MAX, sizeof(*ring->ops));
	CHECK(ring->sqes && ring->cqes && ring->overflow && ring->ops);
	sim->ring = ring;
	sim_enter_server(sim);
	*out = ring;
	return 0;
}

void ring_destroy(struct ring *ring)
{
	for (unsigned i = 0; i < ring->ops_end; i++)
		if (ring->ops[i].used)
			sim_fail(sim_current,
				 "the ring is destroyed with an operation in flight: %llx",
				 (unsigned long long)ring->ops[i].sqe.user_data);
	for (uint16_t group = 0; group < RING_GROUPS_MAX; group++)
		ring_buffers_unregister(ring, group);
	free(ring->sqes);
	free(ring->cqes);
	free(ring->overflow);
	free(ring->ops);
	free(ring);
	sim_current->ring = NULL;
}

/* ---- Completions ---- */

static bool cq_is_full(const struct ring *ring)
{
	return ring->cq_count == ring->cq_entries || ring->overflow_count > 0;
}

static void post(const struct sim_op *op, int result, uint32_t flags)
{
	const uint64_t user_data = op->sqe.user_data;
	const struct io_uring_cqe cqe = { .user_data = user_data, .res = result, .flags = flags };
	struct ring *ring = sim_current->ring;

	sim_trace(sim_current, "  cqe kind %llu id %llu: %d%s",
		  (unsigned long long)(user_data >> 56),
		  (unsigned long long)(user_data & (((uint64_t)1 << 56) - 1)), result,
		  flags & IORING_CQE_F_MORE ? " more" : "");
	sim_current->progress |= result >= 0;
	sim_current->ended[op->sqe.opcode % SIM_OPCODES][result < 0 ? -result % SIM_ERRORS : 0]++;
	if (cq_is_full(ring)) {
		sim_current->fired[SIM_CQ_OVERFLOW]++;
		CHECK(ring->overflow_count < SIM_OVERFLOW_MAX);
		ring->overflow[ring->overflow_count++] = cqe;
		return;
	}
	ring->cqes[(ring->cq_head + ring->cq_count++) % ring->cq_entries] = cqe;
}

static void flush_overflow(struct ring *ring)
{
	unsigned moved = 0;

	while (moved < ring->overflow_count && ring->cq_count < ring->cq_entries)
		ring->cqes[(ring->cq_head + ring->cq_count++) % ring->cq_entries] =
			ring->overflow[moved++];
	memmove(ring->overflow, ring->overflow + moved,
		(ring->overflow_count - moved) * sizeof(*ring->overflow));
	ring->overflow_count -= moved;
}

bool ring_take(struct ring *ring, struct io_uring_cqe *cqe)
{
	if (ring->cq_count == 0)
		return false;
	memcpy(cqe, &ring->cqes[ring->cq_head], sizeof(*cqe));
	ring->cq_head = (ring->cq_head + 1) % ring->cq_entries;
	ring->cq_count--;
	sim_report_received(sim_current, cqe);
	return true;
}

bool sim_finish(struct sim_op *op, int result)
{
	op->used = false;
	post(op, result, 0);
	return true;
}

bool sim_post_shot(struct sim_op *op, int result, uint32_t flags)
{
	bool end = cq_is_full(sim_current->ring) || op->last ||
		   sim_chance(sim_current, SIM_MULTISHOT_END);

	op->used = !end;
	post(op, result, flags | (end ? 0 : IORING_CQE_F_MORE));
	return end;
}

/* ---- Buffers ---- */

int ring_buffers_register(struct ring *ring, uint16_t group, unsigned entries)
{
	struct sim_group *to = &ring->groups[group];

	CHECK(group < RING_GROUPS_MAX && !to->buffers);
	sim_leave_server(sim_current);
	to->buffers = calloc(entries, sizeof(*to->buffers));
	to->given = calloc(entries, sizeof(*to->given));
	CHECK(to->buffers && to->given);
	sim_enter_server(sim_current);
	to->entries = entries;
	return 0;
}

void ring_buffers_unregister(struct ring *ring, uint16_t group)
{
	free(ring->groups[group].buffers);
	free(ring->groups[group].given);
	ring->groups[group] = (struct sim_group){ 0 };
}

void ring_buffers_give(struct ring *ring, uint16_t group, void *buffer, unsigned bytes, uint16_t id)
{
	struct sim_group *to = &ring->groups[group];

	if (id >= to->entries || to->given[id])
		sim_fail(sim_current, "buffer %u of group %u is given twice", id, group);
	to->given[id] = true;
	/* Whoever still reads it gets something else. */
	memset(buffer, 0xdb, min_size(bytes, SPOILT_BYTES));
	to->buffers[(to->head + to->count++) % to->entries] =
		(struct sim_buffer){ .data = buffer, .bytes = bytes, .id = id };
}

struct sim_buffer *sim_first_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];

	return from->count ? &from->buffers[from->head] : NULL;
}

uint32_t sim_take_buffer(uint16_t group)
{
	struct sim_group *from = &sim_current->ring->groups[group];
	uint16_t id = from->buffers[from->head].id;

	from->given[id] = false;
	from->head = (from->head + 1) % from->entries;
	from->count--;
	return IORING_CQE_F_BUFFER | (uint32_t)id << IORING_CQE_BUFFER_SHIFT;
}

bool sim_finish_with_buffer(struct sim_op *op, int result)
{
	op->used = false;
	post(op, result, sim_take_buffer(op->sqe.buf_group));
	return true;
}

/* ---- Submission ---- */

static struct sim_op *new_op(struct sim *sim)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->ops_end; i++)
		if (!ring->ops[i].used)
			return &ring->ops[i];
	if (ring->ops_end == SIM_OPS_MAX)
		sim_fail(sim, "more than %u operations in flight", SIM_OPS_MAX);
	return &ring->ops[ring->ops_end++];
}

/* After most errors a connection is no more; a descriptor is closed, whatever close says. */
static void fail_on_purpose(struct sim *sim, struct sim_op *op)
{
	const int error = sim->settings.failure.error;
	struct sim_file *file;
	const bool passing =
		error == EINTR || error == EAGAIN || error == ENOBUFS || error == ENOMEM;

	if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL) {
		sim_fail_cancel(sim, op, error);
		return;
	}
	file = sim_file(sim, op->sqe.fd);
	if (file->kind == SIM_DATAGRAMS && sqe_is_send(&op->sqe) && error == EAGAIN) {
		sim_refuse_datagram(sim, op);
		return;
	}
	if (op->sqe.opcode == IORING_OP_CLOSE) {
		sim_close_file(sim, op->sqe.fd);
	} else if (file->kind == SIM_STREAM && !passing) {
		file->connection->broken_by_fault = true;
		sim_break(file->connection);
	}
	sim_finish(op, -error);
}

static void make_late(struct sim *sim, struct sim_op *op)
{
	op->not_before_ns = sim->now_ns + sim_random(sim, 5000000);
	if (op->sqe.fd >= 0 && sim_file(sim, op->sqe.fd)->kind == SIM_STREAM)
		sim_excuse(sim_file(sim, op->sqe.fd)->connection, op->not_before_ns);
}

/* Completes while it is submitted, whatever there is to do (io_uring/net.c, Linux 6.1). */
static bool completes_at_once(const struct io_uring_sqe *sqe)
{
	return sqe_is_send(sqe) && sqe->msg_flags & MSG_DONTWAIT;
}

/* Receives while it is submitted, if there is something to receive. */
static bool receives_at_once(struct sim *sim, const struct io_uring_sqe *sqe)
{
	const struct sim_file *file;

	if (sqe->opcode != IORING_OP_RECV && sqe->opcode != IORING_OP_RECVMSG)
		return false;
	file = sim_file(sim, sqe->fd);
	return file->kind == SIM_STREAM ? file->connection->in.count > 0 : file->datagrams != NULL;
}

static void submit(struct sim *sim)
{
	struct ring *ring = sim->ring;

	for (unsigned i = 0; i < ring->sq_count; i++) {
		struct sim_op *op = new_op(sim);
		const struct io_uring_sqe *sqe = &ring->sqes[i];
		size_t bytes;

		*op = (struct sim_op){ .sqe = *sqe, .used = true, .fresh = true };
		sim_trace(sim, "  sqe op %u kind %llu id %llu fd %d", sqe->opcode,
			  (unsigned long long)(sqe->user_data >> 56),
			  (unsigned long long)(sqe->user_data & (((uint64_t)1 << 56) - 1)),
			  sqe->fd);
		if (sqe_is_send(sqe))
			op->digest = sim_digest(sqe, &bytes);
		if (sim_fails(sim, sqe->opcode))
			fail_on_purpose(sim, op);
		else if (!completes_at_once(sqe) && !receives_at_once(sim, sqe) &&
			 sim_chance(sim, SIM_LATE))
			make_late(sim, op);
		else
			sim_try(sim, op);
		CHECK(!op->used || !completes_at_once(sqe));
	}
	ring->sq_count = 0;
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
	struct io_uring_sqe *sqe;

	/* As if the queue were full, and the kernel took nothing from it. */
	if (sim_chance(sim_current, SIM_SQ_FULL))
		return NULL;
	if (ring->sq_count == ring->sq_entries)
		submit(sim_current);
	sqe = &ring->sqes[ring->sq_count++];
	sqe_hand_out(sqe);
	return sqe;
}

/* ---- Waiting ---- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* From a random one on; a limited pass goes on where the last one stopped: the longest waiting. */
static unsigned first_of_pass(struct sim *sim)
{
	struct ring *ring = sim->ring;

	if (sim->settings.pass_pieces > 0)
		return ring->ops_next;
	return ring->ops_end ? sim_random(sim, ring->ops_end) : 0;
}

/* Tries the operations that may go on, in a pass; returns when to try others. */
static uint64_t try_all(struct sim *sim)
{
	struct ring *ring = sim->ring;
	const unsigned start = first_of_pass(sim), end = ring->ops_end;
	unsigned pieces = sim->settings.pass_pieces ? sim->settings.pass_pieces : SIM_OPS_MAX;
	uint64_t next_ns = SIM_NEVER;

	for (unsigned i = 0; i < end; i++) {
		struct sim_op *op = &ring->ops[(start + i) % end];
		const unsigned before = ring->cq_count + ring->overflow_count;

		if (!op->used)
			continue;
		if (op->not_before_ns > sim->now_ns) {
			next_ns = earliest(next_ns, op->not_before_ns);
			continue;
		}
		sim_try(sim, op);
		if (ring->cq_count + ring->overflow_count == before || --pieces > 0)
			continue;
		ring->ops_next = (start + i + 1) % end;
		break;
	}
	if (sim->settings.tolerant)
		sim_close_released(sim);
	return next_ns;
}

/* The world acts, and datagrams arrive; returns when to go on with it. */
static uint64_t go_on_outside(struct sim *sim)
{
	uint64_t next_ns = sim->outside(sim->context);

	return earliest(next_ns, sim_deliver(sim));
}

/* The process is stopped, as by SIGSTOP, a frozen cgroup or a suspended virtual machine. */
static void stall_process(struct sim *sim)
{
	const uint64_t end_ns = sim->now_ns + (uint64_t)sim_random(sim, PAUSE_MS_MAX) * 1000000;

	sim->stalls++;
	while (sim->now_ns < end_ns) {
		uint64_t next_ns = earliest(go_on_outside(sim), end_ns);

		sim->now_ns = next_ns > sim->now_ns ? next_ns : sim->now_ns + 1;
	}
	for (int fd = 0; fd < SIM_FILES_MAX; fd++)
		if (sim->files[fd].kind == SIM_STREAM)
			sim_excuse(sim->files[fd].connection, end_ns + 1);
	sim->resumed_ns = sim->now_ns;
	sim->progress = true;
}

/* Lets time pass and the world act until there is a completion, or it is late enough. */
static void wait_until(struct sim *sim, uint64_t deadline_ns)
{
	bool slept = false;

	for (;;) {
		uint64_t next_ns = go_on_outside(sim);

		if (slept && sim->now_ns >= deadline_ns && sim_chance(sim, SIM_TIMEOUT_EMPTY))
			return;
		next_ns = earliest(next_ns, try_all(sim));
		if (sim->ring->cq_count > 0 || sim->now_ns >= deadline_ns)
			return;
		next_ns = earliest(next_ns, deadline_ns);
		if (next_ns == SIM_NEVER)
			sim_fail(sim, "the server waits for ever, and nothing will ever come");
		if (next_ns > sim->now_ns)
			sim->now_ns = next_ns;
		slept = true;
		sim->progress = true;
	}
}

/* A server that turns on and on, and gets nothing but errors, spins. */
static void check_progress(struct sim *sim)
{
	sim->fruitless = sim->progress ? 0 : sim->fruitless + 1;
	sim->progress = false;
	if (sim->fruitless > FRUITLESS_MAX)
		sim_fail(sim, "the server spins: %u turns without progress", sim->fruitless);
}

/*
 * Whoever has a place, has read all answers and sent more, must be received from.
 */
static void check_starvation(struct sim *sim)
{
	unsigned seen = 0;

	for (int fd = 0; fd < SIM_FILES_MAX && seen < sim->files_open; fd++) {
		struct sim_connection *connection = sim->files[fd].connection;

		seen += sim->files[fd].kind != SIM_FREE;
		if (sim->files[fd].kind != SIM_STREAM)
			continue;
		if (!connection->served || connection->late_until_ns > sim->now_ns ||
		    connection->in.count == 0 || connection->out.count > 0 || connection->broken ||
		    connection->in.count != connection->waiting_bytes)
			connection->waiting_turns = 0;
		connection->waiting_bytes = connection->in.count;
		if (++connection->waiting_turns > sim->longest_wait)
			sim->longest_wait = connection->waiting_turns;
		if (connection->waiting_turns > WAITING_MAX)
			sim_fail(sim, "nothing was received from descriptor %d for %u turns", fd,
				 connection->waiting_turns);
	}
}

/* The kernel may forget to report a reset; the server must find it. */
static void check_dead(struct sim *sim)
{
	unsigned seen = 0;

	for (int fd = 0; fd < SIM_FILES_MAX && seen < sim->files_open; fd++) {
		const struct sim_connection *connection = sim->files[fd].connection;

		seen += sim->files[fd].kind != SIM_FREE;
		if (sim->files[fd].kind != SIM_STREAM || !connection->broken || !connection->served)
			continue;
		if (sim->now_ns > connection->broken_ns + DEAD_NS_MAX &&
		    sim->now_ns > connection->late_until_ns + DEAD_NS_MAX)
			sim_fail(sim, "descriptor %d was reset %llu ms ago, and is still open", fd,
				 (unsigned long long)(sim->now_ns - connection->broken_ns) /
					 1000000);
	}
}

static int enter(struct sim *sim, uint64_t wait_ns)
{
	struct ring *ring = sim->ring;
	uint64_t deadline_ns = SIM_NEVER;

	sim_trace(sim, "turn at %llu us", (unsigned long long)(sim->now_ns / 1000));
	check_progress(sim);
	check_starvation(sim);
	check_dead(sim);
	sim->now_ns += 1 + sim_random(sim, TURN_NS_MAX);
	flush_overflow(ring);
	if (sim_chance(sim, SIM_ENTER_EBUSY) || sim_chance(sim, SIM_ENTER_EAGAIN))
		return 0;
	submit(sim);
	if (sim->stalls < STALLS_MAX && sim_chance(sim, SIM_STALL))
		stall_process(sim);
	if (sim_chance(sim, SIM_ENTER_EINTR))
		return 0;
	if (wait_ns < SIM_NEVER - sim->now_ns) {
		deadline_ns = sim->now_ns + wait_ns;
		if (wait_ns > 0 && sim_chance(sim, SIM_TIMEOUT_LATE))
			deadline_ns += sim_random(sim, 1000000);
		else if (sim_chance(sim, SIM_TIMEOUT_EARLY))
			deadline_ns -= min_u64(wait_ns, sim_random(sim, TIMER_SLACK_NS));
	}
	wait_until(sim, deadline_ns);
	return wait_ns == 0 && ring->cq_count == 0 ? -ETIME : 0;
}

int ring_submit_and_wait(struct ring *ring, uint64_t wait_ns)
{
	int result;

	CHECK(ring == sim_current->ring);
	sim_leave_server(sim_current);
	result = enter(sim_current, wait_ns);
	sim_enter_server(sim_current);
	return result;
}

uint64_t ring_clock_ns(struct ring *ring)
{
	(void)ring;
	return sim_current->now_ns;
}

void ring_sleep(uint64_t ns)
{
	sim_current->now_ns += ns;
}

void ring_random(struct ring *ring, void *to, size_t bytes)
{
	(void)ring;
	for (size_t i = 0; i < bytes; i++)
		((uint8_t *)to)[i] = (uint8_t)sim_random(sim_current, 256);
}
