/* SPDX-License-Identifier: MIT */
/*
 * options.h - the settings of a server: defaults and limits.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "rollcall.h"

/*
 * Copies a caller's settings; a caller built for an older version may have a shorter struct. NULL:
 * the defaults. -EINVAL: a setting is out of range; the log says which.
 */
int options_take(struct rollcall_options *to, const struct rollcall_options *from);

#endif
