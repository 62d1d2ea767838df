/* SPDX-License-Identifier: MIT */
#include "udp/udp.h"

#include <errno.h>
#include <string.h>

#include "ring/op.h"
#include "udp/endpoint.h"

static void on_idle(struct idle *idle, struct client *client)
{
	udp_close(container_of(idle, struct udp, idle), client, -ETIME);
}

int udp_init(struct udp *udp, struct core *core)
{
	uint8_t secret[SIPHASH_KEY_BYTES];
	int error;

	*udp = (struct udp){ .core = core };
	error = idle_init(&udp->idle, &core->table, &core->timers,
			  core->options.udp_idle_timeout_ms, on_idle);
	if (error)
		return error;
	error = slab_init(&udp->slots, sizeof(struct datagram), UDP_SLOTS);
	if (error)
		return error;
	ring_random(core->ring, secret, sizeof(secret));
	error = peers_init(&udp->peers, core->options.udp_clients_max, secret);
	if (error)
		slab_destroy(&udp->slots);
	return error;
}

void udp_destroy(struct udp *udp)
{
	peers_destroy(&udp->peers);
	slab_destroy(&udp->slots);
}

struct client *udp_client(struct udp *udp, struct endpoint *endpoint, const struct udp_key *key)
{
	struct core *core = udp->core;
	struct udp_peer *peer = peers_find(&udp->peers, key);
	struct client *client;

	if (peer) {
		client = table_find(&core->table, peer->client);
		CHECK(client && client->state == CLIENT_OPEN);
		idle_touch(&udp->idle, client, core->now_ns);
		return client;
	}
	/* Clients that are closing count too, until their slots are free. */
	if (core->stats.udp_clients_now >= core->options.udp_clients_max) {
		core->stats.udp_full++;
		return NULL;
	}
	client = table_add(&core->table, ROLLCALL_UDP);
	CHECK(client);
	client->udp.peer = peers_add(&udp->peers, key, client->id);
	client->source = &endpoint->source;
	client->fd = endpoint->fd;
	core->stats.udp_clients++;
	core->stats.udp_clients_now++;
	idle_touch(&udp->idle, client, core->now_ns);
	core_connected(core, client);
	return client;
}

static const struct endpoint *endpoint_of(const struct client *client)
{
	return container_of(client->source, struct endpoint, source);
}

void udp_address(const struct client *client, struct address *to)
{
	const struct address *local = &endpoint_of(client)->address;
	const struct udp_key *key;

	*to = (struct address){ 0 };
	if (!client->udp.peer)
		return;
	key = &client->udp.peer->key;
	to->bytes = local->bytes;
	to->any.sa_family = local->any.sa_family;
	if (to->any.sa_family == AF_INET) {
		memcpy(&to->v4.sin_addr, key->peer, sizeof(to->v4.sin_addr));
	} else {
		memcpy(&to->v6.sin6_addr, key->peer, sizeof(to->v6.sin6_addr));
		to->v6.sin6_scope_id = key->scope;
	}
	address_set_port(to, key->port);
}

/* ---- Sending ---- */

