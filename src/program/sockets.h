/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - starts listening on the sockets passed by a service manager, and on the addresses
 * of the command line. Called by the server's thread.
 */
#ifndef PROGRAM_SOCKETS_H
#define PROGRAM_SOCKETS_H

#include "program/diagnostics.h"
#include "program/failures.h"
#include "program/options.h"
#include "rollcall.h"

/*
 * Listens with the service. The default addresses apply only if no sockets were passed. Waits up to
 * a second for ports that are in use. Returns 0, or the exit code with *failure filled; then the
 * server may already listen on some addresses.
 */
int sockets_listen(struct rollcall_server *server, const struct program_options *options,
		   const struct rollcall_service *service, void *context,
		   struct diagnostics *diagnostics, struct failure *failure);

/* The number of UDP sockets that the server has. */
unsigned sockets_count_udp(struct rollcall_server *server);

/*
 * Whether a file descriptor is left for a TCP client, if the server listens for TCP; if not,
 * *failure is filled. Call it when everything else is open.
 */
bool sockets_leave_descriptor(struct rollcall_server *server, struct failure *failure);

#endif
