/* SPDX-License-Identifier: MIT */
/*
 * announcer.h - a service that wraps another one: prints the console lines and forwards each
 * callback. All functions belong to the server's thread.
 */
#ifndef PROGRAM_ANNOUNCER_H
#define PROGRAM_ANNOUNCER_H

#include "program/console.h"
#include "rollcall.h"

struct announcer {
	struct rollcall_service service; /* listen with it; its context is the announcer */
	const struct rollcall_service *inner;
	void *inner_context;
	struct console *console;
};

/*
 * Wraps `inner` and prints its clients on `console`; all three structs must outlive the server.
 */
void announcer_init(struct announcer *announcer, const struct rollcall_service *inner,
		    void *inner_context, struct console *console);

/* Prints "Waiting for client...". */
void announcer_waiting(struct announcer *announcer);

#endif
