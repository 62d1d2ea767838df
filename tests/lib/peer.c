/* SPDX-License-Identifier: MIT */
#include "lib/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

const bool peers_are_simulated = false;

void peers_begin(void)
{
}

void peers_end(void)
{
}

void peers_take_descriptors(bool all)
{
	static rlim_t before;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (all)
		before = limit.rlim_cur;
	limit.rlim_cur = all ? 0 : before;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int fail(struct peer *peer)
{
	int error = -errno;

	peer_close(peer);
	return error;
}

int peer_connect(struct peer *peer, const struct address *to)
{
	peer->fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (peer->fd < 0)
		return -errno;
	if (connect(peer->fd, &to->any, to->bytes))
		return fail(peer);
	return fcntl(peer->fd, F_SETFL, O_NONBLOCK) ? fail(peer) : 0;
}

int peer_open_udp(struct peer *peer, const struct address *from, const struct address *to)
{
	peer->fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (peer->fd < 0)
		return -errno;
	if (from && bind(peer->fd, &from->any, from->bytes))
		return fail(peer);
	return connect(peer->fd, &to->any, to->bytes) ? fail(peer) : 0;
}

int peer_open_pipe(struct peer *peer, bool writes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	peer->fd = ends[writes];
	return fcntl(peer->fd, F_SETFL, O_NONBLOCK) ? -errno : ends[!writes];
}

int peer_address(const struct peer *peer, struct address *address)
{
	address->bytes = sizeof(address->v6);
	return getsockname(peer->fd, &address->any, &address->bytes) ? -errno : 0;
}

ssize_t peer_send(struct peer *peer, const void *data, size_t bytes)
{
	ssize_t sent = send(peer->fd, data, bytes, MSG_NOSIGNAL);

	if (sent < 0 && errno == ENOTSOCK)
		sent = write(peer->fd, data, bytes);
	return sent < 0 ? -errno : sent;
}

ssize_t peer_send_segments(struct peer *peer, const void *data, size_t bytes, size_t segment_bytes)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	const uint16_t segment = (uint16_t)segment_bytes;
	struct iovec piece = { (void *)data, bytes };
	struct msghdr message = { .msg_iov = &piece,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	header->cmsg_level = SOL_UDP;
	header->cmsg_type = UDP_SEGMENT;
	header->cmsg_len = CMSG_LEN(sizeof(segment));
	memcpy(CMSG_DATA(header), &segment, sizeof(segment));
	sent = sendmsg(peer->fd, &message, MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

ssize_t peer_receive(struct peer *peer, void *to, size_t bytes)
{
	ssize_t received = read(peer->fd, to, bytes);

	return received < 0 ? -errno : received;
}

void peer_shutdown(struct peer *peer)
{
	shutdown(peer->fd, SHUT_WR);
}

void peer_reset(struct peer *peer)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	peer_close(peer);
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}
