/* SPDX-License-Identifier: MIT */
/*
 * health.h - `rollcall --health ADDRESS`: whether a running rollcall serves, found out by asking
 * it. Called from the main thread.
 */
#ifndef PROGRAM_HEALTH_H
#define PROGRAM_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "program/diagnostics.h"
#include "program/options.h"

/* How long each address may take, names aside. */
#define HEALTH_LIMIT_MS 1000

/* More than any answer that is right. */
#define HEALTH_ANSWER_BYTES_MAX 64

/*
 * Asks each address, like "tcp://localhost:8080"; of a name that stands for several, one has to
 * answer. Returns 0, or 1 after a line to `diagnostics` for each that is not healthy.
 */
int health_check(const struct options_addresses *addresses, struct diagnostics *diagnostics);

/* Whether one of the services has answered so, in any framing, with or without headers of RTP. */
bool health_is_answer_of_tcp(const uint8_t *data, size_t bytes);
bool health_is_answer_of_udp(const uint8_t *data, size_t bytes);

#endif
