/* SPDX-License-Identifier: MIT */
/*
 * listen.c - from an address string, or an adopted socket, to a listener or an endpoint.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"
#include "server/server.h"

#define MESSAGE_BYTES_DEFAULT 65536
#define MESSAGE_BYTES_MAX ((size_t)1 << 30)

/* Size of a service in version 0.2.0. */
#define SERVICE_BYTES_MIN SIZED_THROUGH(struct rollcall_service, disconnected)

/* Maximum number of addresses of one name. */
#define ADDRESSES_MAX 16

/* Size of the text that tells why a listen fails. */
#define WHY_BYTES 160

/* Attempts to find one port that is free on every address of a name. */
#define PORT_TRIES 16

static int add_listener(struct rollcall_server *server, const struct origin *origin, int fd)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int error;

	if (!listener)
		return -ENOMEM;
	listener->origin = *origin;
	listener->origin.index = (uint16_t)server->tcp.listener_count;
	error = listener_open(listener, &server->tcp, fd);
	if (error)
		free(listener);
	else
		server->tcp.listeners[server->tcp.listener_count++] = listener;
	return error;
}

/* Adds a listener or an endpoint. On success it takes the socket over. */
static int add(struct rollcall_server *server, enum rollcall_transport transport,
	       const struct origin *origin, int fd)
{
	if (transport == ROLLCALL_TCP)
		return add_listener(server, origin, fd);
	return udp_open(&server->udp, origin, fd);
}

static struct socket_buffers buffers_asked(const struct rollcall_options *options,
					   enum rollcall_transport transport)
{
	if (transport == ROLLCALL_TCP)
		return (struct socket_buffers){ options->tcp_receive_buffer_bytes,
						options->tcp_send_buffer_bytes };
	return (struct socket_buffers){ options->udp_receive_buffer_bytes,
					options->udp_send_buffer_bytes };
}

static int open_one(struct rollcall_server *server, enum rollcall_transport transport,
		    const struct origin *origin, const struct address *address)
{
	const struct hub *hub = &server->hub;
	const struct socket_buffers buffers = buffers_asked(&hub->options, transport);
	int fd, error;

	/* bind(2) would return EINVAL. */
	if (address_needs_zone(address))
		return -ENODEV;
	fd = transport == ROLLCALL_TCP
		     ? socket_listen(hub->ring, address, hub->options.keepalive_ms, &buffers)
		     : socket_bind_udp(hub->ring, address, &buffers);
	if (fd < 0)
		return fd;
	error = add(server, transport, origin, fd);
	if (error)
		socket_close(hub->ring, fd);
	return error;
}

static unsigned count_open(const struct rollcall_server *server)
{
	return server->tcp.listener_count + server->udp.endpoint_count;
}

/* Closes the newest listeners or endpoints, which have nothing in flight yet. */
static void close_newest(struct rollcall_server *server, enum rollcall_transport transport,
			 unsigned count)
{
	while (count-- > 0) {
		if (transport == ROLLCALL_TCP) {
			listener_destroy(server->tcp.listeners[--server->tcp.listener_count]);
			free(server->tcp.listeners[server->tcp.listener_count]);
		} else {
			udp_close_newest(&server->udp);
		}
	}
}

static uint16_t newest_port(const struct rollcall_server *server, enum rollcall_transport transport)
{
	if (transport == ROLLCALL_TCP)
		return address_port(
			&server->tcp.listeners[server->tcp.listener_count - 1]->address);
	return address_port(&server->udp.endpoints[server->udp.endpoint_count - 1]->address);
}

/* The hosts file may list a name twice with one address. */
static bool is_repeated(const struct address *addresses, int index)
{
	for (int i = 0; i < index; i++)
		if (address_same_host(&addresses[i], &addresses[index]))
			return true;
	return false;
}

/* A machine may lack one address family: IPv6 switched off, or no ::1. */
static bool is_missing(int error)
{
	return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT;
}

static const char *describe(int error)
{
	switch (error) {
	case -ENOENT:
		return "the name does not resolve";
	case -ENODEV:
		return "a link-local address needs a zone, as [fe80::1%eth0] has it";
	case -ENOSPC:
		return "a server listens on at most 64 addresses";
	case -ESHUTDOWN:
		return "the server is stopping";
	case -EEXIST:
		return "the server already listens on it";
	case -EOPNOTSUPP:
		return "it accepts both IPv4 and IPv6 (IPV6_V6ONLY is not set)";
	default:
		return strerror(-error);
	}
}

