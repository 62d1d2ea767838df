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
static struct datagram *find_company(struct datagrams *datagrams, uint64_t client, size_t bytes,
				     unsigned parts)
{
	struct datagram *last = datagrams->last;

	if (!last || client == ROLLCALL_NONE || last->client != client || last->whole ||
	    last->single)
		return NULL;
	if (bytes == 0 || bytes > last->segment_bytes ||
	    last->segment_bytes > last->endpoint->segment_bytes_max ||
	    last->segments == DATAGRAM_SEGMENTS_MAX ||
	    last->queue.bytes + bytes > DATAGRAM_BUNDLE_BYTES_MAX ||
	    last->queue.segments + DATAGRAM_PIECES_OF(parts, bytes) > DATAGRAM_PIECES)
		return NULL;
	return last;
}

/* Takes a slot; NULL: none is left. */
static struct datagram *take_slot(struct datagrams *datagrams, struct endpoint *endpoint,
				  uint64_t client, const struct udp_key *key, size_t bytes)
{
	struct datagram *datagram = slab_take(&datagrams->slots);

	if (!datagram)
		return NULL;
	datagram->queue = (struct queue){ 0 };
	datagram->endpoint = endpoint;
	datagram->key = *key;
	datagram->client = client;
	datagram->segment_bytes = (uint32_t)bytes;
	datagram->segments = 1;
	datagram->whole = false;
	datagram->single = false;
	return datagram;
}

enum datagram_fate datagrams_send(struct datagrams *datagrams, struct endpoint *endpoint,
				  uint64_t client, const struct udp_key *key,
				  const struct iovec *parts, unsigned count)
{
	struct core *core = datagrams->core;
	struct datagram *datagram;
	size_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	datagram = find_company(datagrams, client, bytes, count);
	if (datagram && queue_append(&core->memory, &datagram->queue, parts, count, false)) {
		datagram->segments++;
		datagram->whole = bytes < datagram->segment_bytes;
		return DATAGRAM_JOINED;
	}
	datagram = take_slot(datagrams, endpoint, client, key, bytes);
	if (datagram && queue_append(&core->memory, &datagram->queue, parts, count, false)) {
		push(datagrams, datagram);
		return DATAGRAM_STARTED;
	}
	if (datagram)
		slab_give(&datagrams->slots, datagram);
	core->stats.udp_sends_dropped++;
	return DATAGRAM_DROPPED;
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

/* Keeps only the pieces of the first segment; returns how many. */
static unsigned cut_pieces(struct iovec *pieces, unsigned count, size_t bytes)
{
	for (unsigned i = 0; i < count; i++) {
		if (pieces[i].iov_len >= bytes) {
			pieces[i].iov_len = bytes;
			return i + 1;
		}
		bytes -= pieces[i].iov_len;
	}
	return count;
}

static void lay_out(struct datagram *datagram)
{
	const struct endpoint *endpoint = datagram->endpoint;
	const uint16_t segment_bytes = (uint16_t)datagram->segment_bytes;
	unsigned count = queue_gather(&datagram->queue, datagram->pieces, DATAGRAM_PIECES);

	CHECK(count == datagram->queue.segments);
	if (datagram->single)
		count = cut_pieces(datagram->pieces, count, datagram->segment_bytes);
	datagram_address(&datagram->key, &endpoint->address, &datagram->to);
	datagram->message = (struct msghdr){
		.msg_name = &datagram->to.any,
		.msg_namelen = datagram->to.bytes,
		.msg_iov = datagram->pieces,
		.msg_iovlen = count,
	};
	if (endpoint->wildcard)
		add_source(datagram);
	if (datagram->segments > 1 && !datagram->single)
		add_control(datagram, SOL_UDP, UDP_SEGMENT, &segment_bytes, sizeof(segment_bytes));
}

bool datagrams_flush(struct datagrams *datagrams)
{
	struct core *core = datagrams->core;
	/* At the very end nothing may wait for a socket that takes no more. */
	const unsigned flags = MSG_NOSIGNAL | (core->refusing ? MSG_DONTWAIT : 0);

	while (datagrams->first) {
		struct datagram *datagram = datagrams->first;
		struct io_uring_sqe *sqe = ring_sqe(core->ring);

		if (!sqe)
			return false;
		lay_out(datagram);
		core->stats.udp_bundles_sent += datagram->segments > 1 && !datagram->single;
		io_uring_prep_sendmsg(sqe, datagram->endpoint->fd, &datagram->message, flags);
		sqe->user_data = op_pack(OP_UDP_SEND, slab_index(&datagrams->slots, datagram));
		datagrams->first = datagram->next;
	}
	datagrams->last = NULL;
	return true;
}

/* ---- Completions ---- */

/*
 * Whether datagrams are refused only because they come together: larger than the way takes in one
 * packet, or a way without checksums in hardware (net/ipv4/udp.c, Linux 6.1). Then smaller ones may
 * still go together; one way with small packets keeps the other peers of the endpoint from it too,
 * which costs time only.
 */
static bool is_company_refused(struct datagram *datagram, int error)
{
	struct endpoint *endpoint = datagram->endpoint;

	if (datagram->segments == 1 || datagram->single)
		return false;
	if (error == -EINVAL || error == -EMSGSIZE)
		endpoint->segment_bytes_max =
			min_size(endpoint->segment_bytes_max, datagram->segment_bytes - 1);
	else if (error == -EIO || error == -EOPNOTSUPP || error == -ENOPROTOOPT)
		endpoint->segment_bytes_max = 0;
	else
		return false;
	return true;
}

/* Goes on with the next of those that were refused together; false: none is left. */
static bool send_next_single(struct datagrams *datagrams, struct datagram *datagram)
{
	if (datagram->queue.bytes == 0)
		return false;
	datagram->single = true;
	push(datagrams, datagram);
	return true;
}

uint64_t datagrams_on_sent(struct datagrams *datagrams, uint64_t id, const struct io_uring_cqe *cqe)
{
	struct datagram *datagram = slab_at(&datagrams->slots, (uint32_t)id);
	struct queue_memory *memory = &datagrams->core->memory;
	const uint64_t client = datagram->client;

	if (is_company_refused(datagram, cqe->res)) {
		send_next_single(datagrams, datagram);
		return ROLLCALL_NONE;
	}
	/* As anywhere on its way, a datagram may be lost here. */
	if (cqe->res < 0)
		datagrams->core->stats.udp_send_errors += datagram->single ? 1 : datagram->segments;
	if (datagram->single) {
		queue_advance(memory, &datagram->queue,
			      min_size(datagram->segment_bytes, datagram->queue.bytes));
		if (send_next_single(datagrams, datagram))
			return ROLLCALL_NONE;
	}
	queue_clear(memory, &datagram->queue);
	slab_give(&datagrams->slots, datagram);
	return client;
}
