/* SPDX-License-Identifier: MIT */
/*
 * files.h - reads and writes of the caller's own files, through the ring.
 */
#ifndef SERVER_FILES_H
#define SERVER_FILES_H

#include <stdbool.h>

#include "ring/operation.h"
#include "rollcall.h"

#define FILES_MAX 16

struct file_slot {
	struct rollcall_io *callers; /* passed to done(); NULL: the slot is free */
	struct rollcall_io io;	     /* a copy of it */
	bool write;
	struct operation operation;
};

struct files {
	struct file_slot slots[FILES_MAX];
	bool closed; /* no more are accepted; those in flight are cancelled */
};

/* Cancels the operations in flight, and accepts no more. */
void files_close(struct files *files);

bool files_are_writing(const struct files *files);
bool files_are_busy(const struct files *files);

/* Starts the operations and cancels that are due. false: the submission queue is full. */
bool files_flush(struct files *files, struct ring *ring);

/* Completion handler of a cancel. */
void files_on_cancel(struct files *files, uint64_t slot);

/* Completion handler of a read or write. */
void files_on_done(struct files *files, struct rollcall_server *server, uint64_t slot,
		   const struct io_uring_cqe *cqe);

#endif
