/* SPDX-License-Identifier: MIT */
/*
 * rollcall.h - a TCP and UDP server for many clients at once, on one io_uring.
 *
 * You write a service (a handful of callbacks); the library handles the sockets. Every client, TCP
 * or UDP, has a number, its client ID, and all calls name a client by it. An ID is never used twice
 * during the life of a server: a call with the ID of a client that is gone fails with -ENOENT, and
 * never reaches another client.
 *
 *	rollcall_options_defaults(&options);
 *	rollcall_create(&server, &options);
 *	rollcall_listen(server, "tcp://localhost:8080", &service, context);
 *	rollcall_run(server);
 *	rollcall_destroy(server);
 *
 * Threads: a server may be used only by the thread that created it, as its ring may be
 * (IORING_SETUP_SINGLE_ISSUER, Linux 6.1). All callbacks run in that thread. Only rollcall_post()
 * may be called from other threads. All other functions that take a server do nothing and return
 * -EPERM in another thread, and in a process forked from the server's; there rollcall_client_next()
 * returns ROLLCALL_NONE and rollcall_data() NULL.
 *
 * Errors: functions return 0 or a negative errno value, unless stated otherwise.
 *
 * Versions: a struct with a member `size`, which the program sets, grows at its end, as those of
 * openat2(2) and clone3(2) do. Program and library may have different versions of it:
 *	input	fields that only the library has get their defaults; fields that only the program
 *		has must be 0, otherwise the call returns -E2BIG
 *	output	fields that only the program has become 0
 * A size below that of version 0.2.0 gives -EINVAL, one above 4,096 -E2BIG.
 *
 * The soname stands for the ABI. Before 1.0 it carries the major and the minor version
 * (librollcall.so.0.2), as a minor version may break the ABI; from 1.0 on the major version alone.
 * While the soname stays, programs built with an older header run: functions and fields are only
 * added. Each function has the version that introduced it as its symbol version.
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
#endif

/* The version of this header; the number is 0xMMmmpp: major, minor and patch have 8 bits each. */
#define ROLLCALL_VERSION "0.2.0"
#define ROLLCALL_VERSION_MAJOR 0
#define ROLLCALL_VERSION_MINOR 2
#define ROLLCALL_VERSION_PATCH 0
#define ROLLCALL_VERSION_NUMBER                                                                    \
	(ROLLCALL_VERSION_MAJOR << 16 | ROLLCALL_VERSION_MINOR << 8 | ROLLCALL_VERSION_PATCH)

#if defined(__GNUC__)
#define ROLLCALL_EXPORT __attribute__((visibility("default")))
#else
#define ROLLCALL_EXPORT
#endif

/*
 * The version of the library in use, as ROLLCALL_VERSION_NUMBER and ROLLCALL_VERSION; it may differ
 * from the header's that the program was built with. May be called from any thread.
 */
ROLLCALL_EXPORT unsigned rollcall_version(void);
ROLLCALL_EXPORT const char *rollcall_version_text(void);

/* A client ID, assigned from 0 upwards in order of arrival; at most 2^56 - 1. */
typedef uint64_t rollcall_client;

/*
 * Not a client ID. Starts and ends a walk with rollcall_client_next(), and stands for the sender of
 * a datagram that a stateless service answers although no client can be added.
 */
#define ROLLCALL_NONE UINT64_MAX

struct rollcall_server;
struct rollcall_timer;

/* ---- Services ------------------------------------------------------------------------------- */

/* How a TCP byte stream is divided into messages. A datagram is always one message. */
enum rollcall_framing {
	ROLLCALL_FRAMING_RAW,	/* no division: bytes as they arrive, in pieces of any size */
	ROLLCALL_FRAMING_LINES, /* lines, delivered with their LF or CR LF; the last may lack it */
	/* A 32-bit big-endian length, then that number of bytes. The length is removed from
	 * received messages and put before each sent one. */
	ROLLCALL_FRAMING_LENGTH,
};

/*
 * A service: the callbacks for the clients of an address.
 *
 * All callbacks are optional. rollcall_listen() and rollcall_adopt() copy the struct: it may be
 * changed or freed after the call, without an effect on the address. A callback may call every
 * function of this header, for any client, except rollcall_run() and rollcall_destroy(), which
 * return -EBUSY there. No callback of a service is called from inside another.
 */
struct rollcall_service {
	size_t size; /* sizeof(struct rollcall_service) */

	/* How a TCP byte stream is divided into messages. */
	enum rollcall_framing framing;

	/*
	 * Maximum length of a TCP message in bytes, without its line ending or length prefix; 0:
	 * 65,536. At most 2^30, and at most memory_bytes_max, which also limits unfinished
	 * messages. Ignored for ROLLCALL_FRAMING_RAW and for datagrams.
	 */
	size_t message_bytes_max;

	/*
	 * Text with which the service's answers begin, or NULL. UDP datagrams that begin with it
	 * twice are dropped and counted (udp_dropped_loop): they have bounced between two servers
	 * that answer everything (CVE-2024-2169). "": the service sends back what it receives. A
	 * datagram that has bounced then looks as one that its peer repeats, so identical datagrams
	 * of one peer are dropped, and counted likewise, above 4 in a burst or 1 in a second; but
	 * only from source ports below 32,768, where clients seldom are, and from port numbers of
	 * the server's own. The text is not copied: it must stay valid until the server is
	 * destroyed.
	 */
	const char *loop_prefix;

