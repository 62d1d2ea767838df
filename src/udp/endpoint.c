/* SPDX-License-Identifier: MIT */
#include "udp/endpoint.h"

#include <errno.h>

static void log_less(struct hub *hub, const char *what, size_t bytes, size_t asked,
		     const char *setting)
{
	if (bytes < asked)
		log_write(&hub->log, ROLLCALL_LOG_WARNING,
			  "the UDP %s buffer has %zu bytes instead of %zu (raise %s)", what, bytes,
			  asked, setting);
}

static void log_buffer_sizes(struct hub *hub, int fd)
{
	const struct rollcall_options *asked = &hub->options;
	struct socket_buffers buffers;

	socket_buffer_sizes(hub->ring, fd, &buffers);
	log_less(hub, "receive", buffers.receive_bytes, asked->udp_receive_buffer_bytes,
		 "net.core.rmem_max");
	log_less(hub, "send", buffers.send_bytes, asked->udp_send_buffer_bytes,
		 "net.core.wmem_max");
}

int endpoint_open(struct endpoint *endpoint, struct udp *udp, int fd)
{
	struct hub *hub = udp->hub;
	int error = socket_local_address(hub->ring, fd, &endpoint->address);

	if (error)
		return error;
	error = timers_reserve(&hub->timers);
	if (error)
		return error;
	endpoint->udp = udp;
	endpoint->fd = fd;
	endpoint->wildcard = address_is_wildcard(&endpoint->address);
	if (endpoint->wildcard) {
		own_watch(&udp->own, hub);
		endpoint->elsewhere = !own_is_of(&udp->own, hub, fd);
	}
	endpoint->drops = socket_drops(hub->ring, fd);
	arrival_lay_out(&endpoint->layout);
	log_buffer_sizes(hub, fd);
	return 0;
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint->state == ENDPOINT_OPEN)
		endpoint->state = endpoint->receive.in_flight ? ENDPOINT_CLOSING : ENDPOINT_LAST;
}

void endpoint_end(struct endpoint *endpoint)
{
	if (endpoint->state != ENDPOINT_ENDED)
		endpoint->state = endpoint->receive.in_flight ? ENDPOINT_ENDING : ENDPOINT_ENDED;
}

void endpoint_destroy(struct endpoint *endpoint)
{
	timers_clear(&endpoint->udp->hub->timers, &endpoint->retry);
	timers_unreserve(&endpoint->udp->hub->timers);
	socket_close(endpoint->udp->hub->ring, endpoint->fd);
}

void endpoint_count_drops(struct endpoint *endpoint)
{
	struct hub *hub = endpoint->udp->hub;
	const uint32_t drops = socket_drops(hub->ring, endpoint->fd);

	hub->stats.udp_dropped_kernel += (uint32_t)(drops - endpoint->drops);
	endpoint->drops = drops;
}

bool endpoint_is_busy(const struct endpoint *endpoint)
{
	return endpoint->state != ENDPOINT_ENDED || operation_is_busy(&endpoint->receive);
}

/* ---- Starting operations ---- */

