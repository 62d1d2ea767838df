/* SPDX-License-Identifier: MIT */
/*
 * probe.c - what this kernel can do, found by trying. Version numbers tell little: distributions
 * backport features, and containers forbid them.
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
#include "rollcall.h"

#define GROUP 0
#define BUFFERS 4
#define BUFFER_BYTES 256
#define REQUIRED_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

/* A ring for trials, with a buffer group and a socket pair. */
struct trial {
	struct io_uring ring;
	struct io_uring_buf_ring *entries;
	uint8_t memory[BUFFERS][BUFFER_BYTES];
	int pair[2];
};

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
	error = io_uring_register_buf_ring(&trial->ring, &registration, 0);
	if (error)
		return error;
	for (unsigned short id = 0; id < BUFFERS; id++)
		io_uring_buf_ring_add(trial->entries, trial->memory[id], BUFFER_BYTES, id,
				      BUFFERS - 1, id);
	io_uring_buf_ring_advance(trial->entries, BUFFERS);
	return 0;
}

static int open_trial(struct trial *trial, int type)
{
	long page = sysconf(_SC_PAGESIZE);
	int error = io_uring_queue_init(8, &trial->ring, REQUIRED_FLAGS);

	if (error)
		return error;
	if (posix_memalign((void **)&trial->entries, (size_t)page, (size_t)page)) {
		io_uring_queue_exit(&trial->ring);
		return -ENOMEM;
	}
	memset(trial->entries, 0, (size_t)page);
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, trial->pair) == 0)
		return 0;
	error = -errno;
	free(trial->entries);
	io_uring_queue_exit(&trial->ring);
	return error;
}

static void close_trial(struct trial *trial)
{
	close(trial->pair[0]);
	close(trial->pair[1]);
	io_uring_queue_exit(&trial->ring);
	free(trial->entries);
}

/* Submits, and returns the result of the first completion; *more: further ones will follow. */
static int complete(struct trial *trial, bool *more)
{
	struct __kernel_timespec second = { .tv_sec = 1 };
	struct io_uring_cqe *cqe = NULL;
	int result = io_uring_submit_and_wait_timeout(&trial->ring, &cqe, 1, &second, NULL);

	if (result < 0)
		return result;
	if (!cqe)
		return -ETIME;
	result = cqe->res;
	*more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(&trial->ring, cqe);
	return result;
}

/* Checks the first completion of a multishot: it must succeed, and not be the last. */
static int complete_multishot(struct trial *trial)
{
	bool more = false;
	int result = complete(trial, &more);

	if (result < 0)
		return result;
	return more ? 0 : -EOPNOTSUPP;
}

static int try_ring(void)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (!error)
		close_trial(&trial);
	return error;
}

static int try_ring_descriptor(void)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	error = io_uring_register_ring_fd(&trial.ring);
	close_trial(&trial);
	return error < 0 ? error : 0;
}

static int try_no_array(void)
{
	struct io_uring_params params = { .flags = REQUIRED_FLAGS | IORING_SETUP_NO_SQARRAY };
	long fd = syscall(__NR_io_uring_setup, 8, &params);

	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

static int try_min_wait(void)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	error = trial.ring.features & IORING_FEAT_MIN_TIMEOUT ? 0 : -EOPNOTSUPP;
	close_trial(&trial);
	return error;
}

static int try_buffers_with(unsigned flags)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	error = register_buffers(&trial, flags);
	close_trial(&trial);
	return error;
}

static int try_buffers(void)
{
	return try_buffers_with(0);
}

static int try_incremental_buffers(void)
{
	return try_buffers_with(PBUF_RING_INCREMENTAL);
}

static int try_accept(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(sa_family_t); /* a free abstract address (unix(7), autobind) */
	struct io_uring_sqe *sqe;
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);
	int listener, client;

	if (error)
		return error;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, bytes) || listen(listener, 1))
		error = -errno;
	bytes = sizeof(address);
	if (!error && (getsockname(listener, (struct sockaddr *)&address, &bytes) ||
		       connect(client, (struct sockaddr *)&address, bytes)))
		error = -errno;
	if (!error) {
		sqe = io_uring_get_sqe(&trial.ring);
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
		error = complete_multishot(&trial);
	}
	close(client);
	close(listener);
	close_trial(&trial);
	return error;
}

static int receive(struct trial *trial, unsigned short flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&trial->ring);

	io_uring_prep_recv_multishot(sqe, trial->pair[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->ioprio |= flags;
	return complete_multishot(trial);
}

static int try_receive_with(unsigned short flags)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	error = register_buffers(&trial, 0);
	if (!error && write(trial.pair[1], "x", 1) != 1)
		error = -errno;
	if (!error)
		error = receive(&trial, flags);
	close_trial(&trial);
	return error;
}

static int try_receive(void)
{
	return try_receive_with(0);
}

static int try_receive_bundle(void)
{
	return try_receive_with(IORING_RECVSEND_BUNDLE);
}

static int try_recvmsg(void)
{
	struct msghdr layout = { .msg_namelen = 32 };
	struct io_uring_sqe *sqe;
	struct trial trial;
	int error = open_trial(&trial, SOCK_DGRAM);

	if (error)
		return error;
	error = register_buffers(&trial, 0);
	if (!error && write(trial.pair[1], "x", 1) != 1)
		error = -errno;
	if (!error) {
		sqe = io_uring_get_sqe(&trial.ring);
		io_uring_prep_recvmsg_multishot(sqe, trial.pair[0], &layout, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = GROUP;
		error = complete_multishot(&trial);
	}
	close_trial(&trial);
	return error;
}

static int try_file_table(void)
{
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	error = io_uring_register_files_sparse(&trial.ring, 4);
	close_trial(&trial);
	return error;
}

static int try_zero_copy(void)
{
	struct io_uring_probe *probe;
	struct trial trial;
	int error = open_trial(&trial, SOCK_STREAM);

	if (error)
		return error;
	probe = io_uring_get_probe_ring(&trial.ring);
	if (!probe)
		error = -ENOMEM;
	else if (!io_uring_opcode_supported(probe, IORING_OP_SEND_ZC))
		error = -EOPNOTSUPP;
	io_uring_free_probe(probe);
	close_trial(&trial);
	return error;
}

/* Size of a feature in version 0.2.0. */
#define FEATURE_BYTES_MIN SIZED_THROUGH(struct rollcall_feature, result)

static const struct {
	struct rollcall_feature feature;
	int (*try)(void);
} features[] = {
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
};

int rollcall_features(struct rollcall_feature *out, unsigned count, size_t size)
{
	const unsigned known = sizeof(features) / sizeof(*features);
	struct rollcall_feature feature;
	int error = sized_check(size, FEATURE_BYTES_MIN);

	if (error)
		return error;
	for (unsigned i = 0; i < known && i < count; i++) {
		feature = features[i].feature;
		feature.result = features[i].try();
		sized_write((char *)out + i * size, size, &feature, sizeof(feature),
			    FEATURE_BYTES_MIN);
	}
	return (int)known;
}
