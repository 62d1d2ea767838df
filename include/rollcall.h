/* SPDX-License-Identifier: MIT */
/*
 * rollcall.h - a TCP and UDP server for many clients at once, on one io_uring.
 *
 * You write a service (a handful of callbacks); the library does the sockets. Every client, TCP or
 * UDP, has a number, its client ID, and all calls name a client by it. An ID is never used twice in
 * the life of a server, so a late call can reach a gone client (-ENOENT) but never a wrong one.
 *
 *	rollcall_options_defaults(&options);
 *	rollcall_create(&server, &options);
 *	rollcall_listen(server, "tcp://localhost:8080", &service, context);
 *	rollcall_run(server);
 *	rollcall_destroy(server);
 *
 * Threads: a server belongs to the thread that made it, as its ring does (Linux 6.1,
 * IORING_SETUP_SINGLE_ISSUER). All callbacks run in that thread. Only rollcall_post() may be called
 * from other threads. In them, and in a process forked from the server's, all other functions that
 * take a server do nothing and return -EPERM; rollcall_client_next() returns ROLLCALL_NONE and
 * rollcall_data() NULL.
 *
 * Errors: functions return 0 or a negative errno value, unless they say otherwise.
 *
 * The library never prints, never exits, installs no signal handler and has no global state.
 *
 * Requires Linux 6.1 and liburing 2.3 or later.
 */
#ifndef ROLLCALL_H
#define ROLLCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#if defined(__GNUC__)
/* Two functions have the names of the structs that they fill in, which C++ allows as well. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#endif

#define ROLLCALL_VERSION "0.1.0"

#if defined(__GNUC__)
#define ROLLCALL_EXPORT __attribute__((visibility("default")))
#else
#define ROLLCALL_EXPORT
#endif

/* A client ID: counts up from 0 in order of arrival, at most 2^56 - 1. */
typedef uint64_t rollcall_client;

/*
 * No client: what rollcall_client_next() starts from and ends with, and who has sent a datagram
 * that a stateless service gets though there is no room for one more client.
 */
#define ROLLCALL_NONE UINT64_MAX

struct rollcall_server;
struct rollcall_timer;

/* ---- Services ------------------------------------------------------------------------------- */

/* How the bytes of a TCP client become messages. A datagram is always one message. */
enum rollcall_framing {
	ROLLCALL_RAW,	 /* bytes as they come, in pieces of any size */
	ROLLCALL_LINES,	 /* lines, delivered with their LF or CR LF; the last may lack it */
	ROLLCALL_LENGTH, /* a 32-bit big-endian length, then so many bytes; the length is taken off
			  * received messages and put before each sent one */
};

/*
 * A service: what to do with clients. All callbacks are optional. The struct must stay as it is for
 * as long as the server lives. In a callback every function of this header may be called, about
 * every client; no callback of a service is called from inside one. Only rollcall_run() and
 * rollcall_destroy() are refused there, with -EBUSY.
 */
struct rollcall_service {
	/* sizeof(struct rollcall_service): tells versions apart, another size is refused. */
	size_t size;

	/* How TCP bytes become messages. */
	enum rollcall_framing framing;

	/*
	 * The longest TCP message in bytes, without its line ending or length prefix; 0 stands for
	 * 65,536. At most 2^30, and memory_bytes_max, where an unfinished message is held. Has no
	 * meaning for ROLLCALL_RAW and for datagrams.
	 */
	size_t message_bytes_max;

	/*
	 * A text that the service puts before its answers, or NULL. UDP datagrams that begin with
	 * it twice are dropped and counted: they have bounced between two servers that answer
	 * everything (CVE-2024-2169).
	 */
	const char *loop_prefix;

	/*
	 * Whether received() answers from the message alone. Then datagrams are answered also when
	 * there is no room for one more UDP client: received() is called with ROLLCALL_NONE, and
	 * rollcall_send() to that, from inside the callback, answers the datagram. Cookies work for
	 * it too. There is no connected() and no disconnected() for it, and every other call gives
	 * -ENOENT.
	 */
	bool stateless;