/* Opens all addresses of a name, or none; `why` gets the cause. */
static int open_all(struct rollcall_server *server, const struct address_name *name,
		    struct address *addresses, int count, const struct origin *origin, char *why)
{
	const unsigned before = count_open(server);
	char text[ADDRESS_TEXT_BYTES];
	int error = 0, missing = 0;

	for (int i = 0; i < count && !error; i++) {
		if (is_repeated(addresses, i))
			continue;
		if (name->port == 0 && count_open(server) > before)
			address_set_port(&addresses[i], newest_port(server, name->transport));
		if (count_open(server) == HUB_ADDRESSES_MAX)
			error = -ENOSPC;
		else
			error = open_one(server, name->transport, origin, &addresses[i]);
		if (error) {
			address_format(&addresses[i], text);
			snprintf(why, WHY_BYTES, "%s: %s", text, describe(error));
		}
		if (is_missing(error)) {
			missing = error;
			error = 0;
		}
	}
	if (error)
		close_newest(server, name->transport, count_open(server) - before);
	else if (count_open(server) == before)
		error = missing;
	return error;
}

static void format_open(const struct rollcall_server *server, unsigned index,
			char text[static ADDRESS_TEXT_BYTES + 4])
{
	const bool tcp = index < server->tcp.listener_count;
	const struct address *address =
		tcp ? &server->tcp.listeners[index]->address
		    : &server->udp.endpoints[index - server->tcp.listener_count]->address;

	strcpy(text, tcp ? "tcp " : "udp ");
	address_format(address, text + 4);
}

static void log_newest(struct rollcall_server *server, enum rollcall_transport transport,
		       unsigned count)
{
	const unsigned end =
		transport == ROLLCALL_TCP ? server->tcp.listener_count : count_open(server);
	char text[ADDRESS_TEXT_BYTES + 4];

	for (unsigned i = end - count; i < end; i++) {
		format_open(server, i, text);
		log_write(&server->hub.log, ROLLCALL_LOG_INFO, "listening on %s", text);
	}
}

/* Copies a caller's service; fields that the caller lacks are 0. Errors as of sized_read(). */
static int take_service(struct rollcall_service *to, const struct rollcall_service *from, char *why)
{
	int error;

	*to = (struct rollcall_service){ 0 };
	if (!from) {
		snprintf(why, WHY_BYTES, "the service is NULL");
		return -EINVAL;
	}
	error = sized_read(to, sizeof(*to), from, from->size, SERVICE_BYTES_MIN);
	if (error == -E2BIG)
		snprintf(why, WHY_BYTES,
			 "the service sets a field that this version of the library does not have");
	else if (error)
		snprintf(why, WHY_BYTES, "the size of the service is %zu, and must be at least %zu",
			 from->size, SERVICE_BYTES_MIN);
	return error;
}

/* Checks a service. memory_bytes_max limits its messages, as unfinished ones count towards it. */
static int check_service(const struct rollcall_server *server,
			 const struct rollcall_service *service, char *why)
{
	const size_t most = min_size(MESSAGE_BYTES_MAX, server->hub.options.memory_bytes_max);

	if (service->framing > ROLLCALL_FRAMING_LENGTH)
		snprintf(why, WHY_BYTES, "the framing of the service is %u, and must be 0 to %u",
			 service->framing, ROLLCALL_FRAMING_LENGTH);
	else if (service->message_bytes_max > most)
		snprintf(why, WHY_BYTES,
			 "message_bytes_max of the service is %zu, and must be at most %zu",
			 service->message_bytes_max, most);
	else
		return 0;
	return -EINVAL;
}

static int make_origin(const struct rollcall_server *server, const struct rollcall_service *service,
		       void *context, struct origin *origin, char *why)
{
	int error;

	if (server->state != SERVER_RUNNING)
		return -ESHUTDOWN;
	*origin = (struct origin){ .context = context };
	error = take_service(&origin->service, service, why);
	if (error)
		return error;
	error = check_service(server, &origin->service, why);
	if (error)
		return error;
	if (origin->service.message_bytes_max == 0)
		origin->service.message_bytes_max = MESSAGE_BYTES_DEFAULT;
	return 0;
}

