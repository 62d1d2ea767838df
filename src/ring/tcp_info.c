/* SPDX-License-Identifier: MIT */
/*
 * tcp_info.c - what TCP_INFO tells of connections and listening sockets. A separate file, as
 * <linux/tcp.h>, which has all of struct tcp_info, conflicts with <netinet/tcp.h>.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>

#include "ring/socket.h"

/* Connection states of tcpi_state (include/net/tcp_states.h of Linux). */
enum { FIN_WAIT1 = 4, FIN_WAIT2 = 5, TIME_WAIT = 6, CLOSED = 7, LAST_ACK = 9, CLOSING = 11 };

/* The error that ended the connection; 0: it ended in order. */
static int pending_error(int fd)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) ? -errno : -error;
}

int socket_delivery(struct ring *ring, int fd, struct socket_delivery *delivery)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	(void)ring;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		return -errno;
	delivery->acked = (uint32_t)info.tcpi_bytes_acked;
	switch (info.tcpi_state) {
	case CLOSED:
		delivery->is_pending = false;
		return pending_error(fd);
	case FIN_WAIT2: /* our FIN is acknowledged, and so all before it */
	case TIME_WAIT:
		delivery->is_pending = false;
		return 0;
	case FIN_WAIT1:
	case CLOSING:
	case LAST_ACK:
		delivery->is_pending = true;
		return 0;
	default:
		delivery->is_pending = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
		return 0;
	}
}

uint32_t socket_backlog(struct ring *ring, int fd)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	(void)ring;
	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes);
	return info.tcpi_unacked; /* sk_ack_backlog, of a listening socket */
}
