/* SPDX-License-Identifier: MIT */
/*
 * services.h - the services of the program. They know nothing but rollcall.h.
 */
#ifndef SERVICE_SERVICES_H
#define SERVICE_SERVICES_H

#include "rollcall.h"

/* Answers each line or datagram with "Received: " and itself. */
extern const struct rollcall_service reply_service;

/* Sends everything back (RFC 862). */
extern const struct rollcall_service echo_service;

/* Throws everything away (RFC 863). */
extern const struct rollcall_service discard_service;

#endif
