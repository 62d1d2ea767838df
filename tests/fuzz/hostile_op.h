/* SPDX-License-Identifier: MIT */
/*
 * hostile_op.h - what becomes of an operation in the hostile kernel.
 */
#ifndef FUZZ_HOSTILE_OP_H
#define FUZZ_HOSTILE_OP_H

#include "base/poison.h"
#include "fuzz/hostile_kernel.h"

/* Takes what the server has queued. */
void hostile_submit(struct ring *ring);

/* One completion of the operation that the script names, if it can have one. */
void hostile_complete(struct ring *ring);

/* Whatever can complete does, in good order, or for lack of memory not. false: nothing can. */
bool hostile_complete_all(struct ring *ring, bool barren);

#endif