static bool start_receive(struct endpoint *endpoint)
{
	struct io_uring_sqe *sqe = ring_sqe(endpoint->udp->hub->ring);
	/* With MSG_DONTWAIT an empty socket ends the multishot receive with EAGAIN. */
	const int flags = endpoint->state == ENDPOINT_LAST ? MSG_DONTWAIT : 0;

	if (!sqe)
		return false;
	io_uring_prep_recvmsg_multishot(sqe, endpoint->fd, &endpoint->layout, (unsigned)flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFERS_UDP;
	operation_start(&endpoint->receive, sqe, OP_UDP_RECEIVE, endpoint->origin.index);
	endpoint->got_some = false;
	return true;
}

static bool is_to_cancel(const struct endpoint *endpoint)
{
	return (endpoint->state == ENDPOINT_CLOSING || endpoint->state == ENDPOINT_ENDING) &&
	       operation_is_to_cancel(&endpoint->receive);
}

bool endpoint_flush(struct endpoint *endpoint)
{
	if (endpoint->no_buffer && buffers_free(&endpoint->udp->hub->buffers[BUFFERS_UDP]) > 0)
		endpoint->no_buffer = false;
	if (endpoint->receive.in_flight)
		return !is_to_cancel(endpoint) ||
		       operation_cancel(&endpoint->receive, endpoint->udp->hub->ring,
					OP_UDP_CANCEL);
	if (endpoint->state == ENDPOINT_ENDED || endpoint->no_buffer ||
	    timer_is_set(&endpoint->retry))
		return true;
	return start_receive(endpoint);
}

/* ---- Receiving ---- */

/* Delivers the datagram, or each datagram of a GRO batch. */
static void receive(struct endpoint *endpoint, void *buffer, int bytes)
{
	struct hub *hub = endpoint->udp->hub;
	struct arrival all, one;
	uint64_t *refused;
	size_t at = 0;

	if (!arrival_parse(&all, endpoint, buffer, bytes)) {
		hub->stats.udp_dropped_truncated++;
		return;
	}
	if (++endpoint->receives % ENDPOINT_RECEIVES_PER_COUNT == 0)
		endpoint_count_drops(endpoint);
	refused = arrival_refuse(&all, hub);
	hub->stats.udp_batches_received += all.segment_bytes > 0 && all.segment_bytes < all.bytes;
	do {
		one = all;
		one.data += at;
		one.bytes -= at;
		if (all.segment_bytes > 0)
			one.bytes = min_size(one.bytes, all.segment_bytes);
		at += one.bytes;
		if (refused)
			++*refused;
		else
			udp_receive(endpoint->udp, &one);
	} while (at < all.bytes && !hub->refusing);
}

static void on_error(struct endpoint *endpoint, int error)
{
	struct hub *hub = endpoint->udp->hub;

	switch (error) {
	case -ECANCELED: /* as we asked */
	case -EINTR:
		break;
	case -EAGAIN:
		/* Since 6.8 also after 32 datagrams in a row with more to read: re-arm. */
		if (endpoint->state == ENDPOINT_LAST && !endpoint->got_some)
			endpoint->state = ENDPOINT_ENDED;
		break;
	case -ENOBUFS:				 /* until a buffer returns */
		if (endpoint->receive.cancelled) /* as we asked, before Linux 6.5 */
			break;
		hub->stats.buffers_exhausted++;
		endpoint->no_buffer = !buffers_grow(&hub->buffers[BUFFERS_UDP]);
		break;
	default: /* the cause may persist: an immediate retry could spin */
		timers_set(&hub->timers, &endpoint->retry, hub->now_ns + ENDPOINT_RETRY_NS);
	}
}

/* The receive has ended, for whatever reason. */
static void on_end(struct endpoint *endpoint)
{
	endpoint->receive.in_flight = false;
	if (endpoint->state == ENDPOINT_CLOSING)
		endpoint->state = ENDPOINT_LAST;
	else if (endpoint->state == ENDPOINT_ENDING)
		endpoint->state = ENDPOINT_ENDED;
}

void endpoint_on_receive(struct endpoint *endpoint, const struct io_uring_cqe *cqe)
{
	struct buffers *buffers = &endpoint->udp->hub->buffers[BUFFERS_UDP];

	/* Any completion may end a multishot receive; an empty datagram always does. */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		on_end(endpoint);
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		uint16_t buffer = buffers_take(buffers, cqe->flags);

		/* Before Linux 6.8 EAGAIN may carry a buffer too. */
		endpoint->got_some |= cqe->res > 0;
		if (cqe->res > 0 && !endpoint->udp->hub->refusing)
			receive(endpoint, buffers_data(buffers, buffer), cqe->res);
		buffers_release(buffers, buffer);
	}
	if (cqe->res < 0)
		on_error(endpoint, cqe->res);
}

void endpoint_on_cancel(struct endpoint *endpoint)
{
	endpoint->receive.cancel_in_flight = false;
}