	/* A client has come. */
	void (*connected)(struct rollcall_server *server, rollcall_client client, void *context);

	/*
	 * A message has come. `data` is valid until the callback returns; sending it, or a part of
	 * it, to any TCP or UDP client from inside the callback does not copy it, unless it came
	 * in pieces or is short (bytes_copied counts). A datagram and a length-prefixed message
	 * may have 0 bytes.
	 */
	void (*received)(struct rollcall_server *server, rollcall_client client, const void *data,
			 size_t bytes, void *context);

	/*
	 * A TCP client began a message of more than `bytes_max` bytes. What is sent from this
	 * callback is the last that the client gets: it is closed, with the reason -EMSGSIZE.
	 */
	void (*oversized)(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
			  void *context);

	/*
	 * The output queue of a TCP client had passed `send_queue_bytes`, or refused a message, and
	 * is now at half of that or below: there is room again. Called for a half-closed client
	 * too, which ends only when its queue is empty and no call is due.
	 */
	void (*drained)(struct rollcall_server *server, rollcall_client client, void *context);

	/*
	 * A client is gone; called exactly once for each that connected. Until this returns its ID
	 * and its data still work; sending fails with -EPIPE. The reason:
	 *	0		it ended in good order (TCP: it half-closed, and has acknowledged
	 *			all answers)
	 *	-ECANCELED	rollcall_close()
	 *	-ECONNABORTED	rollcall_abort()
	 *	-ECONNRESET	TCP: the client reset the connection; also -EPIPE
	 *	-ETIMEDOUT	TCP: the client vanished (it answers no probes, or
	 *			net.ipv4.tcp_retries2), or acknowledged nothing of what was sent
	 *			to it for send_timeout_ms
	 *	-ETIME		it was idle for longer than the idle timeout
	 *	-EMSGSIZE	its message was too long
	 *	-ENOBUFS	no memory left for its input or output
	 *	-ENOSPC		UDP: others needed its place, and it had sent little
	 *	-ESHUTDOWN	the server stopped
	 * or any other errno value that the kernel gave.
	 */
	void (*disconnected)(struct rollcall_server *server, rollcall_client client, int reason,
			     void *context);
};

/* A short English text for a reason given to disconnected(), e.g. "reset by the client". Static. */
ROLLCALL_EXPORT const char *rollcall_reason_text(int reason);

/* ---- The server ------------------------------------------------------------------------------ */

enum rollcall_log_level {
	ROLLCALL_LOG_ERROR,
	ROLLCALL_LOG_WARNING,
	ROLLCALL_LOG_INFO,
	ROLLCALL_LOG_DEBUG,
};

/*
 * Whether datagrams begin with the header of RTP (RFC 3550, section 5.1): version 2, a payload
 * type, a sequence number of 16 bits, a timestamp, and the number of the source (SSRC). Timestamps
 * count microseconds, or for payload types below 96 what RFC 3551, section 6, says. Each source of
 * an address is a client of its own. Its datagrams are counted as section A.1 says; those that come
 * twice are not delivered, nor those more than 1,024 behind the latest. A sender that begins again
 * costs one datagram; that it is no copy of what came before is told by its timestamps. received()
 * gets what is behind the header. Answers get a header of the server's own: an SSRC and sequence
 * numbers for that client, and the marker, payload type and timestamp that came last. Those to
 * ROLLCALL_NONE have an SSRC of the server's too, but the sequence number that came.
 * What is not well-formed is dropped and counted.
 */
enum rollcall_udp_sequence {
	ROLLCALL_SEQUENCE_OFF,	/* datagrams are plain */
	ROLLCALL_SEQUENCE_RTP,	/* all must have the header */
	ROLLCALL_SEQUENCE_AUTO, /* those whose first byte is 128 to 191 have it (RFC 7983) */
};

/* Settings of a server. Fill them with rollcall_options_defaults(), then change what you like. */
struct rollcall_options {
	/* sizeof(struct rollcall_options). */
	size_t size;

