/* SPDX-License-Identifier: MIT */
#include "udp/endpoint.h"

#include <errno.h>
#include <string.h>

#include "ring/op.h"

/* Ports below this are other services' (RFC 6335, section 6); two servers would answer for ever. */
#define LOW_PORTS_END 1024

/* Room for the sender's address, so that the control data behind it is aligned. */
#define NAME_BYTES 32
_Static_assert(NAME_BYTES >= sizeof(struct sockaddr_in6), "both families fit");
_Static_assert((sizeof(struct io_uring_recvmsg_out) + NAME_BYTES) % _Alignof(struct cmsghdr) == 0,
	       "control data is aligned");

static void on_retry(struct timer *timer)
{
	container_of(timer, struct endpoint, retry)->paused = false;
}

int endpoint_open(struct endpoint *endpoint, struct udp *udp, const struct address *address)
{
	struct core *core = udp->core;
	int error = timers_reserve(&core->timers);

	if (error)
		return error;
	endpoint->udp = udp;
	endpoint->address = *address;
	endpoint->retry.expired = on_retry;
	endpoint->wildcard = address_is_wildcard(address);
	endpoint->layout.msg_namelen = NAME_BYTES;
	if (endpoint->wildcard)
		endpoint->layout.msg_controllen = CMSG_SPACE(sizeof(struct in6_pktinfo));
	endpoint->fd = socket_bind_udp(core->ring, address);
	if (endpoint->fd < 0) {
		error = endpoint->fd;
		goto unreserve;
	}
	error = socket_local_address(core->ring, endpoint->fd, &endpoint->address);
	if (!error)
		return 0;
	socket_close(core->ring, endpoint->fd);
unreserve:
	timers_unreserve(&core->timers);
	return error;
}

void endpoint_close(struct endpoint *endpoint)
{
	endpoint->closed = true;
}

void endpoint_destroy(struct endpoint *endpoint)
{
	timers_clear(&endpoint->udp->core->timers, &endpoint->retry);
	timers_unreserve(&endpoint->udp->core->timers);
	socket_close(endpoint->udp->core->ring, endpoint->fd);
}

bool endpoint_is_busy(const struct endpoint *endpoint)
{
	const bool refusing = endpoint->udp->core->refusing;
	const bool more = refusing ? !endpoint->aborted : endpoint->closed && !endpoint->drained;

	return endpoint->armed || endpoint->cancelling || more;
}

/* ---- Starting operations ---- */

static bool start_receive(struct endpoint *endpoint)
{
	struct io_uring_sqe *sqe = ring_sqe(endpoint->udp->core->ring);

	if (!sqe)
		return false;
	endpoint->armed = true;
	endpoint->last = endpoint->closed;
	endpoint->got_some = false;
	/* MSG_DONTWAIT ends the multishot with EAGAIN rather than to wait. */
	io_uring_prep_recvmsg_multishot(sqe, endpoint->fd, &endpoint->layout,
					endpoint->last ? MSG_DONTWAIT : 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_UDP;
	sqe->user_data = op_pack(OP_UDP_RECEIVE, endpoint->source.index);
	return true;
}

static bool start_cancel(struct endpoint *endpoint)
{
	struct io_uring_sqe *sqe = ring_sqe(endpoint->udp->core->ring);

	if (!sqe)
		return false;
	endpoint->aborted = endpoint->udp->core->refusing;
	if (endpoint->aborted)
		io_uring_prep_cancel_fd(sqe, endpoint->fd, IORING_ASYNC_CANCEL_ALL);
	else
		io_uring_prep_cancel64(sqe, op_pack(OP_UDP_RECEIVE, endpoint->source.index), 0);
	sqe->user_data = op_pack(OP_UDP_CANCEL, endpoint->source.index);
	endpoint->cancelled = true;
	endpoint->cancelling = true;
	return true;
}

bool endpoint_flush(struct endpoint *endpoint)
{
	if (endpoint->udp->core->refusing)
		return endpoint->aborted || endpoint->cancelling || start_cancel(endpoint);
	if (endpoint->starved && buffers_free(&endpoint->udp->core->buffers[BUFFERS_UDP]) > 0)
		endpoint->starved = false;
	if (endpoint->armed) {
		bool stop = endpoint->closed && !endpoint->last && !endpoint->cancelled;

		return !stop || start_cancel(endpoint);
	}
	if (endpoint->drained || endpoint->starved || endpoint->paused)
		return true;
	return start_receive(endpoint);
}

/* ---- Receiving ---- */

struct arrival {
	struct address from;
	struct udp_key key;
	const uint8_t *data;
	size_t bytes;
};

static void find_asked_address(struct io_uring_recvmsg_out *out, struct msghdr *layout,
			       struct udp_key *key)
{
	struct cmsghdr *header = io_uring_recvmsg_cmsg_firsthdr(out, layout);

	for (; header; header = io_uring_recvmsg_cmsg_nexthdr(out, layout, header)) {
		if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			/* Ours also where a broadcast address was asked (ip(7)). */
			memcpy(key->local, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
		} else if (header->cmsg_level == IPPROTO_IPV6 &&
			   header->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(header), sizeof(info));
			memcpy(key->local, &info.ipi6_addr, sizeof(info.ipi6_addr));
		}
	}
}

