/* SPDX-License-Identifier: MIT */
#include "udp/datagram.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "ring/op.h"
#include "udp/endpoint.h"

int datagrams_init(struct datagrams *datagrams, struct core *core)
{
	*datagrams = (struct datagrams){ .core = core };
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

static void push(struct datagrams *datagrams, struct datagram *datagram)
{
	datagram->next = NULL;
	if (datagrams->last)
		datagrams->last->next = datagram;
	else
		datagrams->first = datagram;
	datagrams->last = datagram;
}

/* ---- Taking datagrams ---- */

/* The last waiting slot, if one more datagram can leave with those in it; else NULL. */
static struct datagram *find_company(struct datagrams *datagrams,
				     const struct datagram_target *target,
				     const struct message *message)
{
	struct datagram *last = datagrams->last;
	const size_t bytes = message->bytes;

	if (!last || last->whole || target->alone || last->client != target->client ||
	    memcmp(&last->key, target->key, sizeof(last->key)) != 0)
		return NULL;
	if (bytes == 0 || bytes > last->segment_bytes || last->segments == DATAGRAM_SEGMENTS_MAX ||
	    last->queue.bytes + bytes > DATAGRAM_BUNDLE_BYTES_MAX ||
	    last->queue.segments + DATAGRAM_PIECES_OF(message->count, bytes) > DATAGRAM_PIECES)
		return NULL;
	return last;
}

/* Puts a datagram into a slot; NULL: no slot or no memory is left. */
static struct datagram *fill_slot(struct datagrams *datagrams, const struct datagram_target *target,
				  const struct message *message)
{
	struct datagram *datagram = slab_take(&datagrams->slots);

	if (!datagram)
		return NULL;
	datagram->queue = (struct queue){ 0 };
	if (!queue_append(&datagrams->core->memory, &datagram->queue, message->parts,
			  message->count, false)) {
		slab_give(&datagrams->slots, datagram);
		return NULL;
	}
	datagram->endpoint = target->endpoint;
	datagram->key = *target->key;
	datagram->client = target->client;
	datagram->segment_bytes = (uint32_t)message->bytes;
	datagram->segments = 1;
	datagram->whole = target->alone;
	return datagram;
}

enum datagram_fate datagrams_send(struct datagrams *datagrams, const struct datagram_target *target,
				  const struct message *message)
{
	struct core *core = datagrams->core;
	struct datagram *datagram = find_company(datagrams, target, message);

	if (datagram &&
	    queue_append(&core->memory, &datagram->queue, message->parts, message->count, false)) {
		datagram->segments++;
		datagram->whole = message->bytes < datagram->segment_bytes;
		return DATAGRAM_JOINED;
	}
	datagram = fill_slot(datagrams, target, message);
	if (!datagram) {
		core->stats.udp_sends_dropped++;
		return DATAGRAM_DROPPED;
	}
	push(datagrams, datagram);
	return DATAGRAM_STARTED;
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

/* Adds control data behind what is there already. */
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

/* The answer leaves from the address that was asked (RFC 1122, section 4.1.3.5). */
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

static void lay_out(struct datagram *datagram)
{
	const struct endpoint *endpoint = datagram->endpoint;
	const uint16_t segment_bytes = (uint16_t)datagram->segment_bytes;
	const unsigned count = queue_gather(&datagram->queue, datagram->pieces, DATAGRAM_PIECES);

	CHECK(count == datagram->queue.segments);
	datagram_address(&datagram->key, &endpoint->address, &datagram->to);
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

/* Of one piece, without control data, it needs no message: the kernel has less to copy. */
static void prepare_send(struct io_uring_sqe *sqe, struct datagram *datagram)
{
	const struct msghdr *message = &datagram->message;
	const int fd = datagram->endpoint->fd, flags = MSG_NOSIGNAL | MSG_DONTWAIT;

	lay_out(datagram);
	if (message->msg_iovlen == 1 && message->msg_controllen == 0) {
		io_uring_prep_send(sqe, fd, datagram->pieces[0].iov_base,
				   datagram->pieces[0].iov_len, flags);
		io_uring_prep_send_set_addr(sqe, &datagram->to.any, (uint16_t)datagram->to.bytes);
	} else {
		io_uring_prep_sendmsg(sqe, fd, message, (unsigned)flags);
	}
}

bool datagrams_flush(struct datagrams *datagrams)
{
	struct core *core = datagrams->core;

	while (datagrams->first) {
		struct datagram *datagram = datagrams->first;
		struct io_uring_sqe *sqe = ring_sqe(core->ring);

		if (!sqe)
			return false;
		prepare_send(sqe, datagram);
		sqe->user_data = op_pack(OP_UDP_SEND, slab_index(&datagrams->slots, datagram));
		datagrams->first = datagram->next;
	}
	datagrams->last = NULL;
	return true;
}

/* ---- Completions ---- */

/*
 * Whether datagrams may be refused only because they come together: larger than the way takes in
 * one packet, or a way without checksums in hardware (net/ipv4/udp.c, Linux 6.1).
 */
static bool is_company_refused(int error)
{
	return error == -EINVAL || error == -EMSGSIZE || error == -EIO || error == -EOPNOTSUPP;
}

/* Keeps only the pieces of the first so many bytes; returns how many. */
static unsigned cut_pieces(struct iovec *pieces, size_t bytes)
{
	unsigned last = 0;

	while (pieces[last].iov_len < bytes)
		bytes -= pieces[last++].iov_len;
	pieces[last].iov_len = bytes;
	return last + 1;
}

/* Takes a slot for each datagram of a refused one, and puts them first, in their order. */
static unsigned send_one_by_one(struct datagrams *datagrams, struct datagram *refused)
{
	const struct datagram_target target = { refused->endpoint, &refused->key, refused->client,
						true };
	struct datagrams ahead = { .core = datagrams->core };
	struct queue *queue = &refused->queue;
	unsigned again = 0;

	while (queue->bytes > 0) {
		const size_t bytes = min_size(queue->bytes, refused->segment_bytes);
		struct message message = { .parts = refused->pieces, .bytes = bytes };
		struct datagram *one;

		queue_gather(queue, refused->pieces, DATAGRAM_PIECES);
		message.count = cut_pieces(refused->pieces, bytes);
		one = fill_slot(datagrams, &target, &message);
		queue_advance(&datagrams->core->memory, queue, bytes);
		if (!one) {
			datagrams->core->stats.udp_sends_dropped++;
			continue;
		}
		push(&ahead, one);
		again++;
	}
	if (again > 0) {
		ahead.last->next = datagrams->first;
		datagrams->last = datagrams->last ? datagrams->last : ahead.last;
		datagrams->first = ahead.first;
	}
	return again;
}

/* As anywhere on its way, a datagram may be lost here. */
static void count_sent(struct rollcall_stats *stats, const struct datagram *datagram, int result)
{
	if (result >= 0)
		stats->udp_bundles_sent += datagram->segments > 1;
	else if (result == -EAGAIN)
		stats->udp_sends_dropped += datagram->segments;
	else
		stats->udp_send_errors += datagram->segments;
}

uint64_t datagrams_on_sent(struct datagrams *datagrams, uint64_t id, const struct io_uring_cqe *cqe,
			   unsigned *again)
{
	struct datagram *datagram = slab_at(&datagrams->slots, (uint32_t)id);
	const uint64_t client = datagram->client;

	*again = 0;
	if (datagram->segments > 1 && is_company_refused(cqe->res))
		*again = send_one_by_one(datagrams, datagram);
	else
		count_sent(&datagrams->core->stats, datagram, cqe->res);
	queue_clear(&datagrams->core->memory, &datagram->queue);
	slab_give(&datagrams->slots, datagram);
	return client;
}