	/*
	 * TCP clients at a time, 1 to 2^24; 65,536 by default. Lowered to what RLIMIT_NOFILE allows
	 * (the soft limit is first raised to the hard one), with a line to the log. Above it new
	 * clients wait in the backlog.
	 */
	unsigned tcp_clients_max;

	/*
	 * UDP clients at a time, 1 to 2^24; 65,536 by default. When there are so many, a client
	 * that has sent only once or twice makes room for the next one; one that has sent after an
	 * answer, or three times, keeps its place until it is idle for too long.
	 */
	unsigned udp_clients_max;

	/*
	 * UDP clients at a time from one IPv4 address, or from one IPv6 network of 64 bits; 1 to
	 * 2^24, 32,768 by default. A client behind NAT64 (64:ff9b::/96, RFC 6052) counts by its
	 * IPv4 address.
	 */
	unsigned udp_clients_per_source_max;

	/*
	 * Datagrams a second that are taken from one IPv4 address, or from one IPv6 network of 64
	 * bits, with as many at once after a second of silence; up to 1,000,000. Others are dropped
	 * and counted. 0, the default: no limit. All link-local neighbours are one network, and
	 * clients behind NAT64 count as above.
	 */
	unsigned udp_rate;

	/* Whether UDP clients number their datagrams; see there. Off by default. */
	enum rollcall_udp_sequence udp_sequence;

	/*
	 * What the kernel holds of datagrams that have come, and of those that go, in bytes for
	 * each UDP address; below 2^30. Without the capability CAP_NET_ADMIN it holds no more than
	 * net.core.rmem_max and wmem_max; what it holds less is logged. 0, the default: as the
	 * kernel likes.
	 */
	size_t udp_receive_buffer_bytes;
	size_t udp_send_buffer_bytes;

	/*
	 * Soft limit of a TCP client's output queue in bytes, 4,096 to 2^30; 1 MiB by default.
	 * Above it the client's own input pauses, until the queue is at half of it.
	 */
	size_t send_queue_bytes;

	/* Hard limit of that queue in bytes, at least the soft one; 4 MiB by default. Above it
	 * rollcall_send() returns -ENOBUFS. */
	size_t send_queue_bytes_max;

	/*
	 * What all queues together may hold in bytes, 1 MiB to 2^40; 256 MiB by default. When three
	 * quarters are in use, rollcall_send() returns -ENOMEM where it would make a client's queue
	 * longer than 4 KiB, so that something is left for the others.
	 */
	size_t memory_bytes_max;

	/*
	 * Idle timeout of a TCP client in milliseconds; 0, the default: none. What the client
	 * acknowledges counts as activity, not only what it sends. May fire up to 1/16 late, or
	 * once again as late if it has had output to acknowledge. At most 2^31 - 1, as the others
	 * below.
	 */
	uint64_t tcp_idle_timeout_ms;

	/*
	 * Forgets a UDP client likewise; 120,000 by default (RFC 4787, REQ-5), at least 1. One that
	 * has sent only once or twice is forgotten after 10 s, if that is sooner.
	 */
	uint64_t udp_idle_timeout_ms;

	/*
	 * Send timeout of a TCP client in milliseconds; 120,000 by default, 0: none. Resets a
	 * client that acknowledges nothing for this long while its output does not fit into the
	 * socket, or while it is being closed and has not acknowledged everything: it does not
	 * read, or is gone. May fire up to 1/8 late. Output that fits into the socket of an open
	 * client is not watched, unless it has an idle timeout.
	 */
	uint64_t send_timeout_ms;

	/*
	 * Probes a silent TCP client after so long, to find out that it has vanished, in
	 * milliseconds, rounded up to seconds; 60,000 by default, 0: never, at most 32,767,000. Six
	 * probes in as much time again end it. (tcp(7), TCP_KEEPIDLE)
	 */
	uint64_t keepalive_ms;

	/* How long rollcall_stop() waits for clients to take their answers, in milliseconds; 5,000
	 * by default. */
	uint64_t drain_timeout_ms;

	/*
	 * Before the loop sleeps, it looks for so long for something to do, in microseconds, up to
	 * 1,000,000; 0, the default: it sleeps at once. Saves the time of waking up, and costs a
	 * whole core as long as clients send more often than that.
	 */
	uint64_t spin_us;

