/* SPDX-License-Identifier: MIT */
/*
 * announcer.h - a service around another service: it prints the console lines and forwards each
 * callback. All functions belong to the server's thread.
 */
#ifndef PROGRAM_ANNOUNCER_H
#define PROGRAM_ANNOUNCER_H

#include "program/console.h"
#include "rollcall.h"

struct announcer {
	struct rollcall_service service; /* to listen with; the announcer is its context */
	const struct rollcall_service *inner;
	void *inner_context;
	struct console *console;
};

/*
 * Makes `announcer` announce the clients of `inner` on `console`; all three must outlive the
 * server.
 */
void announcer_init(struct announcer *announcer, const struct rollcall_service *inner,
		    void *inner_context, struct console *console);

/* Prints that the server is ready for a client. */
void announcer_waiting(struct announcer *announcer);

#endif
