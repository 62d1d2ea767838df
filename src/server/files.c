/* SPDX-License-Identifier: MIT */
#include "server/files.h"

#include <errno.h>

#include "ring/op.h"
#include "server/server.h"

/* Offset of io_uring: the file's current position (Linux 5.6, IORING_FEAT_RW_CUR_POS). */
#define CURRENT_POSITION ((uint64_t)-1)

static int add(struct rollcall_server *server, struct rollcall_io *io, bool write)
{
	struct files *files = &server->files;

	if (!server_is_callers(server))
		return -EPERM;
	if (io->bytes > 1u << 30)
		return -EINVAL;
	if (files->cancelling)
		return -ESHUTDOWN;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (files->slots[i].io)
			continue;
		files->slots[i] = (struct file_slot){ .io = io, .write = write };
		return 0;
	}
	return -EBUSY;
}

int rollcall_read(struct rollcall_server *server, struct rollcall_io *io)
{
	return add(server, io, false);
}

int rollcall_write(struct rollcall_server *server, struct rollcall_io *io)
{
	return add(server, io, true);
}

void files_cancel(struct files *files)
{
	files->cancelling = true;
}

bool files_are_writing(const struct files *files)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (files->slots[i].io && files->slots[i].write)
			return true;
	return false;
}

bool files_are_busy(const struct files *files)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (files->slots[i].io)
			return true;
	return files->cancels > 0;
}

static bool start(struct file_slot *slot, unsigned index, struct ring *ring)
{
	const struct rollcall_io *io = slot->io;
	struct io_uring_sqe *sqe = ring_sqe(ring);

	if (!sqe)
		return false;
	if (slot->write)
		io_uring_prep_write(sqe, io->fd, io->data, (unsigned)io->bytes, CURRENT_POSITION);
	else
		io_uring_prep_read(sqe, io->fd, io->data, (unsigned)io->bytes, CURRENT_POSITION);
	sqe->user_data = op_pack(OP_FILE, index);
	slot->started = true;
	return true;
}

static bool cancel(struct files *files, unsigned index, struct ring *ring)
{
	struct io_uring_sqe *sqe = ring_sqe(ring);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, op_pack(OP_FILE, index), 0);
	sqe->user_data = op_pack(OP_FILE_CANCEL, index);
	files->slots[index].cancelled = true;
	files->cancels++;
	return true;
}

bool files_flush(struct files *files, struct ring *ring)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		struct file_slot *slot = &files->slots[i];

		if (slot->io && !slot->started && !start(slot, i, ring))
			return false;
		if (slot->io && files->cancelling && !slot->cancelled && !cancel(files, i, ring))
			return false;
	}
	return true;
}

void files_on_cancel(struct files *files)
{
	CHECK(files->cancels > 0);
	files->cancels--;
}

void files_on_done(struct files *files, struct rollcall_server *server, uint64_t slot,
		   const struct io_uring_cqe *cqe)
{
	struct rollcall_io *io = files->slots[slot].io;

	files->slots[slot] = (struct file_slot){ 0 };
	/* io-wq ends a cancelled read or write with EINTR. */
	io->done(server, io, files->cancelling && cqe->res == -EINTR ? -ECANCELED : cqe->res);
}
