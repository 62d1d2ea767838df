/* SPDX-License-Identifier: MIT */
/*
 * validate.h - the settings of a server: defaults and limits.
 */
#ifndef SERVER_VALIDATE_H
#define SERVER_VALIDATE_H

#include "rollcall.h"

/*
 * Copies a caller's settings, over the defaults of those that the caller lacks; see base/sized.h.
 * NULL: the defaults. -E2BIG: as sized_read(); -EINVAL: too, or a setting is out of range, and the
 * log says which.
 */
int validate_options(struct rollcall_options *to, const struct rollcall_options *from);

#endif
