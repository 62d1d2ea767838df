/* SPDX-License-Identifier: MIT */
/*
 * scripted_udp.h - UDP clients of a scripted server: a service that writes down what it is told,
 * and what the server sends. For exactly one file of a test.
 */
#ifndef UNIT_SCRIPTED_UDP_H
#define UNIT_SCRIPTED_UDP_H

#include "unit/scripted_server.h"

#include <netinet/udp.h>
#include <stdio.h>

/* What the service was told since expect() was called last: "+0 " for a client that has connected,
 * "0:text " for what it has sent, "-0(reason) ". Nobody's datagrams are "none:text ". */
static char events[65536];
static size_t events_bytes;

/* The service sends each message back. */
static bool is_answering;

/* Called for each message, if it is set. */
static void (*on_message)(rollcall_client client, const void *data, size_t bytes);

__attribute__((format(printf, 1, 2))) static inline void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	events_bytes += (size_t)vsnprintf(events + events_bytes, sizeof(events) - events_bytes,
					  format, arguments);
	va_end(arguments);
	assert_in_range(events_bytes, 0, sizeof(events) - 1);
}

static inline void expect(const char *expected)
{
	assert_string_equal(events, expected);
	events[events_bytes = 0] = '\0';
}

static inline void on_connected(struct rollcall_server *of, rollcall_client client, void *context)
{
	(void)of;
	(void)context;
	note("+%u ", (unsigned)client);
}

static inline void on_received(struct rollcall_server *of, rollcall_client client, const void *data,
			       size_t bytes, void *context)
{
	(void)context;
	if (client == ROLLCALL_NONE)
		note("none:%.*s ", (int)bytes, (const char *)data);
	else
		note("%u:%.*s ", (unsigned)client, (int)bytes, (const char *)data);
	if (is_answering)
		assert_int_equal(rollcall_send(of, client, data, bytes), 0);
	if (on_message)
		on_message(client, data, bytes);
}

static inline void on_disconnected(struct rollcall_server *of, rollcall_client client, int reason,
				   void *context)
{
	(void)of;
	(void)context;
	note("-%u(%d) ", (unsigned)client, reason);
}

/* Set-up of cmocka, for options and a service that the test may still change. */
static inline int udp_begin(void **state)
{
	int error = scripted_begin(state);

	service.connected = on_connected;
	service.received = on_received;
	service.disconnected = on_disconnected;
	events[events_bytes = 0] = '\0';
	is_answering = false;
	on_message = NULL;
	return error;
}

/* Makes the server, which listens on an address, and receives. */
static inline void serve(const char *text)
{
	create();
	assert_int_equal(listen_on(text), 0);
	turn();
}

/* ---- Datagrams that come ---- */

static inline struct datagram_in datagram_from(const char *host, uint16_t port, const char *text)
{
	return (struct datagram_in){
		.from = make_address(host, port),
		.data = text,
		.bytes = strlen(text),
	};
}

static inline void come(const char *host, uint16_t port, const char *text)
{
	const struct datagram_in in = datagram_from(host, port, text);

	receive_datagram(&in);
}

/* Control data, piece after piece. */
struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[128];
	size_t used;
};

static inline void control_add(struct control *control, int level, int type, const void *data,
			       size_t bytes)
{
	struct cmsghdr *header = (struct cmsghdr *)(control->bytes + control->used);

	control->used += CMSG_SPACE(bytes);
	assert_in_range(control->used, 0, sizeof(control->bytes));
	header->cmsg_len = CMSG_LEN(bytes);
	header->cmsg_level = level;
	header->cmsg_type = type;
	memcpy(CMSG_DATA(header), data, bytes);
}

/* What comes is one buffer of datagrams of a size (udp(7), UDP_GRO). */
static inline void receive_batch(const struct datagram_in *in, int segment_bytes)
{
	struct datagram_in all = *in;
	struct control control = { 0 };

	control_add(&control, SOL_UDP, UDP_GRO, &segment_bytes, sizeof(segment_bytes));
	all.control = control.bytes;
	all.control_bytes = control.used;
	receive_datagram(&all);
}

/* ---- Datagrams that go ---- */

/* The send of datagrams that is in flight longest; NULL: none. */
static inline struct io_uring_sqe *find_sending(void)
{
	for (unsigned i = 0; i < kernel.started_count; i++) {
		struct io_uring_sqe *sqe = &kernel.started[i];

		if (sqe_is_send(sqe))
			return sqe;
	}
	return NULL;
}

static inline bool is_sending(void)
{
	return find_sending() != NULL;
}

/* What it sends; a single piece without control data goes without a message, to an address. */
static inline const struct msghdr *sending(void)
{
	static struct msghdr message;
	static struct iovec piece;
	const struct io_uring_sqe *sqe = find_sending();

	assert_non_null(sqe);
	message = sqe_message(sqe, &piece);
	return &message;
}

static inline void complete_send(int result)
{
	assert_true(is_sending());
	complete(find_sending(), result, 0);
	turn();
}

static inline size_t sending_bytes(void)
{
	const struct msghdr *message = sending();
	size_t bytes = 0;

	for (size_t i = 0; i < message->msg_iovlen; i++)
		bytes += message->msg_iov[i].iov_len;
	return bytes;
}

static inline void copy_sending(void *to, size_t bytes)
{
	const struct msghdr *message = sending();
	uint8_t *end = to;

	assert_int_equal(sending_bytes(), bytes);
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		memcpy(end, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
		end += message->msg_iov[i].iov_len;
	}
}

/* A piece of their control data; NULL: it has no such piece. */
static inline const void *sending_control(int level, int type)
{
	struct msghdr *message = (struct msghdr *)(uintptr_t)sending();

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
	     header = CMSG_NXTHDR(message, header))
		if (header->cmsg_level == level && header->cmsg_type == type)
			return CMSG_DATA(header);
	return NULL;
}

/* The segment size of a GSO batch; 0: it is a single datagram. */
static inline unsigned sending_segment(void)
{
	const uint16_t *bytes = sending_control(SOL_UDP, UDP_SEGMENT);

	return bytes ? *bytes : 0;
}

/* It is this text, to this peer, and it arrives. */
static inline void assert_sent(const char *text, const char *host, uint16_t port)
{
	const struct address to = make_address(host, port);
	char sent[1024];

	copy_sending(sent, strlen(text));
	assert_memory_equal(sent, text, strlen(text));
	assert_int_equal(sending()->msg_namelen, to.bytes);
	assert_memory_equal(sending()->msg_name, &to.any, to.bytes);
	complete_send((int)strlen(text));
}

#define UDP_TEST(test) cmocka_unit_test_setup_teardown(test, udp_begin, scripted_end)

#endif
