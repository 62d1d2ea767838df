/* SPDX-License-Identifier: MIT */
/*
 * A datagram is the client's number (32 bits) and the datagram's (64 bits), big-endian, then text
 * of the pattern. So it begins with a zero byte, and no server takes it for a header of RTP.
 */
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/fail.h"
#include "load/load.h"
#include "load/wrong.h"

/* The kernel cuts a buffer into no more (UDP_MAX_SEGMENTS, Linux before 6.9). */
#define BATCH 64

#define COALESCED_BYTES_MAX (64 << 10)
#define RECEIVE_BUFFER_BYTES (4 << 20)

struct header {
	uint32_t client;
	uint64_t message;
} __attribute__((packed));

_Static_assert(sizeof(struct header) == UDP_HEADER_BYTES, "what settings.c makes room for");

/* UDP_GRO gives an int, UDP_SEGMENT takes 16 bits; both fit. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct header headers[BATCH];
static struct iovec vectors[BATCH][2];
static struct mmsghdr batch[BATCH];
static union control controls[BATCH];
static char buffers[BATCH * COALESCED_BYTES_MAX];

static void udp_open(struct load *load, struct client *client)
{
	client->fd = connection_open(load, SOCK_DGRAM);
	socket_receive_buffer(client->fd, RECEIVE_BUFFER_BYTES);
	if (load->settings.gso)
		socket_set(client->fd, SOL_UDP, UDP_GRO, 1, "UDP_GRO");
	client_watch(load, client, EPOLL_CTL_ADD, false);
}

/* Lists what a client has to send, as much as fits; returns how many datagrams that is. */
static unsigned gather(const struct load *load, const struct client *client)
{
	const struct format *question = &load->settings.question;
	uint64_t left = client->begun - client->sent;
	unsigned most = BATCH, count;

	if (load->settings.gso && UDP_BYTES_MAX / question->message_bytes < BATCH)
		most = (unsigned)(UDP_BYTES_MAX / question->message_bytes);
	for (count = 0; count < left && count < most; count++) {
		uint64_t message = client->sent + count;
		const char *text = pattern_at(client->index, message * question->body_bytes);

		headers[count] = (struct header){ htobe32(client->index), htobe64(message) };
		vectors[count][0] = (struct iovec){ &headers[count], sizeof(headers[count]) };
		vectors[count][1] = (struct iovec){ (void *)text, question->body_bytes };
		batch[count].msg_hdr =
			(struct msghdr){ .msg_iov = vectors[count], .msg_iovlen = 2 };
	}
	return count;
}

/* Sends datagrams as one buffer, which the kernel cuts. Returns how many it took, or -1. */
static int send_coalesced(const struct client *client, unsigned count, size_t message_bytes)
{
	struct cmsghdr *control = &controls[0].align;
	struct msghdr message = { .msg_iov = vectors[0],
				  .msg_iovlen = 2 * (size_t)count,
				  .msg_control = control,
				  .msg_controllen = CMSG_SPACE(sizeof(uint16_t)) };
	uint16_t segment = (uint16_t)message_bytes;

	*control = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(segment)),
				     .cmsg_level = SOL_UDP,
				     .cmsg_type = UDP_SEGMENT };
	memcpy(CMSG_DATA(control), &segment, sizeof(segment));
	return sendmsg(client->fd, &message, 0) < 0 ? -1 : (int)count;
}

static void udp_send(struct load *load, struct client *client)
{
	unsigned count;

	while ((count = gather(load, client)) > 0) {
		int sent;

		if (load->settings.gso && count > 1)
			sent = send_coalesced(client, count, load->settings.question.message_bytes);
		else
			sent = sendmmsg(client->fd, batch, count, 0);
		if (sent < 0 && errno != EAGAIN)
			fail("client %u: send: %s", client->index, strerror(errno));
		if (sent < 0) {
			if (!client->waits_to_send)
				client_watch(load, client, EPOLL_CTL_MOD, true);
			return;
		}
		client->sent += (unsigned)sent;
	}
	if (client->waits_to_send)
		client_watch(load, client, EPOLL_CTL_MOD, false);
}

