/* SPDX-License-Identifier: MIT */
#include "server/files.h"

#include <errno.h>

#include "base/sized.h"
#include "server/server.h"

/* Offset of io_uring: the file's current position (Linux 5.6, IORING_FEAT_RW_CUR_POS). */
#define CURRENT_POSITION ((uint64_t)-1)

/* Size of a read or a write in version 0.2.0. */
#define IO_BYTES_MIN SIZED_THROUGH(struct rollcall_io, context)

static int add(struct rollcall_server *server, struct rollcall_io *io, bool write)
{
	struct file_slot slot = { .callers = io, .write = write };
	struct files *files = &server->files;
	int error;

	if (!server_is_callers(server))
		return -EPERM;
	error = sized_read(&slot.io, sizeof(slot.io), io, io->size, IO_BYTES_MIN);
	if (error)
		return error;
	if (slot.io.bytes > 1u << 30)
		return -EINVAL;
	if (files->closed)
		return -ESHUTDOWN;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		if (files->slots[i].callers)
			continue;
		files->slots[i] = slot;
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

void files_close(struct files *files)
{
	files->closed = true;
}

bool files_are_writing(const struct files *files)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (files->slots[i].callers && files->slots[i].write)
			return true;
	return false;
}

bool files_are_busy(const struct files *files)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (files->slots[i].callers || operation_is_busy(&files->slots[i].operation))
			return true;
	return false;
}

static bool start(struct file_slot *slot, unsigned index, struct ring *ring)
{
	const struct rollcall_io *io = &slot->io;
	struct io_uring_sqe *sqe = ring_sqe(ring);

	if (!sqe)
		return false;
	if (slot->write)
		io_uring_prep_write(sqe, io->fd, io->data, (unsigned)io->bytes, CURRENT_POSITION);
	else
		io_uring_prep_read(sqe, io->fd, io->data, (unsigned)io->bytes, CURRENT_POSITION);
	operation_start(&slot->operation, sqe, OP_FILE, index);
	return true;
}

bool files_flush(struct files *files, struct ring *ring)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		struct file_slot *slot = &files->slots[i];

		if (slot->callers && !slot->operation.in_flight && !start(slot, i, ring))
			return false;
		if (files->closed && operation_is_to_cancel(&slot->operation) &&
		    !operation_cancel(&slot->operation, ring, OP_FILE_CANCEL))
			return false;
	}
	return true;
}

void files_on_cancel(struct files *files, uint64_t slot)
{
	files->slots[slot].operation.cancel_in_flight = false;
}

void files_on_done(struct files *files, struct rollcall_server *server, uint64_t slot,
		   const struct io_uring_cqe *cqe)
{
	struct rollcall_io *io = files->slots[slot].callers;
	const struct rollcall_io copy = files->slots[slot].io;

	files->slots[slot].callers = NULL;
	files->slots[slot].operation.in_flight = false;
	/* io-wq ends a cancelled read or write with EINTR. */
	copy.done(server, io, files->closed && cqe->res == -EINTR ? -ECANCELED : cqe->res);
}
