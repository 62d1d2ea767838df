/* SPDX-License-Identifier: MIT */
/*
 * owner.h - which thread owns a server or a ring: the one that created it, in its own process.
 *
 * All calls but rollcall_post() check it, so the check has to cost next to nothing: a thread is
 * identified by the address of a thread-local variable. As fork(2) copies that address, it is
 * stored in a page that is zeroed in the child (MADV_WIPEONFORK, Linux 4.14).
 */
#ifndef BASE_OWNER_H
#define BASE_OWNER_H

#include <stdbool.h>

struct owner {
	const char *thread; /* NULL in a forked process */
};

/* initial-exec: its address is read without a call, in the shared library too. */
extern _Thread_local const char owner_thread __attribute__((tls_model("initial-exec")));

/* Makes the calling thread the owner. NULL: no memory. */
struct owner *owner_create(void);

/* NULL is allowed. */
void owner_destroy(struct owner *owner);

/* Whether the calling thread is the owner. */
static inline bool owner_is_caller(const struct owner *owner)
{
	return owner->thread == &owner_thread;
}

/* Whether this process was forked from the owner's. May be called from any thread. */
static inline bool owner_is_forked(const struct owner *owner)
{
	return !owner->thread;
}

#endif
