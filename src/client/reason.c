/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "rollcall.h"

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
		return "vanished";
	case -ETIME:
		return "idle for too long";
	case -EMSGSIZE:
		return "message too long";
	case -ENOBUFS:
		return "no memory for its data";
	case -ENOSPC:
		return "made room for others";
	case -ESHUTDOWN:
		return "the server is stopping";
	default:
		return strerrordesc_np(-reason) ? strerrordesc_np(-reason) : "unknown error";
	}
}
