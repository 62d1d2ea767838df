/* SPDX-License-Identifier: MIT */
/*
 * owner.h - which thread a server belongs to: the one that made it, and in its own process.
 *
 * All calls but rollcall_post() ask first, so it has to cost next to nothing: a thread is known by
 * the address of a thread-local variable. A fork copies that; the page that the address is noted in
 * is zeroed for the child (MADV_WIPEONFORK, Linux 4.14).
 */
#ifndef SERVER_OWNER_H
#define SERVER_OWNER_H

#include <stdbool.h>

struct owner {
	const char *thread; /* NULL in a forked process */
};

/* initial-exec: reading its address takes no call, in the shared library too. */
extern _Thread_local const char owner_thread __attribute__((tls_model("initial-exec")));

/* Makes the calling thread the owner. NULL: no memory. */
struct owner *owner_create(void);

/* NULL is allowed. */
void owner_destroy(struct owner *owner);

/* Whether the caller is the owner. */
static inline bool owner_is_caller(const struct owner *owner)
{
	return owner->thread == &owner_thread;
}

/* Whether this process is not the owner's, but was forked from it. Any thread. */
static inline bool owner_is_forked(const struct owner *owner)
{
	return !owner->thread;
}

#endif
