/* SPDX-License-Identifier: MIT */
/*
 * listening.h - all that the program listens on: the sockets that a service manager hands over, and
 * the addresses of the command line. Called by the server's thread.
 */
#ifndef PROGRAM_LISTENING_H
#define PROGRAM_LISTENING_H

#include "program/diagnostics.h"
#include "program/failures.h"
#include "program/options.h"
#include "rollcall.h"

/*
 * Listens with the service. The usual addresses stand in only if there are no sockets. Waits up to
 * a second for ports that are in use. Returns 0, or the exit code with *failure filled; then the
 * server may listen on some already.
 */
int listening_start(struct rollcall_server *server, const struct program_options *options,
		    const struct rollcall_service *service, void *context,
		    struct diagnostics *diagnostics, struct failure *failure);

/*
 * Whether a descriptor is left for a TCP client, if there are to be any; if not, *failure is
 * filled. To be called when all else is open.
 */
bool listening_has_room(struct rollcall_server *server, struct failure *failure);

#endif