	/*
	 * Answers UDP clients that send from a port below 1024: those are mostly other services,
	 * and two that answer each other do so forever. Off by default.
	 */
	bool udp_low_ports;

	/* The least important level that log() is called with; ROLLCALL_LOG_INFO by default. */
	enum rollcall_log_level log_level;

	/*
	 * Called with one line of text, without a line ending, for each event of note; or NULL.
	 * `text` is valid until it returns. It is called in the server's thread, and may call
	 * rollcall_write(), rollcall_timer_start() and rollcall_post(), once rollcall_create() has
	 * returned.
	 *
	 * Of each kind of warning or error at most 5 lines in 60 s are written. The others are
	 * counted, and one line tells their number at the end of that time, and when the server is
	 * destroyed.
	 */
	void (*log)(enum rollcall_log_level level, const char *text, void *context);
	void *log_context;
};

/* Fills options with the defaults. `size` is sizeof(struct rollcall_options). */
ROLLCALL_EXPORT void rollcall_options_init(struct rollcall_options *options, size_t size);

static inline void rollcall_options_defaults(struct rollcall_options *options)
{
	rollcall_options_init(options, sizeof(*options));
}

/*
 * Makes a server in *server, owned by the caller until rollcall_destroy(). `options` is copied;
 * NULL stands for the defaults. Why it failed, with the setting and its limits, goes to the log;
 * apart from a `size` that is not set. Errors:
 *	-EINVAL		a bad option, or the kernel is older than 6.1
 *	-ENOSYS		no io_uring in this kernel, or hidden by seccomp (Podman)
 *	-EPERM		io_uring is forbidden: seccomp (Docker), kernel.io_uring_disabled (6.6)
 *	-EACCES		by a security module, as SELinux
 *	-EOPNOTSUPP	seen on managed Kubernetes
 *	-ENOMEM		no memory or address space (RLIMIT_AS, RLIMIT_DATA), or RLIMIT_MEMLOCK too
 *			small for even the smallest rings
 *	-EMFILE		no file descriptor left; also -ENFILE
 */
ROLLCALL_EXPORT int rollcall_create(struct rollcall_server **server,
				    const struct rollcall_options *options);

/*
 * Listens on an address with a service: "tcp://HOST:PORT" or "udp://HOST:PORT". HOST is a name, an
 * IPv4 address, an IPv6 address in brackets, or * for every address of this machine; localhost is
 * 127.0.0.1 and ::1 (RFC 6761, section 6.3). [::] takes IPv6 only. PORT 0 stands for a free one,
 * the same for all addresses of a name. `context` is passed to the callbacks. At most 64 addresses
 * a server. May be called before rollcall_run() and from callbacks. Why it failed goes to the
 * log, with the address.
 *
 * UDP: what comes from an address and port of the server's own is not answered, as two servers
 * could answer each other without end. For * the server opens an rtnetlink(7) socket, to know this
 * machine's addresses, which may change while it runs. Where that is forbidden (seccomp), or the
 * socket is of another network namespace, no datagram from that port number is answered.
 *
 * A socket on * receives multicast only of groups that it has joined itself.
 *
 * Errors:
 *	-EINVAL		malformed address, port or service
 *	-ENOENT		the name does not resolve
 *	-EADDRINUSE	the port is in use; some 20 ms also after a process with a server there
 *			was killed, as the kernel frees a ring later: try again
 *	-EADDRNOTAVAIL	not an address of this machine
 *	-ENODEV		a link-local address without its zone: [fe80::1%eth0] has one
 *	-EACCES		a privileged port
 *	-ENOSPC		more than 64 addresses
 *	-ESHUTDOWN	the server is stopping
 * or what socket(2), bind(2) and listen(2) return.
 */
ROLLCALL_EXPORT int rollcall_listen(struct rollcall_server *server, const char *address,
				    const struct rollcall_service *service, void *context);