	/*
	 * Whether received() needs the message alone to answer it, and no state of the client.
	 *
	 * If so, datagrams are also answered when no UDP client can be added (udp_clients_max,
	 * udp_clients_per_source_max): received() is called with ROLLCALL_NONE, and rollcall_send()
	 * to ROLLCALL_NONE from inside the callback answers the datagram. rollcall_cookie() and
	 * rollcall_cookie_check() accept ROLLCALL_NONE there too; other calls about it fail with
	 * -ENOENT, as for a client that is gone. connected() and disconnected() are not called.
	 */
	bool stateless;

	/* A client has connected, or a UDP client has sent its first datagram. */
	void (*connected)(struct rollcall_server *server, rollcall_client client, void *context);

	/*
	 * A message has arrived.
	 *
	 * `data` is valid until the callback returns. Sending it, or a part of it, to any TCP or
	 * UDP client from inside the callback does not copy it, unless it arrived in pieces or is
	 * short (copies are counted in bytes_copied). A datagram and a length-prefixed message may
	 * have 0 bytes.
	 */
	void (*received)(struct rollcall_server *server, rollcall_client client, const void *data,
			 size_t bytes, void *context);

	/*
	 * A TCP client has begun a message of more than `bytes_max` bytes. It is closed after this
	 * callback, with the reason -EMSGSIZE; what the callback sends is still delivered.
	 */
	void (*oversized)(struct rollcall_server *server, rollcall_client client, size_t bytes_max,
			  void *context);

	/*
	 * The output queue of a TCP client has space again.
	 *
	 * A call is due once the queue has exceeded `send_queue_bytes`, or rollcall_send() has
	 * returned -ENOBUFS or -ENOMEM. It is made when the queue has fallen to half of
	 * `send_queue_bytes`, and receiving from the client is no longer suspended. A client that
	 * has half-closed is not ended before that, so that the service can send the rest.
	 */
	void (*drained)(struct rollcall_server *server, rollcall_client client, void *context);

	/*
	 * A client is gone; called exactly once for each connected().
	 *
	 * Until it returns, the client's ID and its data pointer remain valid; sending fails with
	 * -EPIPE. The reason:
	 *	0		it ended in order (TCP: the client half-closed, and has acknowledged
	 *			all answers)
	 *	-ECANCELED	rollcall_close()
	 *	-ECONNABORTED	rollcall_abort()
	 *	-ECONNRESET	TCP: the client reset the connection; also -EPIPE
	 *	-ETIMEDOUT	TCP: the client vanished (no answer to keepalive probes, or to
	 *			retransmissions, net.ipv4.tcp_retries2), or it took too little
	 *			output for send_timeout_ms
	 *	-ETIME		the idle timeout expired
	 *	-ENODATA	TCP: its message did not end within message_timeout_ms
	 *	-EMSGSIZE	its message was too long
	 *	-ENOBUFS	no memory left for its input or output
	 *	-ENOSPC		others needed its memory (memory_bytes_max), or its place
	 *			(tcp_clients_max, udp_clients_max)
	 *	-ESHUTDOWN	the server stopped
	 * or any other errno value that the kernel returned.
	 */
	void (*disconnected)(struct rollcall_server *server, rollcall_client client, int reason,
			     void *context);
};

/* Returns a static English text for a reason of disconnected(), as "reset by the client". */
ROLLCALL_EXPORT const char *rollcall_reason_text(int reason);

/* ---- The server ------------------------------------------------------------------------------ */

enum rollcall_log_level {
	ROLLCALL_LOG_ERROR,
	ROLLCALL_LOG_WARNING,
	ROLLCALL_LOG_INFO,
	ROLLCALL_LOG_DEBUG,
};

/* What carries out the operations of a server. */
enum rollcall_engine {
	ROLLCALL_ENGINE_AUTO,	  /* io_uring, or epoll where io_uring cannot be used */
	ROLLCALL_ENGINE_IO_URING, /* Linux 6.1 or later, where it is not forbidden */
	ROLLCALL_ENGINE_EPOLL,	  /* epoll and ordinary system calls: everywhere, but slower */
};

/*
 * Whether datagrams begin with an RTP header (RFC 3550, section 5.1): version 2, a payload type, a
 * 16-bit sequence number, a timestamp, and the number of the source (SSRC). The units of timestamps
 * are microseconds, or for payload types below 96 those of RFC 3551, section 6.
 *
 * Each SSRC of an address is a client of its own. Its datagrams are counted by section A.1 of RFC
 * 3550. Duplicates are not delivered, nor are datagrams more than 1,024 behind the latest. When a
 * sender restarts its numbering, one datagram is lost; the timestamps tell a restart from
 * duplicates. received() gets what follows the header.
 *
 * Answers get a header of the server's own: an SSRC and sequence numbers for that client, and the
 * marker, payload type and timestamp of the datagram that arrived last. Answers to ROLLCALL_NONE
 * have an SSRC of the server's too, but return the sequence number of the datagram. Malformed
 * datagrams are dropped and counted.
 */
