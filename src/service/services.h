/* SPDX-License-Identifier: MIT */
/*
 * services.h - the services of the program. They depend on rollcall.h only.
 */
#ifndef SERVICE_SERVICES_H
#define SERVICE_SERVICES_H

#include "rollcall.h"

/* Answers each line or datagram with "Received: " followed by the message. */
extern const struct rollcall_service reply_service;

/* Sends all input back (RFC 862). */
extern const struct rollcall_service echo_service;

/* Discards all input (RFC 863). */
extern const struct rollcall_service discard_service;

#endif