static int listen_on(struct rollcall_server *server, const char *text,
		     const struct rollcall_service *service, void *context, char *why)
{
	const unsigned before = count_open(server);
	struct address addresses[ADDRESSES_MAX];
	struct address_name name;
	struct origin origin;
	int count, error = make_origin(server, service, context, &origin, why);

	if (error)
		return error;
	error = address_parse(text, &name);
	if (error) {
		snprintf(why, WHY_BYTES, "neither tcp://HOST:PORT nor udp://HOST:PORT");
		return error;
	}
	for (int tries = 0; tries < PORT_TRIES; tries++) {
		count = socket_resolve(server->hub.ring, name.host, name.port, addresses,
				       ADDRESSES_MAX);
		if (count < 0)
			return count;
		error = open_all(server, &name, addresses, count, &origin, why);
		if (error != -EADDRINUSE || name.port != 0)
			break;
	}
	if (error)
		return error;
	server->unflushed = true;
	log_newest(server, name.transport, count_open(server) - before);
	return 0;
}

int rollcall_listen(struct rollcall_server *server, const char *text,
		    const struct rollcall_service *service, void *context)
{
	char why[WHY_BYTES] = "";
	bool was_busy;
	int error;

	if (!server_is_callers(server))
		return -EPERM;
	was_busy = server->busy;
	server->busy = true;
	error = listen_on(server, text, service, context, why);
	if (error)
		log_write(&server->hub.log, ROLLCALL_LOG_ERROR, "cannot listen on '%.100s': %s",
			  text, why[0] ? why : describe(error));
	server->busy = was_busy;
	return error;
}

/* Whether the server has the socket already: it would be closed twice. */
static bool is_ours(const struct rollcall_server *server, int fd)
{
	for (unsigned i = 0; i < server->tcp.listener_count; i++)
		if (server->tcp.listeners[i]->fd == fd)
			return true;
	for (unsigned i = 0; i < server->udp.endpoint_count; i++)
		if (server->udp.endpoints[i]->fd == fd)
			return true;
	return false;
}

static int adopt(struct rollcall_server *server, int fd, const struct rollcall_service *service,
		 void *context, char *why)
{
	const struct hub *hub = &server->hub;
	struct socket_buffers buffers;
	struct origin origin;
	int transport, error = make_origin(server, service, context, &origin, why);

	if (error)
		return error;
	transport = socket_transport(hub->ring, fd);
	if (transport < 0) {
		if (transport == -EINVAL)
			snprintf(why, WHY_BYTES, "it does not listen, or is not bound");
		return transport;
	}
	if (is_ours(server, fd))
		return -EEXIST;
	if (count_open(server) == HUB_ADDRESSES_MAX)
		return -ENOSPC;
	buffers = buffers_asked(&hub->options, (enum rollcall_transport)transport);
	error = transport == ROLLCALL_TCP
			? socket_adopt_tcp(hub->ring, fd, hub->options.keepalive_ms, &buffers)
			: socket_adopt_udp(hub->ring, fd, &buffers);
	if (!error)
		error = add(server, (enum rollcall_transport)transport, &origin, fd);
	if (error)
		return error;
	server->unflushed = true;
	log_newest(server, (enum rollcall_transport)transport, 1);
	return 0;
}

int rollcall_adopt(struct rollcall_server *server, int fd, const struct rollcall_service *service,
		   void *context)
{
	char why[WHY_BYTES] = "";
	bool was_busy;
	int error;

	if (!server_is_callers(server))
		return -EPERM;
	was_busy = server->busy;
	server->busy = true;
	error = adopt(server, fd, service, context, why);
	if (error)
		log_write(&server->hub.log, ROLLCALL_LOG_ERROR, "cannot adopt descriptor %d: %s",
			  fd, why[0] ? why : describe(error));
	server->busy = was_busy;
	return error;
}

int rollcall_listener_address(struct rollcall_server *server, unsigned index, char *text,
			      size_t bytes)
{
	char line[ADDRESS_TEXT_BYTES + 4];

	if (!server_is_callers(server))
		return -EPERM;
	if (index >= count_open(server))
		return -ENOENT;
	format_open(server, index, line);
	return (size_t)snprintf(text, bytes, "%s", line) < bytes ? 0 : -ENOSPC;
}