/* The answer leaves from the address that was asked (RFC 1122, section 4.1.3.5). */
static void set_source(struct datagram *datagram, const struct udp_key *key)
{
	struct msghdr *message = &datagram->message;
	struct cmsghdr *header = (struct cmsghdr *)datagram->control;

	message->msg_control = datagram->control;
	if (datagram->to.any.sa_family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, key->local, sizeof(info.ipi_spec_dst));
		*header = (struct cmsghdr){
			.cmsg_level = IPPROTO_IP,
			.cmsg_type = IP_PKTINFO,
			.cmsg_len = CMSG_LEN(sizeof(info)),
		};
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = key->scope };

		memcpy(&info.ipi6_addr, key->local, sizeof(info.ipi6_addr));
		*header = (struct cmsghdr){
			.cmsg_level = IPPROTO_IPV6,
			.cmsg_type = IPV6_PKTINFO,
			.cmsg_len = CMSG_LEN(sizeof(info)),
		};
		memcpy(CMSG_DATA(header), &info, sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

/* Takes a slot and fills it; NULL: no slot or no memory. */
static struct datagram *make_datagram(struct udp *udp, struct client *client,
				      const struct iovec *parts, unsigned count)
{
	const struct endpoint *endpoint = endpoint_of(client);
	struct datagram *datagram = slab_take(&udp->slots);

	if (!datagram)
		return NULL;
	datagram->queue = (struct queue){ 0 };
	if (!queue_append(&udp->core->memory, &datagram->queue, parts, count, false)) {
		slab_give(&udp->slots, datagram);
		return NULL;
	}
	datagram->client = client->id;
	datagram->fd = client->fd;
	datagram->next = NULL;
	udp_address(client, &datagram->to);
	datagram->message = (struct msghdr){
		.msg_name = &datagram->to.any,
		.msg_namelen = datagram->to.bytes,
		.msg_iov = datagram->pieces,
		.msg_iovlen = queue_gather(&datagram->queue, datagram->pieces, UDP_PIECES),
	};
	CHECK(datagram->message.msg_iovlen == datagram->queue.segments);
	if (endpoint->wildcard)
		set_source(datagram, &client->udp.peer->key);
	return datagram;
}

int udp_send(struct udp *udp, struct client *client, const struct iovec *parts, unsigned count)
{
	struct datagram *datagram;
	size_t bytes = 0;

	if (client->state != CLIENT_OPEN)
		return -EPIPE;
	for (unsigned i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	if (bytes > (endpoint_of(client)->address.any.sa_family == AF_INET ? UDP_IPV4_BYTES_MAX
									   : UDP_IPV6_BYTES_MAX))
		return -EMSGSIZE;
	datagram = make_datagram(udp, client, parts, count);
	if (!datagram) {
		udp->core->stats.udp_sends_dropped++;
		return 0;
	}
	client->udp.sends++;
	core_count_sent(udp->core, client, bytes);
	if (udp->last)
		udp->last->next = datagram;
	else
		udp->first = datagram;
	udp->last = datagram;
	return 0;
}

bool udp_flush(struct udp *udp)
{
	/* At the very end nothing may wait for a socket that takes no more. */
	const unsigned flags = MSG_NOSIGNAL | (udp->core->refusing ? MSG_DONTWAIT : 0);

	while (udp->first) {
		struct datagram *datagram = udp->first;
		struct io_uring_sqe *sqe = ring_sqe(udp->core->ring);

		if (!sqe)
			return false;
		io_uring_prep_sendmsg(sqe, datagram->fd, &datagram->message, flags);
		sqe->user_data = op_pack(OP_UDP_SEND, slab_index(&udp->slots, datagram));
		udp->first = datagram->next;
	}
	udp->last = NULL;
	return true;
}

void udp_on_send(struct udp *udp, uint64_t id, const struct io_uring_cqe *cqe)
{
	struct datagram *datagram = slab_at(&udp->slots, (uint32_t)id);
	struct client *client = table_find(&udp->core->table, datagram->client);

	CHECK(client && client->udp.sends > 0);
	/* As anywhere on its way, a datagram may be lost here. */
	if (cqe->res < 0)
		udp->core->stats.udp_send_errors++;
	queue_clear(&udp->core->memory, &datagram->queue);
	slab_give(&udp->slots, datagram);
	client->udp.sends--;
	if (client->state == CLIENT_CLOSING)
		core_flush_later(udp->core, client);
}

/* ---- Ending ---- */

void udp_close(struct udp *udp, struct client *client, int reason)
{
	if (client->state != CLIENT_OPEN)
		return;
	client->state = CLIENT_CLOSING;
	client->reason = reason;
	idle_remove(&udp->idle, client);
	peers_remove(&udp->peers, client->udp.peer);
	client->udp.peer = NULL;
	core_flush_later(udp->core, client);
}

void udp_flush_client(struct udp *udp, struct client *client)
{
	if (client->state == CLIENT_CLOSING && client->udp.sends == 0)
		core_disconnected(udp->core, client);
}
