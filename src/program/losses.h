/* SPDX-License-Identifier: MIT */
/*
 * losses.h - what datagrams were dropped while the server ran, by the reason.
 */
#ifndef PROGRAM_LOSSES_H
#define PROGRAM_LOSSES_H

#include "program/diagnostics.h"

/* Says it, a line for each reason that there was. */
void losses_say(struct diagnostics *diagnostics, const struct rollcall_stats *stats);

#endif
