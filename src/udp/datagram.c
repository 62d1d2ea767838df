/* SPDX-License-Identifier: MIT */
#include "udp/datagram.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "ring/op.h"
#include "udp/endpoint.h"

int datagrams_init(struct datagrams *datagrams, struct hub *hub)
{
	*datagrams = (struct datagrams){ .hub = hub };
	_Static_assert(DATAGRAM_SLOTS <= UINT16_MAX, "the sends of a client are counted");
	return slab_init(&datagrams->slots, sizeof(struct datagram), DATAGRAM_SLOTS);
}

void datagrams_destroy(struct datagrams *datagrams)
{
	slab_destroy(&datagrams->slots);
}

bool datagrams_are_busy(const struct datagrams *datagrams)
{
	return datagrams->slots.used > 0;
}

/* ---- Queues: circular lists; the pointer to the last datagram reaches both ends ---- */

static void push(struct datagram **last, struct datagram *datagram)
{
	datagram->next = datagram;
	if (*last) {
		datagram->next = (*last)->next;
		(*last)->next = datagram;
	}
	*last = datagram;
}

static struct datagram *pop(struct datagram **last)
{
	struct datagram *first = (*last)->next;

	(*last)->next = first->next;
	if (first == *last)
		*last = NULL;
	return first;
}

/* Puts another queue before this one. */
static void put_before(struct datagram **last, struct datagram *other)
{
	struct datagram *first;

	if (!other)
		return;
	if (!*last) {
		*last = other;
		return;
	}
	first = other->next;
	other->next = (*last)->next;
	(*last)->next = first;
}

/* ---- Queueing datagrams ---- */

/* Queues the datagram in the slot. */
static void enqueue(struct datagrams *datagrams, struct client *client, struct datagram *datagram)
{
	if (!client) {
		push(&datagrams->unlisted, datagram);
		return;
	}
	push(&client->udp.queued, datagram);
	hub_flush_later(datagrams->hub, client);
}

/* The newest datagram or batch queued for the client, if this one can be appended; else NULL. */
static struct datagram *find_batch(const struct datagram_target *target,
				   const struct message *message)
{
	struct datagram *last = target->client ? target->client->udp.queued : NULL;
	const size_t bytes = message->bytes;

	if (!last || last->whole || bytes == 0 || bytes > last->segment_bytes ||
	    last->segments == DATAGRAM_SEGMENTS_MAX ||
	    last->queue.bytes + bytes > DATAGRAM_BATCH_BYTES_MAX ||
	    last->queue.chunks + DATAGRAM_PIECES_OF(message->count, bytes) > DATAGRAM_PIECES)
		return NULL;
	return last;
}

/* Takes a slot and fills it with a datagram; NULL: no slot or no memory is left. */
static struct datagram *fill_slot(struct datagrams *datagrams, const struct datagram_target *target,
				  const struct message *message)
{
	struct datagram *datagram = slab_take(&datagrams->slots);

	if (!datagram)
		return NULL;
	datagram->queue = (struct queue){ 0 };
	if (!queue_append(&datagrams->hub->memory, &datagram->queue, message->parts, message->count,
			  false)) {
		slab_give(&datagrams->slots, datagram);
		return NULL;
	}
	datagram->endpoint = target->endpoint;
	datagram->key = *target->key;
	datagram->client = target->client ? target->client->id : ROLLCALL_NONE;
	datagram->segment_bytes = (uint32_t)message->bytes;
	datagram->segments = 1;
	datagram->whole = !target->client || !target->endpoint->batches ||
			  client_has_any(target->client, CLIENT_ALONE);
	if (target->client)
		target->client->udp.sends++;
	return datagram;
}

bool datagrams_send(struct datagrams *datagrams, const struct datagram_target *target,
		    const struct message *message)
{
	struct hub *hub = datagrams->hub;
	struct datagram *datagram = find_batch(target, message);

	if (datagram &&
	    queue_append(&hub->memory, &datagram->queue, message->parts, message->count, false)) {
		datagram->segments++;
		datagram->whole = message->bytes < datagram->segment_bytes;
		return true;
	}
	datagram = fill_slot(datagrams, target, message);
	if (!datagram) {
		hub->stats.udp_sends_dropped++;
		return false;
	}
	enqueue(datagrams, target->client, datagram);
	return true;
}

