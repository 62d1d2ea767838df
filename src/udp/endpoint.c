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

static void log_buffer_sizes(struct hub *hub, const struct socket_buffers *granted)
{
	const struct rollcall_options *asked = &hub->options;

	log_less(hub, "receive", granted->receive_bytes, asked->udp_receive_buffer_bytes,
		 "net.core.rmem_max");
	log_less(hub, "send", granted->send_bytes, asked->udp_send_buffer_bytes,
		 "net.core.wmem_max");
}

int endpoint_open(struct endpoint *endpoint, struct hub *hub, int fd)
{
	int error = socket_local_address(hub->ring, fd, &endpoint->address);
	struct socket_buffers granted;

	if (error)
		return error;
	error = timers_reserve(&hub->timers);
	if (error)
		return error;
	endpoint->hub = hub;
	endpoint->fd = fd;
	endpoint->wildcard = address_is_wildcard(&endpoint->address);
	endpoint->batches = socket_sends_batches(hub->ring, fd);
	endpoint->drops = socket_drops(hub->ring, fd);
	socket_buffer_sizes(hub->ring, fd, &granted);
	log_buffer_sizes(hub, &granted);
	endpoint->receive_bytes = granted.receive_bytes;
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
	timers_clear(&endpoint->hub->timers, &endpoint->retry);
	timers_unreserve(&endpoint->hub->timers);
	socket_close(endpoint->hub->ring, endpoint->fd);
}

void endpoint_count_drops(struct endpoint *endpoint)
{
	struct hub *hub = endpoint->hub;
	const uint32_t drops = socket_drops(hub->ring, endpoint->fd);

	endpoint->dropped += (uint32_t)(drops - endpoint->drops);
	endpoint->drops = drops;
}

void endpoint_count_receive(struct endpoint *endpoint)
{
	if (++endpoint->receives % ENDPOINT_RECEIVES_PER_COUNT == 0)
		endpoint_count_drops(endpoint);
}

bool endpoint_is_busy(const struct endpoint *endpoint)
{
	return endpoint->state != ENDPOINT_ENDED || operation_is_busy(&endpoint->receive);
}

/* ---- Starting operations ---- */

static bool start_receive(struct endpoint *endpoint)
{
	struct io_uring_sqe *sqe = ring_sqe(endpoint->hub->ring);
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
	if (endpoint->no_buffer && buffers_free(&endpoint->hub->buffers[BUFFERS_UDP]) > 0)
		endpoint->no_buffer = false;
	if (endpoint->receive.in_flight)
		return !is_to_cancel(endpoint) ||
		       operation_cancel(&endpoint->receive, endpoint->hub->ring, OP_UDP_CANCEL);
	if (endpoint->state == ENDPOINT_ENDED || endpoint->no_buffer ||
	    timer_is_set(&endpoint->retry))
		return true;
	return start_receive(endpoint);
}

/* ---- Completions ---- */

void endpoint_failed(struct endpoint *endpoint, int error)
{
	struct hub *hub = endpoint->hub;

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

void endpoint_completed(struct endpoint *endpoint, const struct io_uring_cqe *cqe)
{
	endpoint->got_some |= cqe->res > 0;
	/* Any completion may end a multishot receive; an empty datagram always does. */
	if (cqe->flags & IORING_CQE_F_MORE)
		return;
	endpoint->receive.in_flight = false;
	if (endpoint->state == ENDPOINT_CLOSING)
		endpoint->state = ENDPOINT_LAST;
	else if (endpoint->state == ENDPOINT_ENDING)
		endpoint->state = ENDPOINT_ENDED;
}

void endpoint_on_cancel(struct endpoint *endpoint)
{
	endpoint->receive.cancel_in_flight = false;
}
