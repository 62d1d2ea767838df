/* SPDX-License-Identifier: MIT */
/*
 * files.h - reads and writes of the caller's own files, through the ring.
 */
#ifndef SERVER_FILES_H
#define SERVER_FILES_H

#include <stdbool.h>

#include "rollcall.h"

struct io_uring_cqe;
struct ring;

#define FILES_MAX 16

struct file_slot {
	struct rollcall_io *io; /* NULL: free */
	bool write;
	bool started;	/* in flight */
	bool cancelled; /* its cancel was submitted */
};

struct files {
	struct file_slot slots[FILES_MAX];
	bool cancelling;  /* no more are accepted; those in flight are cancelled */
	unsigned cancels; /* cancels in flight */
};

/* Cancels the operations in flight, and accepts no more. */
void files_cancel(struct files *files);

bool files_are_writing(const struct files *files);
bool files_are_busy(const struct files *files);

/* Starts the operations and cancels that are due. false: the submission queue is full. */
bool files_flush(struct files *files, struct ring *ring);

/* Completion handler of a cancel. */
void files_on_cancel(struct files *files);

/* Completion handler of a read or write. */
void files_on_done(struct files *files, struct rollcall_server *server, uint64_t slot,
		   const struct io_uring_cqe *cqe);

#endif