enum rollcall_udp_sequence {
	ROLLCALL_SEQUENCE_OFF,	/* no datagram has the header */
	ROLLCALL_SEQUENCE_RTP,	/* every datagram must have the header */
	ROLLCALL_SEQUENCE_AUTO, /* those whose first byte is 128 to 191 have it (RFC 7983) */
};

/* Settings of a server. Fill them with rollcall_options_defaults(), then change some. */
struct rollcall_options {
	size_t size; /* sizeof(struct rollcall_options) */

	/*
	 * Maximum number of TCP clients, 1 to 2^24; 65,536 by default. Lowered to what
	 * RLIMIT_NOFILE allows (after its soft limit is raised to the hard one), which is logged.
	 * Further clients wait in the backlog. While all places are taken, a client from a source
	 * that holds fewer places than another is admitted: in the place of the longest silent
	 * client of the source that holds most, which is reset with -ENOSPC. A source is an IPv4
	 * address or an IPv6 /64 prefix. A client that has sent something in the last second (more
	 * with an idle timeout: 1/16 of it) is not ended, nor one whose source holds as few.
	 */
	unsigned tcp_clients_max;

	/*
	 * Maximum number of TCP clients of one source, up to 2^24; 0 (default): any, as many may be
	 * behind one address (NAT, a proxy). A client beyond it is reset.
	 */
	unsigned tcp_clients_per_source_max;

	/*
	 * Maximum number of UDP clients, 1 to 2^24; 65,536 by default. A client is new until it has
	 * shown that it receives answers: it has returned a cookie (rollcall_cookie_check()), or,
	 * if the service has made none for it, it has sent a datagram after an answer three times,
	 * a second or more apart. Then it is active, but at most three quarters of this number are.
	 * When the table is full, the new client that has been idle longest is evicted to admit
	 * another one; active clients stay until their idle timeout.
	 */
	unsigned udp_clients_max;

	/*
	 * Maximum number of UDP clients of one IPv4 address, or of one IPv6 /64 prefix; 1 to 2^24,
	 * 32,768 by default. Beyond it a new client is evicted that has been silent for 10 s. A
	 * client behind NAT64 (64:ff9b::/96, RFC 6052) counts by its IPv4 address.
	 */
	unsigned udp_clients_per_source_max;

	/*
	 * Rate limit in datagrams per second for one IPv4 address, or one IPv6 /64 prefix, up to
	 * 1,000,000; 0 (default): none. After a second of silence, a burst of the same number is
	 * accepted. An IPv6 /48 prefix as a whole has eight times the limit. Datagrams above a
	 * limit are dropped and counted. All link-local addresses count as one prefix, and clients
	 * behind NAT64 count as above.
	 */
	unsigned udp_rate;

	/* Whether datagrams have RTP headers; see enum rollcall_udp_sequence. Off by default. */
	enum rollcall_udp_sequence udp_sequence;

	/*
	 * SO_RCVBUF and SO_SNDBUF of each UDP socket in bytes, below 2^30; 0 (default): the
	 * kernel's default. Capped by net.core.rmem_max and net.core.wmem_max without
	 * CAP_NET_ADMIN; a smaller grant is logged.
	 */
	size_t udp_receive_buffer_bytes;
	size_t udp_send_buffer_bytes;

	/*
	 * SO_RCVBUF and SO_SNDBUF of each TCP client in bytes, below 2^30; 0 (default): the kernel
	 * adapts them, up to net.ipv4.tcp_rmem and tcp_wmem. Small ones limit the throughput to one
	 * buffer per round trip. Capped by net.core.rmem_max and wmem_max without CAP_NET_ADMIN.
	 */
	size_t tcp_receive_buffer_bytes;
	size_t tcp_send_buffer_bytes;

	/*
	 * Soft limit of a TCP client's output queue in bytes, 4,096 to 2^30; 1 MiB by default.
	 * Above it, receiving from that client is suspended until the queue has fallen to half of
	 * it.
	 */
	size_t send_queue_bytes;

	/*
	 * Hard limit of that queue in bytes, at least the soft limit; 4 MiB by default. Above it,
	 * rollcall_send() returns -ENOBUFS.
	 */
	size_t send_queue_bytes_max;

	/*
	 * Limit of the memory of all queues in bytes, 1 MiB to 2^40; 256 MiB by default. Receive
	 * buffers take as much again at most. Unfinished messages and held input count too.
	 *
	 * While more than half of it is in use, receiving from a TCP client is suspended above
	 * 16 KiB of queued output; while more than three quarters are in use, above 2 KiB. The last
	 * eighth is only for clients with at most 4 KiB of queued output, and for messages that
	 * short, so that clients that do read are still served. rollcall_send() returns -ENOMEM for
	 * what does not fit.
	 *
	 * While more than three quarters are in use, TCP clients are ended with -ENOSPC, until less
	 * is: first those that hold most, and have not got on for longest. A client gets on when it
	 * takes its output (see send_timeout_ms), or ends its message. If that leaves no space for
	 * the message of a client, it is ended with -ENOBUFS.
	 */
	size_t memory_bytes_max;

	/*
	 * Idle timeout of a TCP client in milliseconds; 0 (default): none. Acknowledgements of the
	 * client count as activity, not only data, except less than 1 KiB/s of output that does not
	 * fit into the socket. May fire up to 1/16 late, or twice that if the
	 * client had output to acknowledge. At most 2^31 - 1, as the timeouts below.
	 */
	uint64_t tcp_idle_timeout_ms;