/* ---- Starting to send ---- */

void datagram_address(const struct udp_key *key, const struct address *local, struct address *to)
{
	*to = (struct address){ .bytes = local->bytes };
	to->any.sa_family = local->any.sa_family;
	if (to->any.sa_family == AF_INET) {
		memcpy(&to->v4.sin_addr, key->peer, sizeof(to->v4.sin_addr));
	} else {
		memcpy(&to->v6.sin6_addr, key->peer, sizeof(to->v6.sin6_addr));
		to->v6.sin6_scope_id = key->scope;
	}
	address_set_port(to, key->port);
}

/* Appends control data. */
static void add_control(struct datagram *datagram, int level, int type, const void *data,
			size_t bytes)
{
	struct msghdr *message = &datagram->message;
	struct cmsghdr *header = (struct cmsghdr *)(datagram->control + message->msg_controllen);

	*header = (struct cmsghdr){
		.cmsg_level = level,
		.cmsg_type = type,
		.cmsg_len = CMSG_LEN(bytes),
	};
	memcpy(CMSG_DATA(header), data, bytes);
	message->msg_control = datagram->control;
	message->msg_controllen += CMSG_SPACE(bytes);
}

/* The source of the answer is the destination of the request (RFC 1122, section 4.1.3.5). */
static void add_source(struct datagram *datagram)
{
	const struct udp_key *key = &datagram->key;
	struct in6_pktinfo info6 = { .ipi6_ifindex = key->scope };
	struct in_pktinfo info = { 0 };

	memcpy(&info.ipi_spec_dst, key->local, sizeof(info.ipi_spec_dst));
	memcpy(&info6.ipi6_addr, key->local, sizeof(info6.ipi6_addr));
	if (datagram->to.any.sa_family == AF_INET)
		add_control(datagram, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	else
		add_control(datagram, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
}

/* Fills in the msghdr. */
static void lay_out(struct datagram *datagram)
{
	const struct endpoint *endpoint = datagram->endpoint;
	const uint16_t segment_bytes = (uint16_t)datagram->segment_bytes;
	const unsigned count = queue_gather(&datagram->queue, datagram->pieces, DATAGRAM_PIECES);

	CHECK(count == datagram->queue.chunks);
	datagram->message = (struct msghdr){
		.msg_name = &datagram->to.any,
		.msg_namelen = datagram->to.bytes,
		.msg_iov = datagram->pieces,
		.msg_iovlen = count,
	};
	if (endpoint->wildcard)
		add_source(datagram);
	if (datagram->segments > 1)
		add_control(datagram, SOL_UDP, UDP_SEGMENT, &segment_bytes, sizeof(segment_bytes));
}

/* A datagram in one piece without control data needs no msghdr: the kernel has less to copy. */
static void prepare_send(struct io_uring_sqe *sqe, struct datagram *datagram)
{
	const struct endpoint *endpoint = datagram->endpoint;
	const int fd = endpoint->fd, flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	const struct queue *queue = &datagram->queue;

	datagram_address(&datagram->key, &endpoint->address, &datagram->to);
	if (queue->chunks == 1 && !endpoint->wildcard && datagram->segments == 1) {
		const struct extent *only = queue_first(queue);

		io_uring_prep_send(sqe, fd, only->data, only->bytes, flags);
		io_uring_prep_send_set_addr(sqe, &datagram->to.any, (uint16_t)datagram->to.bytes);
	} else {
		lay_out(datagram);
		io_uring_prep_sendmsg(sqe, fd, &datagram->message, (unsigned)flags);
	}
}

/* Starts the send of the first datagram of a queue; NULL: the submission queue is full. */
static struct datagram *start_first(struct datagrams *datagrams, struct datagram **last)
{
	struct io_uring_sqe *sqe = ring_sqe(datagrams->hub->ring);
	struct datagram *datagram;

	if (!sqe)
		return NULL;
	datagram = pop(last);
	prepare_send(sqe, datagram);
	sqe->user_data = op_pack(OP_UDP_SEND, slab_index(&datagrams->slots, datagram));
	return datagram;
}

bool datagrams_flush(struct datagrams *datagrams, struct client *client)
{
	while (client->udp.queued && !(client->in_flight & IN_FLIGHT_SEND)) {
		const struct datagram *datagram = start_first(datagrams, &client->udp.queued);

		if (!datagram)
			return false;
		if (datagram->segments > 1)
			client->in_flight |= IN_FLIGHT_SEND;
	}
	return true;
}

bool datagrams_flush_unlisted(struct datagrams *datagrams)
{
	while (datagrams->unlisted)
		if (!start_first(datagrams, &datagrams->unlisted))
			return false;
	return true;
}

/* ---- Completions ---- */

/*
 * Whether the send may have failed only because it is a GSO batch: its segments are larger than the
 * path MTU, or the path has no checksums in hardware (net/ipv4/udp.c, Linux 6.1).
 */
static bool is_batch_refused(int error)
{
	return error == -EINVAL || error == -EMSGSIZE || error == -EIO || error == -EOPNOTSUPP;
}

/* Cuts the pieces off after `bytes` bytes; returns the number of pieces left. */
static unsigned cut_pieces(struct iovec *pieces, size_t bytes)
{
	unsigned last = 0;

	while (pieces[last].iov_len < bytes)
		bytes -= pieces[last++].iov_len;
	pieces[last].iov_len = bytes;
	return last + 1;
}

/* Queues each datagram of a refused batch separately, before all others of the client. */
static void send_one_by_one(struct datagrams *datagrams, struct client *client,
			    struct datagram *refused)
{
	const struct datagram_target target = { refused->endpoint, &refused->key, client };
	struct queue *queue = &refused->queue;
	struct datagram *last = NULL;

	client_set(client, CLIENT_ALONE);
	while (queue->bytes > 0) {
		const size_t bytes = min_size(queue->bytes, refused->segment_bytes);
		struct message message = { .parts = refused->pieces, .bytes = bytes };
		struct datagram *one;

		queue_gather(queue, refused->pieces, DATAGRAM_PIECES);
		message.count = cut_pieces(refused->pieces, bytes);
		one = fill_slot(datagrams, &target, &message);
		queue_advance(&datagrams->hub->memory, queue, bytes);
		if (one)
			push(&last, one);
		else
			datagrams->hub->stats.udp_sends_dropped++;
	}
	put_before(&client->udp.queued, last);
}

/* A failed send loses its datagrams, which UDP permits. -EAGAIN: the send buffer is full. */
static void count_sent(struct rollcall_stats *stats, const struct datagram *datagram, int result)
{
	if (result >= 0)
		stats->udp_batches_sent += datagram->segments > 1;
	else if (result == -EAGAIN)
		stats->udp_sends_dropped += datagram->segments;
	else
		stats->udp_send_errors += datagram->segments;
}

/* The batch no longer holds back the queue. If it was refused, its datagrams are queued first. */
static void on_batch_sent(struct datagrams *datagrams, struct client *client,
			  struct datagram *datagram, int result)
{
	client->in_flight &= ~IN_FLIGHT_SEND & IN_FLIGHT_ALL;
	if (is_batch_refused(result))
		send_one_by_one(datagrams, client, datagram);
	else
		count_sent(&datagrams->hub->stats, datagram, result);
	if (client->udp.queued)
		hub_flush_later(datagrams->hub, client);
}

struct client *datagrams_on_sent(struct datagrams *datagrams, uint64_t id,
				 const struct io_uring_cqe *cqe)
{
	struct datagram *datagram = slab_at(&datagrams->slots, (uint32_t)id);
	struct client *client = NULL;

	if (datagram->client != ROLLCALL_NONE) {
		client = table_find(&datagrams->hub->table, datagram->client);
		CHECK(client && client->udp.sends > 0);
		client->udp.sends--;
	}
	if (datagram->segments > 1)
		on_batch_sent(datagrams, client, datagram, cqe->res);
	else
		count_sent(&datagrams->hub->stats, datagram, cqe->res);
	queue_clear(&datagrams->hub->memory, &datagram->queue);
	slab_give(&datagrams->slots, datagram);
	return client;
}