/*
 * Takes over a socket that somebody else has bound, as service managers do (sd_listen_fds(3)): one
 * of TCP that listens, or one of UDP. On success it belongs to the server, which closes it in the
 * end, without shutting it down: clients that wait there stay, if somebody else has it open. On
 * failure it still belongs to the caller. The rest is as for rollcall_listen().
 *
 * Options get the values of the server's own sockets, also for others that have the socket open:
 *	TCP	SO_REUSEADDR, TCP_NODELAY and SO_KEEPALIVE as of rollcall_listen(); SO_LINGER,
 *		SO_OOBINLINE, TCP_CORK, IP_RECVERR off; SO_RCVLOWAT 1; no SO_RCVTIMEO, SO_SNDTIMEO
 *	UDP	UDP_GRO on; on a wildcard address IP_PKTINFO, or IPV6_RECVPKTINFO and
 *		IPV6_FREEBIND, on; IP_RECVERR, IP_MULTICAST_ALL, SO_BROADCAST, UDP_CORK,
 *		UDP_SEGMENT, and all that adds control data (SO_TIMESTAMP, SO_TIMESTAMPING,
 *		IP_RECVTTL, IP_RECVTOS and the like; likewise for IPv6) off
 * Others stay: SO_RCVBUF and SO_SNDBUF unless rollcall_options asks for a size, TTL, TOS, SO_MARK,
 * SO_BINDTODEVICE, IP_MTU_DISCOVER, memberships of multicast groups, filters. What has come before
 * is not affected: connections have the old options, and datagrams to 0.0.0.0 may lack the address
 * that they were sent to.
 *
 * Errors:
 *	-EBADF		not an open descriptor
 *	-ENOTSOCK	not a socket
 *	-EAFNOSUPPORT	neither IPv4 nor IPv6
 *	-EPROTONOSUPPORT neither TCP nor UDP
 *	-EINVAL		TCP, but it does not listen; UDP, but it is not bound; a bad service
 *	-EOPNOTSUPP	IPv6 that takes IPv4 too: bind it with IPV6_V6ONLY (ipv6(7))
 *	-EEXIST		the server has it already
 *	-ENOSPC		more than 64 addresses
 *	-ESHUTDOWN	the server is stopping
 * or what setsockopt(2) returns.
 */
ROLLCALL_EXPORT int rollcall_adopt(struct rollcall_server *server, int fd,
				   const struct rollcall_service *service, void *context);

/*
 * Writes the index-th address that is listened on, like "tcp 127.0.0.1:8080", with a final NUL;
 * 80 bytes are always enough. Errors: -ENOENT no such index; -ENOSPC too little room.
 */
ROLLCALL_EXPORT int rollcall_listening(struct rollcall_server *server, unsigned index, char *text,
				       size_t bytes);

/*
 * Serves until rollcall_stop() and the drain after it, then returns 0. -EBUSY: called from a
 * callback. Another negative errno value: the ring failed (-EBADR: the kernel lost completions).
 */
ROLLCALL_EXPORT int rollcall_run(struct rollcall_server *server);

/*
 * Stops: accepts no more clients, answers what has arrived, half-closes each client when it has
 * nothing more to answer, and lets rollcall_run() return when all have acknowledged their answers
 * and are gone, at the latest after `drain_timeout_ms`. For half of that time it also answers what
 * arrives meanwhile, and waits for the rest of messages that have begun; for a quarter, but 1 s at
 * most, it waits for the first message of a client that has connected less than 1 s ago. A second
 * call ends it at once. Returns 0. From another thread, post it.
 */
ROLLCALL_EXPORT int rollcall_stop(struct rollcall_server *server);

/*
 * Frees all that the server holds, after aborting the clients that are left; their disconnected()
 * is called. NULL is allowed. If rollcall_run() failed, or operations do not end within some
 * seconds, memory that the kernel may still write to is left as it is. -EBUSY: called from a
 * callback; nothing is freed. A forked process gets rid of what it has of a server, sockets
 * included, by execve(2) or by ending.
 */
ROLLCALL_EXPORT int rollcall_destroy(struct rollcall_server *server);

/* ---- Clients --------------------------------------------------------------------------------- */

