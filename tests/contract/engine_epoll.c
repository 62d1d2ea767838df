/* SPDX-License-Identifier: MIT */
/* The contract tests on the engine epoll. */
#include "ring/ring.h"

extern const enum ring_engine contract_engine;

const enum ring_engine contract_engine = RING_EPOLL;
