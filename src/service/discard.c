/* SPDX-License-Identifier: MIT */
#include "service/services.h"

/* Without a received() callback the library counts and drops all messages. */
const struct rollcall_service discard_service = {
	.size = sizeof(struct rollcall_service),
	.stateless = true,
	.framing = ROLLCALL_FRAMING_RAW,
};