	/*
	 * Idle timeout of a UDP client in milliseconds, at least 1; 120,000 by default (RFC 4787,
	 * REQ-5). At most 10 s for a new client (see udp_clients_max) while more than three
	 * quarters of the places are in use.
	 */
	uint64_t udp_idle_timeout_ms;

	/*
	 * Message timeout of a TCP client in milliseconds; 120,000 by default, 0: none. The longest
	 * time from the first byte of a line, or of a message with a length, to its last: without
	 * it a client could keep an unfinished message without end. The client is closed when what
	 * was queued for it is delivered. At most 5 s while places or memory are short (see
	 * send_timeout_ms). Time in which the server does not receive from the client does not
	 * count.
	 */
	uint64_t message_timeout_ms;

	/*
	 * Send timeout of a TCP client in milliseconds; 120,000 by default, 0: none. Resets a
	 * client that for this long acknowledges less than 1 KiB/s while its output does not fit
	 * into the socket, or nothing while it is being closed: it does not read, or is gone. May
	 * fire up to 1/8 late. At most 5 s while less than an eighth of the places of
	 * tcp_clients_max, or less than a quarter of memory_bytes_max, is free. With 0, a client
	 * that is being closed has the time of the idle timeout, if any. Output that fits into the
	 * socket of an open client is not watched, unless it has an idle timeout.
	 */
	uint64_t send_timeout_ms;

	/*
	 * Keepalive time of a TCP client in milliseconds, rounded up to seconds, at most
	 * 32,767,000; 60,000 by default, 0: no probes. After this time without data from the
	 * client, probes find out whether it has vanished; six unanswered probes, within the same
	 * time again, end it (tcp(7), TCP_KEEPIDLE).
	 */
	uint64_t keepalive_ms;

	/*
	 * Drain time in milliseconds: how long rollcall_stop() waits for clients to take their
	 * answers; 5,000 by default.
	 */
	uint64_t drain_timeout_ms;

	/*
	 * How long to poll the completion queue before sleeping, in microseconds, up to 1,000,000;
	 * 0 (default): not at all. Saves the latency of a wake-up, but uses a full core while
	 * clients send at shorter intervals than this.
	 */
	uint64_t spin_us;

	/*
	 * Whether to answer UDP datagrams from source ports below 1024. Such ports belong mostly to
	 * other services, and two services that answer each other do not stop. Off by default.
	 */
	bool udp_low_ports;

	/*
	 * ROLLCALL_ENGINE_AUTO by default. Over epoll, waits are rounded up to whole milliseconds,
	 * listening sockets are made non-blocking, and rollcall_read() and rollcall_write() of a
	 * regular file block until it is read or written; to a pipe or a terminal at most 4,096
	 * bytes (PIPE_BUF) are written at once.
	 */
	enum rollcall_engine engine;

	/* The least important level for which log() is called; ROLLCALL_LOG_INFO by default. */
	enum rollcall_log_level log_level;

	/*
	 * Called with one line of text, without a line ending, for each event to log; or NULL.
	 *
	 * `text` is valid until it returns. It is called in the server's thread, and may call
	 * rollcall_write(), rollcall_timer_start() and rollcall_post(), once rollcall_create() has
	 * returned.
	 *
	 * Of each kind of warning or error, at most 5 lines in 60 s are written. Further ones are
	 * counted, and one line reports their number at the end of the 60 s, and when the server is
	 * destroyed.
	 */
	void (*log)(enum rollcall_log_level level, const char *text, void *context);
	void *log_context;
};

/*
 * Fills in the defaults. `size` is the caller's sizeof(struct rollcall_options); a setting that it
 * does not include has its default in the library.
 */
ROLLCALL_EXPORT void rollcall_options_init(struct rollcall_options *options, size_t size);

static inline void rollcall_options_defaults(struct rollcall_options *options)
{
	rollcall_options_init(options, sizeof(*options));
}

/*
 * Creates a server in *server, owned by the caller until rollcall_destroy().
 *
 * `options` is copied; NULL: the defaults. The cause of a failure is logged, with the setting and
 * its limits, unless `size` is not set. With ROLLCALL_ENGINE_AUTO the errors marked * make the
 * server run over epoll instead. Errors:
 *	-EINVAL		a bad option, or * the kernel is older than 6.1
 *	-E2BIG		an option is set that this version of the library does not have
 *	-ENOSYS		* no io_uring in this kernel, or hidden by seccomp (Podman)
 *	-EPERM		* io_uring is forbidden: seccomp (Docker), kernel.io_uring_disabled (6.6)
 *	-EACCES		* forbidden by a security module, as SELinux
 *	-EOPNOTSUPP	* seen on managed Kubernetes
 *	-ENOMEM		no memory or address space (RLIMIT_AS, RLIMIT_DATA), or RLIMIT_MEMLOCK too
 *			small for even the smallest rings
 *	-EMFILE		no file descriptor left; also -ENFILE
 */
ROLLCALL_EXPORT int rollcall_create(struct rollcall_server **server,
				    const struct rollcall_options *options);

/*
 * Returns the engine of a server: ROLLCALL_ENGINE_IO_URING or ROLLCALL_ENGINE_EPOLL. *refusal,
 * unless NULL, is 0, or with ROLLCALL_ENGINE_AUTO the error of rollcall_create() for which the
 * server runs over epoll. Any thread.
 */