/*
 * Sends a message of 0 to 2^30 bytes: to a TCP client with the framing of its service, to a UDP
 * client as one datagram. The bytes are taken over at once (copied, or referenced if they lie in a
 * message just received), so `data` may be reused after the call. 0: it is queued. A datagram may
 * be lost here as anywhere on its way; then 0 is returned and it is counted in the statistics.
 * Errors:
 *	-ENOENT		the client is gone
 *	-EPIPE		it is being closed
 *	-ENOBUFS	TCP: its queue is at the hard limit, `send_queue_bytes_max`
 *	-ENOMEM		TCP: memory is short: all queues together are near `memory_bytes_max`
 *	-EMSGSIZE	UDP: more than 65,507 bytes (65,527 over IPv6), 12 less for a client that
 *			numbers its datagrams; TCP: more than the hard limit of the queue
 *	-EINVAL		more than 2^30 bytes, or `count` above 16
 * With any of them nothing was queued. After -ENOBUFS and -ENOMEM drained() is called when there is
 * room again.
 */
ROLLCALL_EXPORT int rollcall_send(struct rollcall_server *server, rollcall_client client,
				  const void *data, size_t bytes);

/* The same, for a message in up to 16 parts. */
ROLLCALL_EXPORT int rollcall_sendv(struct rollcall_server *server, rollcall_client client,
				   const struct iovec *parts, unsigned count);

/*
 * Ends a client gracefully: no more messages are received, what is queued is delivered, the
 * connection is shut down, and, when the client has acknowledged everything (send_timeout_ms
 * applies), closed as soon as the client ends its side, at the latest 2 s later. A UDP client is
 * forgotten. -ENOENT: gone already.
 */
ROLLCALL_EXPORT int rollcall_close(struct rollcall_server *server, rollcall_client client);

/*
 * Ends a client at once: what is queued is dropped and the connection is reset. Datagrams that were
 * sent to a UDP client are sent all the same. -ENOENT: gone.
 */
ROLLCALL_EXPORT int rollcall_abort(struct rollcall_server *server, rollcall_client client);

enum rollcall_transport { ROLLCALL_TCP = 1, ROLLCALL_UDP = 2 };

/* What is known of numbered datagrams. */
struct rollcall_sequence {
	uint32_t ssrc; /* of the client */

	/* All that came with a good number, duplicates too, and how many there should be, the first
	 * to the latest (RFC 3550, A.3); but not those before two have come in sequence (A.1). What
	 * expected has more than received is the loss that RTP reports: duplicates hide in it, and
	 * make it negative even. */
	uint64_t received;
	uint64_t expected;

	uint64_t lost;	     /* numbers that never came, or not yet */
	uint64_t duplicates; /* came again; not delivered */
	uint64_t reordered;  /* came after a higher number, but are delivered (RFC 4737) */
	uint64_t late;	     /* came too late to tell; not delivered */
	uint64_t restarts;   /* the numbers jumped, or began again, and went on from there */
	/* Of the interarrival times (RFC 3550, A.8), in microseconds; between datagrams whose
	 * payload types have different clocks it is not measured. */
	uint64_t jitter_us;
};

struct rollcall_client_info {
	/* sizeof(struct rollcall_client_info), set by the caller. */
	size_t size;
	enum rollcall_transport transport;

	/*
	 * The client's address; of length 0 if it has none any more: in disconnected(), and once a
	 * TCP connection was reset. Whoever wants it then keeps it from connected().
	 */
	struct sockaddr_storage address;
	socklen_t address_bytes;

	/* Messages and their bytes, without framing, in both directions. */
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t bytes_received;
	uint64_t bytes_sent;

	/* TCP: bytes in its output queue. */
	size_t queued_bytes;

	/* UDP: of a client that numbers its datagrams. */
	bool has_sequence;
	struct rollcall_sequence sequence;
};

/* Tells about a client. Errors: -ENOENT gone; -EINVAL `size` is not set. */
ROLLCALL_EXPORT int rollcall_client_info(struct rollcall_server *server, rollcall_client client,
					 struct rollcall_client_info *info);

