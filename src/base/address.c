/* SPDX-License-Identifier: MIT */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

static int parse_port(const char *text, uint16_t *port)
{
	unsigned number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = 10 * number + (unsigned)(*text - '0');
		if (number > UINT16_MAX)
			return -EINVAL;
	}
	*port = (uint16_t)number;
	return 0;
}

int address_parse(const char *text, struct address_name *name)
{
	const char *host, *end, *port;

	if (strncmp(text, "tcp://", 6) == 0)
		name->transport = ROLLCALL_TCP;
	else if (strncmp(text, "udp://", 6) == 0)
		name->transport = ROLLCALL_UDP;
	else
		return -EINVAL;

	host = text + 6;
	if (*host == '[') {
		end = strchr(++host, ']');
		if (!end || end[1] != ':' || !memchr(host, ':', (size_t)(end - host)))
			return -EINVAL;
		port = end + 2;
	} else {
		/* Without brackets the port cannot be distinguished from the IPv6 address. */
		end = strchr(host, ':');
		if (!end || strchr(end + 1, ':'))
			return -EINVAL;
		port = end + 1;
	}
	if (end == host || (size_t)(end - host) >= sizeof(name->host))
		return -EINVAL;
	memcpy(name->host, host, (size_t)(end - host));
	name->host[end - host] = '\0';
	return parse_port(port, &name->port);
}

void address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES])
{
	char host[INET6_ADDRSTRLEN] = "?", scope[12] = "";

	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT_BYTES, "%s:%u", host, address_port(address));
		return;
	}
	inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
	if (address->v6.sin6_scope_id)
		snprintf(scope, sizeof(scope), "%%%u", address->v6.sin6_scope_id);
	snprintf(text, ADDRESS_TEXT_BYTES, "[%s%s]:%u", host, scope, address_port(address));
}

uint16_t address_port(const struct address *address)
{
	return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port
						       : address->v6.sin6_port);
}

void address_set_port(struct address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = htons(port);
	else
		address->v6.sin6_port = htons(port);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return address_same_host(a, b) && address_port(a) == address_port(b);
}

bool address_same_host(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

bool address_is_wildcard(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

bool address_is_loopback(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool address_needs_zone(const struct address *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) && address->v6.sin6_scope_id == 0;
}

bool address_is_unicast(const struct address *address)
{
	if (address_is_wildcard(address))
		return false;
	/* 224.0.0.0/4 is multicast; 240.0.0.0/4 is reserved, its last address is broadcast. */
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) < 0xe0000000;
	return !IN6_IS_ADDR_MULTICAST(&address->v6.sin6_addr);
}