ROLLCALL_EXPORT enum rollcall_engine rollcall_get_engine(const struct rollcall_server *server,
							 int *refusal);

/*
 * Listens on an address with a service: "tcp://HOST:PORT" or "udp://HOST:PORT".
 *
 * HOST is a name, an IPv4 address, an IPv6 address in brackets, or * for all addresses of this
 * machine; localhost is 127.0.0.1 and ::1 (RFC 6761, section 6.3). [::] is IPv6 only. PORT 0
 * selects a free port, the same for all addresses of a name. `context` is passed to the callbacks.
 * At most 64 addresses per server. May be called before rollcall_run() and from callbacks. The
 * cause of a failure is logged, with the address.
 *
 * UDP: datagrams from an address and port of the server itself are dropped, as two servers could
 * answer each other without end. For * the server opens an rtnetlink(7) socket to learn this
 * machine's addresses, which may change while it runs. Where that is forbidden (seccomp), or the
 * UDP socket belongs to another network namespace, all datagrams from that port number are dropped.
 *
 * A socket on * receives multicast only of groups that it has joined itself.
 *
 * Errors:
 *	-EINVAL		malformed address, port or service
 *	-E2BIG		the service sets a field that this version of the library does not have
 *	-ENOENT		the name does not resolve
 *	-EADDRINUSE	the port is in use. Also for some 20 ms after a process with a server on it
 *			was killed, as the kernel frees the ring later: try again
 *	-EADDRNOTAVAIL	not an address of this machine
 *	-ENODEV		a link-local address without its zone: write [fe80::1%eth0]
 *	-EACCES		a privileged port
 *	-ENOSPC		more than 64 addresses
 *	-ESHUTDOWN	the server is stopping
 * or what socket(2), bind(2) and listen(2) return.
 */
ROLLCALL_EXPORT int rollcall_listen(struct rollcall_server *server, const char *address,
				    const struct rollcall_service *service, void *context);

/*
 * Takes over a bound socket that was passed in, as by a service manager (sd_listen_fds(3)): a
 * listening TCP socket, or a UDP socket.
 *
 * On success the socket belongs to the server, which finally closes it without shutdown(2): if
 * another process has it open, clients in its backlog stay there. On failure it still belongs to
 * the caller. The rest is as for rollcall_listen().
 *
 * These options are set as on the server's own sockets, which also affects other processes that
 * have the socket open:
 *	TCP	SO_REUSEADDR, TCP_NODELAY and SO_KEEPALIVE as of rollcall_listen(); SO_LINGER,
 *		SO_OOBINLINE, TCP_CORK, IP_RECVERR off; SO_RCVLOWAT 1; no SO_RCVTIMEO, SO_SNDTIMEO
 *	UDP	UDP_GRO on; on a wildcard address IP_PKTINFO, or IPV6_RECVPKTINFO and
 *		IPV6_FREEBIND, on; IP_RECVERR, IP_MULTICAST_ALL, SO_BROADCAST, UDP_CORK,
 *		UDP_SEGMENT, and all that adds control data (SO_TIMESTAMP, SO_TIMESTAMPING,
 *		IP_RECVTTL, IP_RECVTOS and the like; likewise for IPv6) off
 * All others stay: SO_RCVBUF and SO_SNDBUF unless rollcall_options sets a size, TTL, TOS, SO_MARK,
 * SO_BINDTODEVICE, IP_MTU_DISCOVER, multicast memberships, filters. Connections and datagrams
 * already queued are not affected: those connections have the old options, and datagrams to 0.0.0.0
 * may lack their destination address.
 *
 * Errors:
 *	-EBADF		not an open descriptor
 *	-ENOTSOCK	not a socket
 *	-EAFNOSUPPORT	neither IPv4 nor IPv6
 *	-EPROTONOSUPPORT neither TCP nor UDP
 *	-EINVAL		TCP, but not listening; UDP, but not bound; a bad service
 *	-E2BIG		the service sets a field that this version of the library does not have
 *	-EOPNOTSUPP	IPv6 that accepts IPv4 too: bind it with IPV6_V6ONLY (ipv6(7))
 *	-EEXIST		the server has it already
 *	-ENOSPC		more than 64 addresses
 *	-ESHUTDOWN	the server is stopping
 * or what setsockopt(2) returns.
 */
ROLLCALL_EXPORT int rollcall_adopt(struct rollcall_server *server, int fd,
				   const struct rollcall_service *service, void *context);

/*
 * Writes the index-th listening address, as "tcp 127.0.0.1:8080", with a final NUL; 80 bytes are
 * always enough. Errors: -ENOENT: no such index; -ENOSPC: `bytes` is too small.
 */
ROLLCALL_EXPORT int rollcall_listener_address(struct rollcall_server *server, unsigned index,
					      char *text, size_t bytes);

/*
 * Runs the loop until rollcall_stop() and the drain after it, then returns 0. Errors: -EBUSY:
 * called from a callback; any other: the ring failed (-EBADR: the kernel lost completions).
 */
ROLLCALL_EXPORT int rollcall_run(struct rollcall_server *server);

