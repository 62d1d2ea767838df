/* SPDX-License-Identifier: MIT */
/*
 * shortage.h - who has to give way when places or memory are short.
 *
 * Timeouts are shorter then (hub_timeout_ms()).
 */
#ifndef TCP_SHORTAGE_H
#define TCP_SHORTAGE_H

#include "tcp/tcp.h"

/* Called once per turn, when its completions have been handled. */
void shortage_check(struct tcp *tcp);

#endif