/*
 * Walks the clients: returns the one after `client`, the first for ROLLCALL_NONE, and ROLLCALL_NONE
 * after the last. The order is that of places in the table, which does not change: by ID, until a
 * place is used a second time. `client` may have gone meanwhile: a walk visits each client that is
 * there from its begin to its end exactly once, and each that comes or goes meanwhile at most once.
 * Clients that are gone cost nothing.
 */
ROLLCALL_EXPORT rollcall_client rollcall_client_next(struct rollcall_server *server,
						     rollcall_client client);

/* Keeps a pointer of the service's own with a client, and gives it back; NULL at first. The library
 * never follows it. -ENOENT, or NULL: the client is gone. */
ROLLCALL_EXPORT int rollcall_set_data(struct rollcall_server *server, rollcall_client client,
				      void *data);
ROLLCALL_EXPORT void *rollcall_data(struct rollcall_server *server, rollcall_client client);

/*
 * Makes a token for a client's address and this moment, in ROLLCALL_COOKIE_BYTES bytes. Who sends
 * it back has received it at that address; the source address of a datagram alone proves nothing.
 * The server keeps nothing for it: send it, and commit memory or long answers only when
 * rollcall_cookie_check() says that it came back. -ENOENT: the client is gone or has no address any
 * more.
 */
ROLLCALL_EXPORT int rollcall_cookie(struct rollcall_server *server, rollcall_client client,
				    uint8_t *cookie);

/*
 * Whether a token was made for this client's address, by this server, in the last 4 to 8 s. 0: it
 * was; -EACCES: it was not, or is too old; -ENOENT: as above.
 */
ROLLCALL_EXPORT int rollcall_cookie_check(struct rollcall_server *server, rollcall_client client,
					  const uint8_t *cookie);

#define ROLLCALL_COOKIE_BYTES 8

/* ---- The loop: other threads, time, files ---------------------------------------------------- */

/*
 * Runs call(server, context) on the server's thread, soon, in the order of posting. May be called
 * from any thread; it must have returned before the server is destroyed. What is posted after
 * rollcall_run() has returned runs in rollcall_destroy(); what that posts in turn does not. Errors:
 *	-ENOMEM		no memory
 *	-EPERM		a forked process
 */
ROLLCALL_EXPORT int rollcall_post(struct rollcall_server *server,
				  void (*call)(struct rollcall_server *server, void *context),
				  void *context);

/*
 * Calls expired() after `after_ms` milliseconds, and then, unless `every_ms` is 0, again and again.
 * *timer is for rollcall_timer_stop() and is gone after the only, or last, call. -ENOMEM: no
 * memory.
 */
ROLLCALL_EXPORT int rollcall_timer_start(
	struct rollcall_server *server, struct rollcall_timer **timer, uint64_t after_ms,
	uint64_t every_ms, void (*expired)(struct rollcall_server *server, void *context),
	void *context);

/* Stops and frees a timer that has not come to its end. May be called from its own expired(). */
ROLLCALL_EXPORT int rollcall_timer_stop(struct rollcall_server *server,
					struct rollcall_timer *timer);

/*
 * A read from or a write to a file of the caller's (a pipe, a terminal, a signalfd), done by the
 * server's ring, so that it never blocks the server. The struct and the memory belong to the caller
 * and must stay until done() was called, with the number of bytes moved, which may be fewer than
 * asked for, or a negative errno value; -ECANCELED: the drain is over. Reads and writes are at the
 * file's own position. A write to a broken pipe raises SIGPIPE, as write(2) does: ignore it, and
 * -EPIPE comes. rollcall_run() waits for writes, not for reads, before it returns.
 */
struct rollcall_io {
	int fd;
	void *data;
	size_t bytes;
	void (*done)(struct rollcall_server *server, struct rollcall_io *io, int result);
	void *context;
};

/* Start a read or a write. -EBUSY: 16 are under way. -EINVAL: more than 2^30 bytes. -ESHUTDOWN: the
 * drain is over. */
