/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "rollcall.h"

/* A static English text, or NULL. musl's strerror() gives that, glibc's is localized. */
static const char *system_text(int error)
{
#ifdef __GLIBC__
	return strerrordesc_np(error);
#else
	return strerror(error);
#endif
}

const char *rollcall_reason_text(int reason)
{
	switch (reason) {
	case 0:
		return "ended by the client";
	case -ECANCELED:
		return "closed by the service";
	case -ECONNABORTED:
		return "aborted by the service";
	case -ECONNRESET:
	case -EPIPE:
		return "reset by the client";
	case -ETIMEDOUT:
		return "timed out: no acknowledgement from the client";
	case -ETIME:
		return "idle timeout";
	case -ENODATA:
		return "message timeout";
	case -EMSGSIZE:
		return "message too long";
	case -ENOBUFS:
		return "no memory for its data";
	case -ENOSPC:
		return "others needed its place or memory";
	case -ESHUTDOWN:
		return "the server is stopping";
	default:
		return system_text(-reason) ? system_text(-reason) : "unknown error";
	}
}
