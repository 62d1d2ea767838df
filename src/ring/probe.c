/* SPDX-License-Identifier: MIT */
/*
 * probe.c - what this kernel can do, found by trying. Version numbers tell little: distributions
 * backport features, and containers forbid them. All trials share one ring, whose memory the kernel
 * gives back to RLIMIT_MEMLOCK only some time after its close.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "base/sized.h"
#include "ring/compat.h"
#include "ring/ring.h"
#include "rollcall.h"

#define GROUP 0
#define BUFFERS 4
#define BUFFER_BYTES 256
#define REQUIRED_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

/* A ring for trials. Each has a pair of connected sockets of its own. */
struct trial {
	struct io_uring ring;
	struct io_uring_buf_ring *entries;
	uint8_t memory[BUFFERS][BUFFER_BYTES];
	uint64_t number; /* the user_data of this trial: operations of earlier ones may go on */
	int pair[2];
};

static int open_trials(struct trial *trial)
{
	long page = sysconf(_SC_PAGESIZE);
	int error = io_uring_queue_init(8, &trial->ring, REQUIRED_FLAGS);

	if (error)
		return error;
	if (posix_memalign((void **)&trial->entries, (size_t)page, (size_t)page)) {
		io_uring_queue_exit(&trial->ring);
		return -ENOMEM;
	}
	trial->number = 0;
	return 0;
}

static void close_trials(struct trial *trial)
{
	io_uring_queue_exit(&trial->ring);
	free(trial->entries);
}

static int register_buffers(struct trial *trial, unsigned flags)
{
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)trial->entries,
		.ring_entries = BUFFERS,
		.bgid = GROUP,
	};
	int error;

	/* The 16 bits after bgid are the flags; the older header calls them padding. */
	memcpy((uint8_t *)&registration.bgid + sizeof(registration.bgid),
	       &(uint16_t){ (uint16_t)flags }, sizeof(uint16_t));
	memset(trial->entries, 0, BUFFERS * sizeof(struct io_uring_buf));
	error = io_uring_register_buf_ring(&trial->ring, &registration, 0);
	if (error)
		return error;
	for (unsigned short id = 0; id < BUFFERS; id++)
		io_uring_buf_ring_add(trial->entries, trial->memory[id], BUFFER_BYTES, id,
				      BUFFERS - 1, id);
	io_uring_buf_ring_advance(trial->entries, BUFFERS);
	return 0;
}

/* Takes a completion. 0, or -errno; -ENOENT: it is one of an earlier trial. */
static int take(struct trial *trial, int *result, bool *more)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct io_uring_cqe *cqe = NULL;
	int error = io_uring_submit_and_wait_timeout(&trial->ring, &cqe, 1, &second, NULL);

	if (error < 0)
		return error;
	if (!cqe)
		return -ETIME;
	error = cqe->user_data == trial->number ? 0 : -ENOENT;
	*result = cqe->res;
	*more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(&trial->ring, cqe);
	return error;
}

/* Checks the first completion of a multishot: it must succeed, and not be the last. */
static int complete_multishot(struct trial *trial, struct io_uring_sqe *sqe)
{
	int error, result = 0;
	bool more = false;

	sqe->user_data = trial->number;
	do
		error = take(trial, &result, &more);
	while (error == -ENOENT);
	if (error || result < 0)
		return error ? error : result;
	return more ? 0 : -EOPNOTSUPP;
}

/* That the ring exists is all. */
static int try_ring(struct trial *trial)
{
	(void)trial;
	return 0;
}

static int try_ring_descriptor(struct trial *trial)
{
	int error = io_uring_register_ring_fd(&trial->ring);

	return error < 0 ? error : 0;
}

static int try_no_array(struct trial *trial)
{
	struct io_uring_params params = { .flags = REQUIRED_FLAGS | IORING_SETUP_NO_SQARRAY };
	long fd = syscall(__NR_io_uring_setup, 8, &params);

	(void)trial;
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static int try_min_wait(struct trial *trial)
{
	return trial->ring.features & IORING_FEAT_MIN_TIMEOUT ? 0 : -EOPNOTSUPP;
}

static int try_no_iowait(struct trial *trial)
{
	return trial->ring.features & IORING_FEAT_NO_IOWAIT ? 0 : -EOPNOTSUPP;
}

static int try_buffers(struct trial *trial)
{
	return register_buffers(trial, 0);
}

static int try_incremental_buffers(struct trial *trial)
{
	return register_buffers(trial, PBUF_RING_INCREMENTAL);
}

/* Connects a client to a new listening socket. 0, or -errno. */
static int listen_and_connect(int listener, int client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(sa_family_t); /* a free abstract address (unix(7), autobind) */

	if (bind(listener, (struct sockaddr *)&address, bytes) || listen(listener, 1))
		return -errno;
	bytes = sizeof(address);
	if (getsockname(listener, (struct sockaddr *)&address, &bytes) ||
	    connect(client, (struct sockaddr *)&address, bytes))
		return -errno;
	return 0;
}

static int try_accept(struct trial *trial)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = listen_and_connect(listener, client);
	struct io_uring_sqe *sqe;

	if (!error) {
		sqe = io_uring_get_sqe(&trial->ring);
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
		error = complete_multishot(trial, sqe);
	}
	close(client);
	close(listener);
	return error;
}