/*
 * Stops the server: accepts the clients that are in a backlog, and then no more, answers what has
 * arrived, and ends all clients.
 *
 * Each client is half-closed when all its input is answered. rollcall_run() returns when all
 * clients have acknowledged their answers and are gone, at the latest after `drain_timeout_ms`. In
 * the first half of that time, input that still arrives is answered too, and the rest of begun
 * messages is awaited. In the first quarter, but at most 1 s, the first message of a client that
 * connected less than 1 s ago is awaited. A second call ends all clients at once. Returns 0. To
 * call it from another thread, use rollcall_post().
 */
ROLLCALL_EXPORT int rollcall_stop(struct rollcall_server *server);

/*
 * Frees a server, after aborting the clients that are left; their disconnected() is called.
 *
 * NULL is allowed. -EBUSY: called from a callback; nothing is freed. If rollcall_run() failed, or
 * operations do not end within some seconds, memory that the kernel may still write to is leaked. A
 * forked child cannot free its copy of a server, sockets included; execve(2) or exiting does.
 */
ROLLCALL_EXPORT int rollcall_destroy(struct rollcall_server *server);

/* ---- Clients --------------------------------------------------------------------------------- */

/*
 * Sends a message of 0 to 2^30 bytes: to a TCP client with the framing of its service, to a UDP
 * client as one datagram.
 *
 * `data` may be reused after the call: the bytes are copied, or referenced if they lie in a message
 * just received. 0: it is queued. A datagram can be lost in the server as anywhere on its way: this
 * too returns 0, and is counted in the statistics. Errors:
 *	-ENOENT		the client is gone
 *	-EPIPE		it is being closed
 *	-ENOBUFS	TCP: its queue is at the hard limit, `send_queue_bytes_max`
 *	-ENOMEM		TCP: the memory of all queues is nearly used up, `memory_bytes_max`
 *	-EMSGSIZE	UDP: more than 65,507 bytes (65,527 over IPv6), 12 less for a client with
 *			RTP headers; TCP: more than the hard limit of the queue
 *	-EINVAL		more than 2^30 bytes, or `count` above 16
 * After any of them nothing is queued. After -ENOBUFS and -ENOMEM, drained() is called when the
 * queue has space again.
 */
ROLLCALL_EXPORT int rollcall_send(struct rollcall_server *server, rollcall_client client,
				  const void *data, size_t bytes);

/* As rollcall_send(), for a message in up to 16 parts. */
ROLLCALL_EXPORT int rollcall_sendv(struct rollcall_server *server, rollcall_client client,
				   const struct iovec *parts, unsigned count);

/*
 * Ends a client gracefully: sends what is queued, then closes. -ENOENT: already gone.
 *
 * No more messages are received. TCP: when the queue has been sent, the connection is half-closed.
 * When the client has acknowledged everything (send_timeout_ms applies), the socket is closed as
 * soon as the client closes its side too, at the latest 2 s later. A UDP client is removed.
 */
ROLLCALL_EXPORT int rollcall_close(struct rollcall_server *server, rollcall_client client);

/*
 * Ends a client at once: drops its queue and resets the connection. -ENOENT: already gone.
 * Datagrams already sent to a UDP client still leave.
 */
ROLLCALL_EXPORT int rollcall_abort(struct rollcall_server *server, rollcall_client client);

enum rollcall_transport { ROLLCALL_TCP = 1, ROLLCALL_UDP = 2 };

/* Statistics of the RTP datagrams of a client. */
struct rollcall_sequence {
	uint32_t ssrc; /* the client's */

	/*
	 * Datagrams with a valid number, duplicates included; and how many were expected, from the
	 * first to the latest (RFC 3550, A.3). Both leave out those before two have arrived in
	 * sequence (A.1). The loss that RTP reports is expected - received: duplicates reduce it,
	 * even below 0.
	 */
	uint64_t received;
	uint64_t expected;

	uint64_t lost;	     /* numbers that have not arrived, or not yet */
	uint64_t duplicates; /* arrived again; not delivered */
	uint64_t reordered;  /* arrived after a higher number; delivered (RFC 4737) */
	uint64_t late;	     /* too far behind to tell from duplicates; not delivered */
	uint64_t restarts;   /* the numbers jumped, or began again, and continued from there */
	/*
	 * Interarrival jitter in microseconds (RFC 3550, A.8). Not measured between datagrams whose
	 * payload types have different clocks.
	 */
	uint64_t jitter_us;
};

struct rollcall_client_info {
	/*
	 * sizeof(struct rollcall_client_info), or offsetof(struct rollcall_client_info, address)
	 * for the transport alone: the address takes a system call for a TCP client. On return: the
	 * number of bytes filled in.
	 */
	size_t size;
	enum rollcall_transport transport;

	/*
	 * The client's address. Length 0 when it is no longer known (in disconnected(), and after a
	 * TCP reset). Save it in connected() if you need it later.
	 */
	struct sockaddr_storage address;
	socklen_t address_bytes;

	/* Messages, and their bytes without framing, in both directions. */
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t bytes_received;
	uint64_t bytes_sent;

	/* TCP: bytes in the output queue. */
	size_t queued_bytes;

	/* UDP: set for a client with RTP headers. */
	bool has_sequence;
	struct rollcall_sequence sequence;
};

/* Fills in *info about a client. Errors: -ENOENT: gone; -EINVAL, -E2BIG: `size` is not set. */
ROLLCALL_EXPORT int rollcall_client_get_info(struct rollcall_server *server, rollcall_client client,
					     struct rollcall_client_info *info);

