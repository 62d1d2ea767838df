/* SPDX-License-Identifier: MIT */
/*
 * losses.h - reports the datagrams dropped while the server ran, by reason.
 */
#ifndef PROGRAM_LOSSES_H
#define PROGRAM_LOSSES_H

#include "program/diagnostics.h"

/* Writes a line for each reason whose counter is not zero. */
void losses_say(struct diagnostics *diagnostics, const struct rollcall_stats *stats);

#endif
