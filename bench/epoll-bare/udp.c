/* SPDX-License-Identifier: MIT */
/*
 * UDP: a batch of datagrams is received and answered with one system call each. Datagrams that the
 * kernel has coalesced (UDP_GRO) are answered as they came, cut by the kernel (UDP_SEGMENT).
 *
 * The socket blocks, so an answer waits for room in the send buffer and is not dropped.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "epoll-bare/bare.h"
#include "lib/endpoint.h"
#include "lib/fail.h"

#define BATCH 64
#define DATAGRAM_BYTES_MAX (64 << 10)

/* UDP_GRO gives an int, UDP_SEGMENT takes 16 bits; both fit. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct source udp;
static char buffers[BATCH][DATAGRAM_BYTES_MAX];
static struct sockaddr_storage peers[BATCH];
static struct iovec vectors[BATCH];
static union control controls[BATCH];
static struct mmsghdr batch[BATCH];

static void prepare_to_receive(unsigned index)
{
	vectors[index] = (struct iovec){ buffers[index], sizeof(buffers[index]) };
	batch[index].msg_hdr = (struct msghdr){
		.msg_name = &peers[index],
		.msg_namelen = sizeof(peers[index]),
		.msg_iov = &vectors[index],
		.msg_iovlen = 1,
		.msg_control = &controls[index],
		.msg_controllen = sizeof(controls[index]),
	};
}

/* Of how many bytes each coalesced datagram was; 0: it is a single one. */
static uint16_t segment_bytes(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int bytes;

	if (!header || header->cmsg_level != SOL_UDP || header->cmsg_type != UDP_GRO)
		return 0;
	memcpy(&bytes, CMSG_DATA(header), sizeof(bytes));
	return (uint16_t)bytes;
}

/* The received becomes the answer, in place. */
static void prepare_to_send(unsigned index)
{
	struct msghdr *message = &batch[index].msg_hdr;
	uint16_t segment = segment_bytes(message);

	vectors[index].iov_len = batch[index].msg_len;
	message->msg_controllen = 0;
	if (segment && segment < batch[index].msg_len) {
		struct cmsghdr *header = &controls[index].align;

		*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(segment)),
					    .cmsg_level = SOL_UDP,
					    .cmsg_type = UDP_SEGMENT };
		memcpy(CMSG_DATA(header), &segment, sizeof(segment));
		message->msg_controllen = CMSG_SPACE(sizeof(segment));
	}
}

/* An answer that the kernel refuses is left out, like one that the network loses. */
static void send_batch(unsigned count)
{
	for (unsigned done = 0; done < count;) {
		int sent = sendmmsg(udp.fd, batch + done, count - done, 0);

		done += sent > 0 ? (unsigned)sent : 1;
	}
}

static void ready_batch(struct source *source, uint32_t events)
{
	static unsigned prepared;
	int count;

	(void)events;
	while (prepared < BATCH)
		prepare_to_receive(prepared++);
	count = recvmmsg(source->fd, batch, BATCH, MSG_DONTWAIT, NULL);
	if (count <= 0)
		return;
	for (unsigned i = 0; i < (unsigned)count; i++)
		prepare_to_send(i);
	send_batch((unsigned)count);
	for (unsigned i = 0; i < (unsigned)count; i++)
		prepare_to_receive(i);
}

static void ready_plain(struct source *source, uint32_t events)
{
	socklen_t peer_bytes = sizeof(peers[0]);
	ssize_t bytes;

	(void)events;
	for (unsigned i = 0; i < BATCH; i++) {
		peer_bytes = sizeof(peers[0]);
		bytes = recvfrom(source->fd, buffers[0], sizeof(buffers[0]), MSG_DONTWAIT,
				 (struct sockaddr *)&peers[0], &peer_bytes);
		if (bytes < 0)
			return;
		sendto(source->fd, buffers[0], (size_t)bytes, 0, (struct sockaddr *)&peers[0],
		       peer_bytes);
	}
}

void udp_open(int fd, const struct udp_settings *settings)
{
	if (settings->receive_buffer_bytes)
		socket_receive_buffer(fd, settings->receive_buffer_bytes);
	if (settings->has_gro && !settings->is_plain)
		socket_set(fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
	udp = (struct source){ .ready = settings->is_plain ? ready_plain : ready_batch, .fd = fd };
	source_watch(&udp, EPOLL_CTL_ADD, EPOLLIN);
}