/*
 * Walks the clients: returns the one after `client`, the first for ROLLCALL_NONE, and ROLLCALL_NONE
 * after the last.
 *
 * The order is that of slots in the table, which does not change: by ID, until slots are reused.
 * `client` may have gone meanwhile. A walk visits each client that exists from its start to its end
 * exactly once, and each that comes or goes during it at most once. Free slots cost no time.
 */
ROLLCALL_EXPORT rollcall_client rollcall_client_next(struct rollcall_server *server,
						     rollcall_client client);

/*
 * Store and return a pointer of the service's own for a client; NULL at first. The library never
 * dereferences it. -ENOENT, or NULL: the client is gone.
 */
ROLLCALL_EXPORT int rollcall_set_data(struct rollcall_server *server, rollcall_client client,
				      void *data);
ROLLCALL_EXPORT void *rollcall_data(struct rollcall_server *server, rollcall_client client);

/*
 * Makes a token bound to the client's address and the current time, in ROLLCALL_COOKIE_BYTES bytes.
 *
 * A peer that returns it has proved that it can receive at that address; the source address of a
 * datagram alone proves nothing. The server stores nothing: send the token, and commit memory or
 * send long answers only once rollcall_cookie_check() has accepted it. A UDP client for which a
 * token was made becomes active (see udp_clients_max) only by returning it. -ENOENT: the client is
 * gone, or its address is no longer known.
 */
ROLLCALL_EXPORT int rollcall_cookie(struct rollcall_server *server, rollcall_client client,
				    uint8_t *cookie);

/*
 * Checks that this server made a token for this client's address in the last 4 to 8 s. 0: it did;
 * -EACCES: it did not, or the token is too old; -ENOENT: as above.
 */
ROLLCALL_EXPORT int rollcall_cookie_check(struct rollcall_server *server, rollcall_client client,
					  const uint8_t *cookie);

#define ROLLCALL_COOKIE_BYTES 8

/* ---- The loop: other threads, time, files ---------------------------------------------------- */

/*
 * Runs call(server, context) on the server's thread soon, in the order of posting.
 *
 * May be called from any thread; it must have returned before the server is destroyed. Calls posted
 * after rollcall_run() has returned run in rollcall_destroy(); calls that those post do not run.
 * Errors:
 *	-ENOMEM		no memory
 *	-EPERM		a forked process
 */
ROLLCALL_EXPORT int rollcall_post(struct rollcall_server *server,
				  void (*call)(struct rollcall_server *server, void *context),
				  void *context);

/*
 * Calls expired() after `after_ms` milliseconds, and then every `every_ms` milliseconds unless that
 * is 0. After a stall of the process it may run before received() of what arrived meanwhile. *timer
 * is for rollcall_timer_stop(), and is freed after the only or last call. -ENOMEM: no memory.
 */
ROLLCALL_EXPORT int rollcall_timer_start(
	struct rollcall_server *server, struct rollcall_timer **timer, uint64_t after_ms,
	uint64_t every_ms, void (*expired)(struct rollcall_server *server, void *context),
	void *context);

/* Stops and frees a timer that has not had its last call. May be called from its own expired(). */
ROLLCALL_EXPORT int rollcall_timer_stop(struct rollcall_server *server,
					struct rollcall_timer *timer);

/*
 * A read or a write of a file of the caller's (a pipe, a terminal, a signalfd) through the server's
 * ring, which never blocks the server.
 *
 * The struct is copied by the call. done() is called with the caller's struct, and the number of
 * bytes moved, which may be fewer than requested, or a negative errno value; -ECANCELED: the drain
 * is over. The memory at `data` must stay valid until then. Reads and writes are at the file's
 * current position. A write to a broken pipe raises SIGPIPE, as write(2) does; if that is ignored,
 * the result is -EPIPE. rollcall_run() waits for writes, not for reads, before it returns.
 */
struct rollcall_io {
	size_t size; /* sizeof(struct rollcall_io) */
	int fd;
	void *data;
	size_t bytes;
	void (*done)(struct rollcall_server *server, struct rollcall_io *io, int result);
	void *context;
};

/*
 * Start a read or a write. Errors: -EBUSY: 16 are in flight; -EINVAL: more than 2^30 bytes,
 * or `size` is too small; -E2BIG: a field is set that this version of the library does not have;
 * -ESHUTDOWN: the drain is over.
 */
ROLLCALL_EXPORT int rollcall_read(struct rollcall_server *server, struct rollcall_io *io);
ROLLCALL_EXPORT int rollcall_write(struct rollcall_server *server, struct rollcall_io *io);

/* Counters since the server was created, except those named "now". */
struct rollcall_stats {
	size_t size;	/* sizeof(struct rollcall_stats); on return: bytes filled in */
	uint64_t turns; /* of the loop; over io_uring one system call each, two with spin_us */
	uint64_t completions; /* handled */
	uint64_t tcp_clients_now;
	uint64_t tcp_clients;
	uint64_t udp_clients_now;
	uint64_t udp_clients;
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t bytes_copied;	    /* into queues, rather than sent in place */
	uint64_t memory_bytes_now;  /* held by queues and unfinished messages */
	uint64_t accepts_suspended; /* table full, or no descriptor or memory for accept */
	uint64_t receive_pauses;    /* receiving suspended: the queue exceeded the soft limit */
	uint64_t buffers_exhausted; /* a receive found no free buffer in the pool */
	uint64_t sends_refused;	    /* rollcall_send() returned -ENOBUFS or -ENOMEM */

