/* SPDX-License-Identifier: MIT */
/*
 * clients.c - the calls of services about a client, for TCP and UDP.
 */
#include <errno.h>
#include <string.h>

#include "base/cookie.h"
#include "base/sized.h"
#include "server/server.h"
#include "tcp/connection.h"
#include "tcp/output.h"

#define MESSAGE_BYTES_MAX ((size_t)1 << 30)

/* Least size of the information about a client: what takes no system call. */
#define INFO_BYTES_MIN offsetof(struct rollcall_client_info, address)

static inline int send_message(struct rollcall_server *server, rollcall_client id,
			       const struct message *message)
{
	struct client *client;

	if (!server_is_callers(server))
		return -EPERM;
	client = table_find(&server->hub.table, id);
	if (!client)
		return id == ROLLCALL_NONE ? udp_answer(&server->udp, message) : -ENOENT;
	if (client->transport == ROLLCALL_TCP)
		return output_send(&server->tcp, client, message);
	return udp_send(&server->udp, client, message);
}

int rollcall_send(struct rollcall_server *server, rollcall_client id, const void *data,
		  size_t bytes)
{
	const struct iovec part = { (void *)data, bytes };
	const struct message message = { &part, 1, bytes };

	return bytes > MESSAGE_BYTES_MAX ? -EINVAL : send_message(server, id, &message);
}

int rollcall_sendv(struct rollcall_server *server, rollcall_client id, const struct iovec *parts,
		   unsigned count)
{
	struct message message = { .parts = parts, .count = count };

	if (count > HUB_PARTS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		if (parts[i].iov_len > MESSAGE_BYTES_MAX - message.bytes)
			return -EINVAL;
		message.bytes += parts[i].iov_len;
	}
	return send_message(server, id, &message);
}

/* Finds a client. -ENOENT: gone; -EPERM: not the server's thread. */
static int find(struct rollcall_server *server, rollcall_client id, struct client **client)
{
	if (!server_is_callers(server))
		return -EPERM;
	*client = table_find(&server->hub.table, id);
	return *client ? 0 : -ENOENT;
}

int rollcall_close(struct rollcall_server *server, rollcall_client id)
{
	struct client *client;
	const int error = find(server, id, &client);

	if (error)
		return error;
	if (client->transport == ROLLCALL_TCP)
		connection_close(&server->tcp, client, -ECANCELED);
	else
		udp_close(&server->udp, client, -ECANCELED);
	return 0;
}

int rollcall_abort(struct rollcall_server *server, rollcall_client id)
{
	struct client *client;
	const int error = find(server, id, &client);

	if (error)
		return error;
	if (client->transport == ROLLCALL_TCP)
		connection_abort(&server->tcp, client, -ECONNABORTED, true);
	else
		udp_close(&server->udp, client, -ECONNABORTED);
	return 0;
}

/* The address of a client; length 0: no longer known. */
static struct address find_address(struct rollcall_server *server, const struct client *client)
{
	struct address address = { 0 };

	if (client->transport == ROLLCALL_UDP)
		udp_address(client, &address);
	else if (client->fd < 0 || socket_peer_address(server->hub.ring, client->fd, &address))
		address.bytes = 0;
	return address;
}

int rollcall_client_get_info(struct rollcall_server *server, rollcall_client id,
			     struct rollcall_client_info *info)
{
	struct rollcall_client_info found = { .size = sizeof(found) };
	struct client *client;
	const int error = find(server, id, &client);

	if (error)
		return error;
	found.transport = (enum rollcall_transport)client->transport;
	found.messages_received = client->messages_received;
	found.messages_sent = client->messages_sent;
	found.bytes_received = client->bytes_received;
	found.bytes_sent = client->bytes_sent;
	if (client->transport == ROLLCALL_TCP)
		found.queued_bytes = client->tcp.queue.bytes;
	else
		found.has_sequence = client->udp.stream != NULL;
	if (found.has_sequence)
		rtp_stream_report(client->udp.stream, &found.sequence);
	if (info->size > INFO_BYTES_MIN) {
		const struct address address = find_address(server, client);

		memcpy(&found.address, &address.any, address.bytes);
		found.address_bytes = address.bytes;
	}
	found.size = min_size(info->size, sizeof(found));
	return sized_write(info, info->size, &found, sizeof(found), INFO_BYTES_MIN);
}

_Static_assert(ROLLCALL_COOKIE_BYTES == COOKIE_BYTES, "a cookie has one size");

/*
 * A client and its address; for ROLLCALL_NONE NULL, and the address of the datagram being answered.
 * Errors as of find().
 */
static int find_peer(struct rollcall_server *server, rollcall_client id, struct client **client,
		     struct address *address)
{
	const int error = find(server, id, client);

	if (!error)
		*address = find_address(server, *client);
	else if (error == -ENOENT && id == ROLLCALL_NONE && server->udp.unlisted)
		*address = server->udp.unlisted->from;
	else
		return error;
	return address->bytes > 0 ? 0 : -ENOENT;
}

int rollcall_cookie(struct rollcall_server *server, rollcall_client id, uint8_t *cookie)
{
	struct address address;
	struct client *client;
	const int error = find_peer(server, id, &client, &address);

	if (error)
		return error;
	cookie_make(server->cookie_secret, &address, server->hub.now_ns, cookie);
	if (client && client->transport == ROLLCALL_UDP)
		sessions_challenge(client);
	return 0;
}

int rollcall_cookie_check(struct rollcall_server *server, rollcall_client id, const uint8_t *cookie)
{
	struct address address;
	struct client *client;
	const int error = find_peer(server, id, &client, &address);

	if (error)
		return error;
	if (!cookie_check(server->cookie_secret, &address, server->hub.now_ns, cookie))
		return -EACCES;
	if (client && client->transport == ROLLCALL_UDP)
		sessions_prove(&server->udp.sessions, client);
	return 0;
}

rollcall_client rollcall_client_next(struct rollcall_server *server, rollcall_client id)
{
	const struct client *client =
		server_is_callers(server) ? table_next(&server->hub.table, id) : NULL;

	return client ? client->id : ROLLCALL_NONE;
}

int rollcall_set_data(struct rollcall_server *server, rollcall_client id, void *data)
{
	struct client *client;
	const int error = find(server, id, &client);

	if (error)
		return error;
	client->data = data;
	return 0;
}

void *rollcall_data(struct rollcall_server *server, rollcall_client id)
{
	struct client *client;

	return find(server, id, &client) ? NULL : client->data;
}
