/* SPDX-License-Identifier: MIT */
#include "program/health.h"

#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "program/address_syntax.h"

/*
 * A message that every service accepts in each mode: with a length prefix, for framing by length;
 * with a line ending; and in a datagram behind an RTP header (RFC 3550, 5.1) of the dynamic payload
 * type 96, for --udp-sequence.
 */
#define MESSAGE "health\n"
#define MESSAGE_BYTES (sizeof(MESSAGE) - 1)
#define LENGTH_BYTES 4
#define RTP_BYTES 12
#define RTP_VERSION_2 0x80
#define RTP_TYPE 96
#define RTP_SEQUENCE_AT 3

#define PREFIX "Received: "
#define PREFIX_BYTES (sizeof(PREFIX) - 1)

static const uint8_t stream_probe[LENGTH_BYTES + MESSAGE_BYTES] = "\0\0\0\x07" MESSAGE;
_Static_assert(MESSAGE_BYTES == 7, "the length is that of the message");

/* Attempts, since a datagram may be lost. */
#define UDP_TRIES 3

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, uint64_t end_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	const uint64_t now = now_ms();
	int ready = poll(&poll_fd, 1, now < end_ms ? (int)(end_ms - now) : 0);

	if (ready < 0)
		return -errno;
	return ready ? 0 : -ETIMEDOUT;
}

/* ---- Answers ---- */

/*
 * The prefix of `reply` is before or behind our header, as the header is part of the message or
 * not.
 */
static size_t prefix_bytes(const uint8_t *data, size_t bytes)
{
	return bytes >= PREFIX_BYTES && memcmp(data, PREFIX, PREFIX_BYTES) == 0 ? PREFIX_BYTES : 0;
}

static bool is_message(const uint8_t *data, size_t bytes)
{
	const size_t prefix = prefix_bytes(data, bytes);

	return bytes - prefix == MESSAGE_BYTES &&
	       memcmp(data + prefix, MESSAGE, MESSAGE_BYTES) == 0;
}

bool health_is_answer_of_tcp(const uint8_t *data, size_t bytes)
{
	const size_t prefix = prefix_bytes(data, bytes);
	uint32_t length;

	data += prefix;
	bytes -= prefix;
	if (bytes < LENGTH_BYTES)
		return false;
	memcpy(&length, data, LENGTH_BYTES);
	return be32toh(length) == bytes - LENGTH_BYTES &&
	       is_message(data + LENGTH_BYTES, bytes - LENGTH_BYTES);
}

bool health_is_answer_of_udp(const uint8_t *data, size_t bytes)
{
	const size_t prefix = prefix_bytes(data, bytes);

	data += prefix;
	bytes -= prefix;
	return bytes >= RTP_BYTES && data[0] == RTP_VERSION_2 && data[1] == RTP_TYPE &&
	       is_message(data + RTP_BYTES, bytes - RTP_BYTES);
}

/* ---- TCP ---- */

static int finish_connect(int fd, uint64_t end_ms)
{
	int error = wait_for(fd, POLLOUT, end_ms), result = 0;
	socklen_t bytes = sizeof(result);

	if (!error && getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &bytes))
		error = -errno;
	return error ? error : -result;
}

/* Reads to the end of the stream; returns the number of bytes or an error. */
static ssize_t read_to_end(int fd, uint8_t *to, size_t capacity, uint64_t end_ms)
{
	size_t used = 0;

	while (used < capacity) {
		int error = wait_for(fd, POLLIN, end_ms);
		ssize_t bytes = error ? error : recv(fd, to + used, capacity - used, 0);

		if (bytes == 0)
			return (ssize_t)used;
		if (bytes < 0)
			return error ? error : -errno;
		used += (size_t)bytes;
	}
	return -EBADMSG;
}

