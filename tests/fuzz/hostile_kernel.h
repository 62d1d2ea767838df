/* SPDX-License-Identifier: MIT */
/*
 * hostile_kernel.h - inside the hostile kernel: what its ring and its sockets share.
 */
#ifndef FUZZ_HOSTILE_KERNEL_H
#define FUZZ_HOSTILE_KERNEL_H

#include "fuzz/hostile.h"
#include "ring/ring.h"
#include "ring/addresses.h"
#include "ring/socket.h"

#define HOSTILE_FILES_MAX 1024
#define HOSTILE_OPS_MAX 4096
#define HOSTILE_CQES_MAX 8192
#define HOSTILE_BUFFERS_MAX 8192

struct hostile_buffer {
	uint8_t *data;
	unsigned bytes;
	uint16_t id;
};

/* A group of buffers: those that the kernel has, oldest first. */
struct hostile_group {
	struct hostile_buffer *buffers;
	bool *given; /* by number */
	unsigned entries, head, count;
};

struct hostile_op {
	struct io_uring_sqe sqe;
	uint64_t digest; /* of what is sent, when it was submitted */
	bool cancelled;	 /* ends soon */
};

struct hostile_file {
	bool open;
	struct address address;
	uint64_t event;
};

struct ring {
	struct io_uring_sqe *sqes;
	unsigned sq_entries, sq_count;
	unsigned sqes_left; /* number of SQEs still given out in this turn */
	struct io_uring_cqe cqes[HOSTILE_CQES_MAX];
	unsigned cq_head, cq_count;
	struct hostile_group groups[RING_GROUPS_MAX];
	struct hostile_op ops[HOSTILE_OPS_MAX];
	unsigned ops_count;
};

struct hostile {
	const uint8_t *script;
	size_t left;
	void (*ended)(void *context);
	void *context;
	bool rested; /* the server has waited while everything failed */
	bool kind;
	unsigned barren_turns, kind_turns;
	uint64_t now_ns;
	struct ring *ring;
	/* Descriptors are never used again, so that a late use is noticed. */
	struct hostile_file files[HOSTILE_FILES_MAX];
	unsigned files_count;
};

extern struct hostile *hostile;

/* A new descriptor, or -EMFILE. */
int hostile_open(void);

/* An open descriptor's file. */
struct hostile_file *hostile_file(int fd);

#endif
