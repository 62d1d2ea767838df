/* SPDX-License-Identifier: MIT */
/*
 * health.h - `rollcall --health ADDRESS`: checks a running rollcall by sending it a message. Called
 * from the main thread.
 */
#ifndef PROGRAM_HEALTH_H
#define PROGRAM_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "program/diagnostics.h"
#include "program/options.h"

/* Time limit for each address, name resolution aside. */
#define HEALTH_LIMIT_MS 1000

/* Longer than any valid answer. */
#define HEALTH_ANSWER_BYTES_MAX 64

/*
 * Checks each address, like "tcp://localhost:8080"; if a name resolves to several, one must answer.
 * Returns 0, or 1 after a line to `diagnostics` for each that is not healthy.
 */
int health_check(const struct options_addresses *addresses, struct diagnostics *diagnostics);

/* Whether it is an answer of one of the services, in any framing, with or without RTP header. */
bool health_is_answer_of_tcp(const uint8_t *data, size_t bytes);
bool health_is_answer_of_udp(const uint8_t *data, size_t bytes);

#endif