/* `discard` does not answer, but closes after our half-close: so it has read everything before. */
static int ask_tcp(int fd, uint64_t end_ms)
{
	uint8_t answer[HEALTH_ANSWER_BYTES_MAX];
	ssize_t bytes;
	int error = finish_connect(fd, end_ms);

	if (error)
		return error;
	if (send(fd, stream_probe, sizeof(stream_probe), MSG_NOSIGNAL) < 0 || shutdown(fd, SHUT_WR))
		return -errno;
	bytes = read_to_end(fd, answer, sizeof(answer), end_ms);
	if (bytes <= 0)
		return (int)bytes;
	return health_is_answer_of_tcp(answer, (size_t)bytes) ? 0 : -EBADMSG;
}

/* ---- UDP ---- */

static int ask_udp(int fd, uint64_t end_ms)
{
	uint8_t probe[RTP_BYTES + MESSAGE_BYTES] = { RTP_VERSION_2, RTP_TYPE };
	uint8_t answer[HEALTH_ANSWER_BYTES_MAX];
	const uint64_t begin_ms = now_ms();
	int error = -ETIMEDOUT;
	ssize_t bytes;

	memcpy(probe + RTP_BYTES, MESSAGE, MESSAGE_BYTES);
	for (uint8_t try = 1; try <= UDP_TRIES && error == -ETIMEDOUT; try++) {
		/* A new sequence number: a duplicate would not be answered. */
		probe[RTP_SEQUENCE_AT] = try;
		if (send(fd, probe, sizeof(probe), MSG_NOSIGNAL) < 0)
			return -errno;
		error = wait_for(fd, POLLIN, begin_ms + (end_ms - begin_ms) * try / UDP_TRIES);
	}
	if (error)
		return error;
	bytes = recv(fd, answer, sizeof(answer), 0);
	if (bytes < 0)
		return -errno;
	return health_is_answer_of_udp(answer, (size_t)bytes) ? 0 : -EBADMSG;
}

/* ---- Addresses ---- */

static int ask(const struct addrinfo *to, uint64_t end_ms)
{
	int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS)
		error = -errno;
	else
		error = to->ai_socktype == SOCK_STREAM ? ask_tcp(fd, end_ms) : ask_udp(fd, end_ms);
	close(fd);
	return error;
}

static int resolve(const char *url, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICSERV };
	char host[ADDRESS_HOST_BYTES];
	const char *port = address_split(url + sizeof("tcp://") - 1, host);

	hints.ai_socktype = strncmp(url, "tcp", 3) == 0 ? SOCK_STREAM : SOCK_DGRAM;
	/* NULL yields both loopback addresses, which localhost always means (RFC 6761, 6.3). */
	return getaddrinfo(strcmp(host, "localhost") == 0 ? NULL : host, port, &hints, list);
}

/* Tries the addresses of a name in turn until one answers; the time limit is split among them. */
static int ask_any(const struct addrinfo *list)
{
	const uint64_t begin_ms = now_ms();
	int error = -ETIMEDOUT, count = 0, done = 0;

	for (const struct addrinfo *one = list; one; one = one->ai_next)
		count++;
	for (const struct addrinfo *one = list; one && error; one = one->ai_next)
		error = ask(one, begin_ms + (uint64_t)(HEALTH_LIMIT_MS * ++done / count));
	return error;
}

static const char *fault_text(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return "no answer within a second";
	case -EINVAL: /* connect(2) */
		return "a link-local address needs a zone, as in [fe80::1%eth0]";
	case -EBADMSG:
		return "unexpected answer, not of a rollcall service";
	default:
		return strerror(-error);
	}
}

static const char *fault_of(const char *url)
{
	struct addrinfo *list;
	int error = resolve(url, &list);

	if (error)
		return gai_strerror(error);
	error = ask_any(list);
	freeaddrinfo(list);
	return error ? fault_text(error) : NULL;
}

int health_check(const struct options_addresses *addresses, struct diagnostics *diagnostics)
{
	int code = 0;

	for (unsigned i = 0; i < addresses->count; i++) {
		const char *fault = fault_of(addresses->list[i]);

		if (!fault)
			continue;
		diagnostics_say(diagnostics, ROLLCALL_LOG_ERROR, "%s is not healthy: %s",
				addresses->list[i], fault);
		code = 1;
	}
	return code;
}