	/* Datagrams dropped, by reason. */
	uint64_t udp_dropped_full;	  /* the table of UDP clients was full */
	uint64_t udp_dropped_source_full; /* the source had udp_clients_per_source_max clients */
	uint64_t udp_dropped_rate;	  /* the source sends more than udp_rate */
	uint64_t udp_dropped_no_port;	  /* source port 0, which cannot be answered */
	uint64_t udp_dropped_low_port;	  /* source port below 1024 */
	uint64_t udp_dropped_own_source;  /* the source is an address of this server, if known */
	uint64_t udp_dropped_bad_source;  /* a broadcast, multicast or missing source address */
	uint64_t udp_dropped_loop;	  /* the service's loop_prefix tells that it has bounced */
	uint64_t udp_dropped_truncated;	  /* larger than a buffer */
	uint64_t udp_dropped_malformed;	  /* no well-formed RTP header where one is required */
	uint64_t udp_dropped_kernel; /* by the kernel: SO_RCVBUF was full, or the checksum wrong;
				    * for an adopted socket, since its adoption. A GRO batch, up
				    * to 64 datagrams of one peer, counts once. */

	uint64_t udp_unlisted;	       /* datagrams delivered with ROLLCALL_NONE */
	uint64_t udp_evictions;	       /* clients evicted to admit others */
	uint64_t udp_batches_received; /* GRO batches received (UDP_GRO) */
	uint64_t udp_batches_sent;     /* GSO batches sent (UDP_SEGMENT) */
	uint64_t udp_sends_dropped;    /* answers dropped: no slot or memory, or SO_SNDBUF full */
	uint64_t udp_send_errors;      /* answers refused by the kernel */

	/* RTP datagrams of all clients, as in struct rollcall_sequence. */
	uint64_t sequence_received;
	uint64_t sequence_expected;
	uint64_t sequence_lost;
	uint64_t sequence_duplicates;
	uint64_t sequence_reordered;
	uint64_t sequence_late;
	uint64_t sequence_restarts;

	uint64_t tcp_resets_found;     /* TCP resets that io_uring had not reported */
	uint64_t tcp_message_timeouts; /* clients ended: message_timeout_ms */
	uint64_t tcp_ended_memory;     /* clients ended: memory was short (memory_bytes_max) */
	uint64_t tcp_ended_place;      /* clients ended: all places were taken (tcp_clients_max) */
	uint64_t tcp_refused_source;   /* refused: tcp_clients_per_source_max */
};

/*
 * Copies the counters. All are up to date at any time; udp_dropped_kernel takes a system call for
 * each UDP socket. -EINVAL, -E2BIG: `size` is not set.
 */
ROLLCALL_EXPORT int rollcall_get_stats(struct rollcall_server *server,
				       struct rollcall_stats *stats);

/*
 * The most memory that a server can come to use, in bytes, by what it is for. It does not include
 * the memory of the services. Most of it is used only when clients need it, and given back later.
 */
struct rollcall_memory {
	size_t size;	  /* sizeof(struct rollcall_memory); on return: bytes filled in */
	uint64_t clients; /* tables, for tcp_clients_max and udp_clients_max */
	uint64_t queues;  /* queues and unfinished messages: memory_bytes_max, and what keeps it */
	uint64_t buffers; /* receive buffers */
	uint64_t fixed;	  /* the program itself, rings, and operations in flight */
	uint64_t process; /* the sum of these four */
	uint64_t sockets; /* of the kernel, for tcp_clients_max connections: their buffers and
			   * structures. UINT64_MAX: limited by net.ipv4.tcp_mem alone, as
			   * tcp_receive_buffer_bytes and tcp_send_buffer_bytes are not both set */
	uint64_t udp_socket; /* of the kernel, for each UDP address: its buffers as the kernel has
			      * granted them. The largest; without an address, what one would get */
};

/* What `sockets` counts of each connection besides its buffers: socket, file, operations. */
#define ROLLCALL_TCP_SOCKET_BYTES 6144

/* Fills in *memory. -EINVAL, -E2BIG: `size` is not set. */
ROLLCALL_EXPORT int rollcall_memory_max(struct rollcall_server *server,
					struct rollcall_memory *memory);

/* ---- The kernel ------------------------------------------------------------------------------ */

/* A feature of the kernel, and the result of trying it. */
struct rollcall_feature {
	const char *name;  /* "multishot receive" */
	const char *since; /* the first mainline kernel that has it, "6.0" */
	bool required;	   /* the server does not run without it */
	bool used;	   /* the server uses it where available */
	int result;	   /* 0: it works; otherwise the negative errno value of the trial */
};

/*
 * Tries the kernel's features, fills in up to `count` elements, and returns how many features there
 * are. `size` is sizeof(struct rollcall_feature). Needs no server; opens and closes a ring.
 * -EINVAL, -E2BIG: no such size.
 */
ROLLCALL_EXPORT int rollcall_features(struct rollcall_feature *features, unsigned count,
				      size_t size);

#ifdef __cplusplus
}
#endif

#endif
