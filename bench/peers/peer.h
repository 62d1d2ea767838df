/* SPDX-License-Identifier: MIT */
/*
 * peer.h - what the peers in C have in common: echo servers as people write them with a library for
 * events, which rollcall is compared with.
 */
#ifndef PEERS_PEER_H
#define PEERS_PEER_H

/*
 * Takes the only option, --tcp ADDRESS, and returns a socket that listens there, which is said on
 * standard error. SIGTERM will end the program.
 */
int peer_listen(int argc, char **argv);

#endif
