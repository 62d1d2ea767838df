/* SPDX-License-Identifier: MIT */
/*
 * options.h - the settings of a server: defaults and limits.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "rollcall.h"

/*
 * Copies the settings of a caller, who may know fewer than we do. -EINVAL: one is out of range; it
 * is logged which.
 */
int options_take(struct rollcall_options *to, const struct rollcall_options *from);

#endif