/* Takes a received buffer apart; false: the datagram did not fit. */
static bool parse_arrival(struct endpoint *endpoint, void *buffer, int bytes,
			  struct arrival *arrival)
{
	struct msghdr *layout = &endpoint->layout;
	struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, bytes, layout);

	if (!out || out->flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    out->namelen > sizeof(arrival->from.v6))
		return false;
	*arrival = (struct arrival){
		.from.bytes = out->namelen,
		.key.endpoint = endpoint->source.index,
		.data = io_uring_recvmsg_payload(out, layout),
		.bytes = io_uring_recvmsg_payload_length(out, bytes, layout),
	};
	memcpy(&arrival->from.any, io_uring_recvmsg_name(out), out->namelen);
	arrival->key.port = address_port(&arrival->from);
	if (arrival->from.any.sa_family == AF_INET) {
		memcpy(arrival->key.peer, &arrival->from.v4.sin_addr, 4);
	} else {
		memcpy(arrival->key.peer, &arrival->from.v6.sin6_addr, 16);
		arrival->key.scope = arrival->from.v6.sin6_scope_id;
	}
	if (endpoint->wildcard)
		find_asked_address(out, layout, &arrival->key);
	return true;
}

/* Whether it was sent by this server, or by who pretends to be it. */
static bool is_from_ourselves(const struct endpoint *endpoint, const struct arrival *arrival)
{
	for (unsigned i = 0; i < *endpoint->all_count; i++) {
		const struct endpoint *own = endpoint->all[i];

		if (own->address.any.sa_family != arrival->from.any.sa_family ||
		    address_port(&own->address) != arrival->key.port)
			continue;
		/* A wildcard endpoint has every loopback address, and the one that was asked. */
		if (!own->wildcard ? address_same_host(&own->address, &arrival->from)
				   : address_is_loopback(&arrival->from) ||
					     memcmp(arrival->key.peer, arrival->key.local,
						    sizeof(arrival->key.peer)) == 0)
			return true;
	}
	return false;
}

static bool has_prefix_twice(const char *prefix, const uint8_t *data, size_t bytes)
{
	size_t length = prefix ? strlen(prefix) : 0;

	return length > 0 && bytes >= 2 * length && memcmp(data, prefix, length) == 0 &&
	       memcmp(data + length, prefix, length) == 0;
}

/* The counter of the reason not to answer; NULL: there is none. */
static uint64_t *refuse(const struct endpoint *endpoint, const struct arrival *arrival)
{
	struct core *core = endpoint->udp->core;

	if (!address_is_unicast(&arrival->from) || arrival->key.port == 0)
		return &core->stats.udp_bad_sources;
	if (is_from_ourselves(endpoint, arrival) ||
	    has_prefix_twice(endpoint->source.service->loop_prefix, arrival->data, arrival->bytes))
		return &core->stats.udp_loops;
	if (arrival->key.port < LOW_PORTS_END && !core->options.udp_low_ports)
		return &core->stats.udp_low_ports;
	return NULL;
}

static void receive(struct endpoint *endpoint, void *buffer, int bytes)
{
	struct core *core = endpoint->udp->core;
	struct arrival arrival;
	struct client *client;
	uint64_t *refused;

	if (!parse_arrival(endpoint, buffer, bytes, &arrival)) {
		core->stats.udp_truncated++;
		return;
	}
	refused = refuse(endpoint, &arrival);
	if (refused) {
		++*refused;
		return;
	}
	client = udp_client(endpoint->udp, endpoint, &arrival.key);
	/* The service may have closed it in connected(). */
	if (client && client->state == CLIENT_OPEN)
		core_received(core, client, arrival.data, arrival.bytes);
}

static void on_error(struct endpoint *endpoint, int error)
{
	struct core *core = endpoint->udp->core;

	switch (error) {
	case -ECANCELED: /* as we asked */
	case -EINTR:
		break;
	case -EAGAIN:
		/* Also after 32 rounds of one that had more to receive (Linux 6.8): then go on. */
		endpoint->drained = endpoint->last && !endpoint->got_some;
		break;
	case -ENOBUFS:			 /* until a buffer returns */
		if (endpoint->cancelled) /* as we asked, before Linux 6.5 */
			break;
		core->stats.buffers_exhausted++;
		endpoint->starved = !buffers_grow(&core->buffers[BUFFERS_UDP]);
		break;
	default: /* it may last: trying again at once could spin */
		endpoint->paused = true;
		timers_set(&core->timers, &endpoint->retry, core->now_ns + ENDPOINT_RETRY_NS);
	}
}

void endpoint_on_receive(struct endpoint *endpoint, const struct io_uring_cqe *cqe)
{
	struct buffers *buffers = &endpoint->udp->core->buffers[BUFFERS_UDP];

	/* Any completion may be the last of a multishot; a datagram of 0 bytes ends it always. */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		endpoint->armed = false;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t buffer = buffers_take(buffers, cqe->flags);

		/* Before Linux 6.8 an EAGAIN may come with a buffer too. */
		endpoint->got_some |= cqe->res > 0;
		if (cqe->res > 0 && !endpoint->udp->core->refusing)
			receive(endpoint, buffers_data(buffers, buffer), cqe->res);
		buffers_release(buffers, buffer);
	}
	if (cqe->res < 0)
		on_error(endpoint, cqe->res);
}

void endpoint_on_cancel(struct endpoint *endpoint)
{
	endpoint->cancelling = false;
}
