/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - facts about the kernel and the limits of this process: used to explain failures, and
 * shown by --check. Any thread.
 */
#ifndef PROGRAM_KERNEL_H
#define PROGRAM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "rollcall.h"

/* The value of a setting that does not exist or cannot be read. */
#define KERNEL_UNKNOWN (-1L)

struct kernel_facts {
	char release[65]; /* "6.1.0-18-amd64" (uname(2)) */
	unsigned major;
	unsigned minor;

	/* kernel.io_uring_disabled (6.6): 0: allowed, 1: only for io_uring_group, 2: disabled. */
	long io_uring_disabled;
	long io_uring_group;
	/* Whether this process may use io_uring although io_uring_disabled is 1. */
	bool io_uring_exempt;
	/* Whether a seccomp filter is installed for this process. */
	bool seccomp;

	/* Limits of this process; RLIM_INFINITY: none. */
	uint64_t nofile_soft;
	uint64_t nofile_hard;
	uint64_t memlock_bytes;
	uint64_t address_space_bytes; /* RLIMIT_AS */
	uint64_t data_bytes;	      /* RLIMIT_DATA */
	/* Whether a server for one client can be created; set by kernel_facts_of_memory() only. */
	bool small_server;

	long somaxconn;		/* net.core.somaxconn */
	long tcp_mem_pages;	/* the last of net.ipv4.tcp_mem: all TCP sockets of the machine */
	long unprivileged_port; /* net.ipv4.ip_unprivileged_port_start */
};

void kernel_facts_read(struct kernel_facts *facts);

/*
 * After rollcall_create() has returned -ENOMEM, finds out which memory is short by creating a small
 * server: locked memory, if that fails too, or else memory and address space for the clients.
 */
void kernel_facts_of_memory(struct kernel_facts *facts, enum rollcall_engine engine);

/*
 * Whether the kernel's version is at least this one. Distributions backport: only for explanations.
 */
bool kernel_is_at_least(const struct kernel_facts *facts, unsigned major, unsigned minor);

#endif