/* Counts an answer, that of a message whose time is known or that of one long gone. */
static void count_answer(struct load *load, struct client *client, uint64_t message)
{
	uint64_t due_ns = client->due_ns[message & load->due_mask];
	bool is_known = client->begun - message <= load->due_mask + 1;

	if (!is_known || due_ns == DUE_LOST) {
		load->slice.late++;
	} else if (due_ns == DUE_ANSWERED) {
		load->slice.duplicated++;
	} else {
		load->slice.reordered += message < client->received;
		client_answered(load, client, message);
	}
	if (message >= client->received)
		client->received = message + 1;
}

static void check_piece(const struct client *client, size_t position, const void *expected,
			const char *got, size_t bytes)
{
	if (memcmp(expected, got, bytes) != 0)
		wrong_bytes(client->index, position, expected, got, bytes);
}

static void check_datagram(struct load *load, struct client *client, const char *data, size_t bytes)
{
	const struct format *answer = &load->settings.answer;
	const uint32_t index = htobe32(client->index);
	struct header header;
	uint64_t message;
	size_t at = answer->prefix_bytes;

	if (bytes != answer->message_bytes)
		fail("client %u: a datagram of %zu bytes instead of %zu", client->index, bytes,
		     answer->message_bytes);
	check_piece(client, 0, answer->prefix, data, at);
	memcpy(&header, data + at, sizeof(header));
	check_piece(client, at, &index, data + at, sizeof(index));
	message = be64toh(header.message);
	if (message >= client->sent)
		fail("client %u: an answer to datagram %llu, which was never sent", client->index,
		     (unsigned long long)message);
	at += sizeof(header);
	check_piece(client, at, pattern_at(client->index, message * answer->body_bytes), data + at,
		    answer->body_bytes);
	count_answer(load, client, message);
}

/* Of how many bytes each datagram of a received buffer is; all of it if it is a single one. */
static size_t segment_bytes(const struct mmsghdr *received)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(&received->msg_hdr);
	int bytes = 0;

	if (control && control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO)
		memcpy(&bytes, CMSG_DATA(control), sizeof(bytes));
	return bytes ? (size_t)bytes : received->msg_len;
}

static void check_received(struct load *load, struct client *client, const struct mmsghdr *received)
{
	const char *data = received->msg_hdr.msg_iov->iov_base;
	size_t segment = segment_bytes(received), left = received->msg_len;

	do {
		size_t bytes = segment < left ? segment : left;

		check_datagram(load, client, data, bytes);
		data += bytes;
		left -= bytes;
	} while (left);
}

/* One byte more than is expected shows a datagram that is too long. */
static void prepare_to_receive(const struct load *load, unsigned count)
{
	const bool gso = load->settings.gso;
	size_t bytes = gso ? COALESCED_BYTES_MAX : load->settings.answer.message_bytes + 1;

	for (unsigned i = 0; i < count; i++) {
		vectors[i][0] = (struct iovec){ buffers + i * bytes, bytes };
		batch[i].msg_hdr = (struct msghdr){
			.msg_iov = vectors[i],
			.msg_iovlen = 1,
			.msg_control = gso ? &controls[i] : NULL,
			.msg_controllen = gso ? sizeof(controls[i]) : 0,
		};
	}
}

/* Of the batch one place stays free, or else there may be more. */
static void udp_receive(struct load *load, struct client *client, uint32_t events)
{
	unsigned places =
		load->settings.inflight < BATCH ? (unsigned)load->settings.inflight + 1 : BATCH;
	int count;

	(void)events;
	do {
		prepare_to_receive(load, places);
		count = recvmmsg(client->fd, batch, places, 0, NULL);
		if (count < 0 && errno != EAGAIN)
			fail("client %u: recv: %s", client->index, strerror(errno));
		load->now_ns = clock_ns();
		for (int i = 0; i < count; i++)
			check_received(load, client, &batch[i]);
	} while (count == (int)places);
}

static void udp_expire(struct load *load, struct client *client)
{
	uint64_t remembered = load->due_mask + 1;
	uint64_t message = client->begun > remembered ? client->begun - remembered : 0;

	for (; message < client->begun; message++) {
		uint64_t due_ns = client->due_ns[message & load->due_mask];

		if (due_ns > DUE_LOST && load->now_ns > due_ns + load->settings.udp_timeout_ns)
			client_lost(load, client, message);
	}
}

const struct traffic udp_traffic = { .open = udp_open,
				     .send = udp_send,
				     .receive = udp_receive,
				     .expire = udp_expire,
				     .memory = 16 };
