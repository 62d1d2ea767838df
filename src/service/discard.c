/* SPDX-License-Identifier: MIT */
#include "service/services.h"

/* Without a function for them, messages are counted and dropped. */
const struct rollcall_service discard_service = {
	.size = sizeof(struct rollcall_service),
	.stateless = true,
	.framing = ROLLCALL_RAW,
};
