/* SPDX-License-Identifier: MIT */
#include "base/owner.h"

#include <sys/mman.h>

#include "base/memory.h"

_Thread_local const char owner_thread __attribute__((tls_model("initial-exec")));

struct owner *owner_create(void)
{
	struct owner *owner = memory_reserve(sizeof(*owner));

	if (!owner)
		return NULL;
	/* If this fails, only forked processes are not detected. */
	madvise(owner, sizeof(*owner), MADV_WIPEONFORK);
	owner->thread = &owner_thread;
	return owner;
}

void owner_destroy(struct owner *owner)
{
	memory_release(owner, sizeof(*owner));
}
