/* SPDX-License-Identifier: MIT */
/* The contract tests on the engine epoll. */
#include "ring/ring.h"
#include "rollcall.h"

extern const enum ring_engine contract_engine;
extern const enum rollcall_engine library_engine;

const enum ring_engine contract_engine = RING_EPOLL;
const enum rollcall_engine library_engine = ROLLCALL_ENGINE_EPOLL;