/* Gives the ring buffers, and sends a byte through the pair. */
static int prepare_receive(struct trial *trial)
{
	int error = register_buffers(trial, 0);

	if (!error && write(trial->pair[1], "x", 1) != 1)
		error = -errno;
	return error;
}

static int receive(struct trial *trial, struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	return complete_multishot(trial, sqe);
}

static int try_receive_with(struct trial *trial, unsigned short flags)
{
	int error = prepare_receive(trial);
	struct io_uring_sqe *sqe;

	if (error)
		return error;
	sqe = io_uring_get_sqe(&trial->ring);
	io_uring_prep_recv_multishot(sqe, trial->pair[0], NULL, 0, 0);
	sqe->ioprio |= flags;
	return receive(trial, sqe);
}

static int try_receive(struct trial *trial)
{
	return try_receive_with(trial, 0);
}

static int try_receive_bundle(struct trial *trial)
{
	return try_receive_with(trial, IORING_RECVSEND_BUNDLE);
}

static int try_recvmsg(struct trial *trial)
{
	struct msghdr layout = { .msg_namelen = 32 };
	int error = prepare_receive(trial);
	struct io_uring_sqe *sqe;

	if (error)
		return error;
	sqe = io_uring_get_sqe(&trial->ring);
	io_uring_prep_recvmsg_multishot(sqe, trial->pair[0], &layout, 0);
	return receive(trial, sqe);
}

static int try_file_table(struct trial *trial)
{
	return io_uring_register_files_sparse(&trial->ring, 4);
}

static int try_zero_copy(struct trial *trial)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&trial->ring);
	int error = 0;

	if (!probe)
		return -ENOMEM;
	if (!io_uring_opcode_supported(probe, IORING_OP_SEND_ZC))
		error = -EOPNOTSUPP;
	io_uring_free_probe(probe);
	return error;
}

/* Size of a feature in version 0.2.0. */
#define FEATURE_BYTES_MIN SIZED_THROUGH(struct rollcall_feature, result)

static const struct row {
	struct rollcall_feature feature;
	int (*try)(struct trial *trial);
} rows[] = {
	{ { "ring with deferred task work", "6.1", true, true, 0 }, try_ring },
	{ { "buffer rings", "5.19", true, true, 0 }, try_buffers },
	{ { "multishot accept", "5.19", true, true, 0 }, try_accept },
	{ { "multishot receive", "6.0", true, true, 0 }, try_receive },
	{ { "multishot recvmsg", "6.0", true, true, 0 }, try_recvmsg },
	{ { "registered ring descriptor", "5.18", false, true, 0 }, try_ring_descriptor },
	{ { "ring without index array", "6.6", false, false, 0 }, try_no_array },
	{ { "table of direct descriptors", "5.19", false, false, 0 }, try_file_table },
	{ { "zero-copy send", "6.0", false, false, 0 }, try_zero_copy },
	{ { "receive bundles", "6.10", false, false, 0 }, try_receive_bundle },
	{ { "incremental buffers", "6.12", false, false, 0 }, try_incremental_buffers },
	{ { "minimum wait", "6.12", false, false, 0 }, try_min_wait },
	{ { "wait without iowait", "6.15", false, true, 0 }, try_no_iowait },
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static int try_row(struct trial *trial, const struct row *row)
{
	int error;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, trial->pair))
		return -errno;
	trial->number++;
	error = row->try(trial);
	/* Fails where none were registered. */
	io_uring_unregister_buf_ring(&trial->ring, GROUP);
	close(trial->pair[0]);
	close(trial->pair[1]);
	return error;
}

int ring_try_io_uring(void)
{
	struct trial trial;
	int error = open_trials(&trial);

	if (error)
		return error;
	for (size_t i = 0; i < ROWS && !error; i++)
		if (rows[i].feature.required)
			error = try_row(&trial, &rows[i]);
	close_trials(&trial);
	return error;
}

int rollcall_features(struct rollcall_feature *out, unsigned count, size_t size)
{
	struct rollcall_feature feature;
	struct trial trial;
	int error = sized_check(size, FEATURE_BYTES_MIN);

	if (error)
		return error;
	error = open_trials(&trial);
	for (unsigned i = 0; i < ROWS && i < count; i++) {
		feature = rows[i].feature;
		feature.result = error ? error : try_row(&trial, &rows[i]);
		sized_write((char *)out + i * size, size, &feature, sizeof(feature),
			    FEATURE_BYTES_MIN);
	}
	if (!error)
		close_trials(&trial);
	return ROWS;
}
