/* SPDX-License-Identifier: MIT */
/* The contract tests on the engine io_uring. */
#include "ring/ring.h"
#include "rollcall.h"

extern const enum ring_engine contract_engine;
extern const enum rollcall_engine library_engine;

const enum ring_engine contract_engine = RING_IO_URING;
const enum rollcall_engine library_engine = ROLLCALL_ENGINE_IO_URING;
