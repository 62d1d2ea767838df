/* SPDX-License-Identifier: MIT */
/*
 * bare.h - epoll-bare, the smallest fast echo server over epoll: what rollcall is compared with. It
 * keeps no table and no counters, but loses nothing: not a byte when a client reads slowly, no
 * client when there are no files left, and no client's turn when another sends without an end.
 */
#ifndef EPOLL_BARE_H
#define EPOLL_BARE_H

#include <stdbool.h>
#include <stdint.h>

/* What an epoll event points to; the first member of a struct that knows more. */
struct source {
	void (*ready)(struct source *source, uint32_t events);
	int fd;
};

/* EPOLL_CTL_ADD or EPOLL_CTL_MOD. */
void source_watch(struct source *source, int operation, uint32_t events);

void tcp_listen(int fd);

struct udp_settings {
	bool is_plain;		  /* recvfrom() and sendto(), a datagram each, and no GRO */
	bool has_gro;		  /* take datagrams coalesced, and answer them so */
	int receive_buffer_bytes; /* 0: as the kernel likes */
};

void udp_open(int fd, const struct udp_settings *settings);

#endif