ROLLCALL_EXPORT int rollcall_read(struct rollcall_server *server, struct rollcall_io *io);
ROLLCALL_EXPORT int rollcall_write(struct rollcall_server *server, struct rollcall_io *io);

/* Counters since the server was made, unless they are named "now". */
struct rollcall_stats {
	/* sizeof(struct rollcall_stats), set by the caller. */
	size_t size;
	uint64_t turns;	      /* of the loop; each is one io_uring_enter(2), two with spin_us */
	uint64_t completions; /* handled */
	uint64_t tcp_clients_now;
	uint64_t tcp_clients;
	uint64_t udp_clients_now;
	uint64_t udp_clients;
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t bytes_copied;	    /* into queues, instead of sent in place */
	uint64_t memory_bytes_now;  /* held by queues and unfinished messages */
	uint64_t accept_pauses;	    /* table full, or no descriptor or memory to accept with */
	uint64_t receive_pauses;    /* a client's input paused: its queue passed the soft limit */
	uint64_t buffers_exhausted; /* a receive found the pool of buffers dry */
	uint64_t sends_refused;	    /* rollcall_send() returned -ENOBUFS or -ENOMEM */

	/* Datagrams dropped, by the reason. */
	uint64_t udp_full;	   /* the table of UDP clients was full */
	uint64_t udp_source_full;  /* the source had udp_clients_per_source_max clients */
	uint64_t udp_rate;	   /* the source sends more than udp_rate */
	uint64_t udp_no_ports;	   /* source port 0: nobody can be answered there */
	uint64_t udp_low_ports;	   /* source port below 1024 */
	uint64_t udp_own_sources;  /* an address of this server as the source, as far as known */
	uint64_t udp_bad_sources;  /* a broadcast or multicast source, or none */
	uint64_t udp_loops;	   /* they began with the prefix of answers twice */
	uint64_t udp_truncated;	   /* larger than a buffer */
	uint64_t udp_malformed;	   /* no well-formed header of RTP, where one has to be */
	uint64_t udp_kernel_drops; /* by the kernel: its receive buffer was full, or the checksum
				    * wrong; of an adopted socket since then. A GRO batch, up to
				    * 64 datagrams of one peer, counts once. */

	uint64_t udp_unlisted;	       /* datagrams delivered as from ROLLCALL_NONE */
	uint64_t udp_evictions;	       /* clients that made room for others */
	uint64_t udp_bundles_received; /* receives of several datagrams together (UDP_GRO) */
	uint64_t udp_bundles_sent;     /* sends of several datagrams together (UDP_SEGMENT) */
	uint64_t udp_sends_dropped;    /* answers dropped: no slot, memory or room in the socket */
	uint64_t udp_send_errors;      /* answers that the kernel refused */

	/* Numbered datagrams of all clients, as in struct rollcall_sequence. */
	uint64_t sequence_received;
	uint64_t sequence_expected;
	uint64_t sequence_lost;
	uint64_t sequence_duplicates;
	uint64_t sequence_reordered;
	uint64_t sequence_late;
	uint64_t sequence_restarts;

	uint64_t tcp_resets_found; /* of TCP clients: io_uring had not reported them */
};

/*
 * Copies the counters. All are true at any time; udp_kernel_drops takes a system call for each UDP
 * socket. -EINVAL: `size` is not set.
 */
ROLLCALL_EXPORT int rollcall_stats(struct rollcall_server *server, struct rollcall_stats *stats);

/* ---- The kernel ------------------------------------------------------------------------------ */

/* One feature of the kernel, as found by trying it. */
struct rollcall_feature {
	const char *name;  /* "multishot receive" */
	const char *since; /* the first mainline kernel that has it, "6.0" */
	bool required;	   /* the server does not run without it */
	bool used;	   /* the server makes use of it where it is there */
	int result;	   /* 0: it works; else the negative errno value that trying it gave */
};

/*
 * Tries the features of the kernel and fills up to `count` elements; returns how many there are.
 * Needs no server; opens and closes a ring.
 */
ROLLCALL_EXPORT int rollcall_features(struct rollcall_feature *features, unsigned count);

#ifdef __cplusplus
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
}
#endif

#endif
